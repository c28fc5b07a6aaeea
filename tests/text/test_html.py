"""HTML is reduced to its text; nothing in it is run, and no markup comes through."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kgqa.text.html import html_text


def test_paragraphs_stay_and_scripts_go() -> None:
    page = """<html><head><title> Marie
      Curie </title><style>p {color: red}</style><script>alert("<p>no</p>")</script></head>
      <body><h1>Marie Curie</h1><p>Born in <b>Warsaw</b>,&nbsp;in 1867 &amp; later.</p>
      <div>She moved<br>to Paris.</div><noscript>enable</noscript><svg><text>logo</text></svg></body></html>"""
    title, text = html_text(page)
    assert title == "Marie Curie"
    assert [" ".join(part.split()) for part in text.split("\n\n")] == [
        "Marie Curie", "Born in Warsaw, in 1867 & later.", "She moved", "to Paris.",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "page", ["", "<", "<p", "<p>unclosed <b>bold", "</p></p>", "<title>x<p>y", "<!-- never closed", "&#xD800;"]
)
def test_broken_pages_give_what_text_they_have(page: str) -> None:
    title, text = html_text(page)
    assert "<p>" not in title + text


def test_a_self_closed_script_does_not_swallow_the_page() -> None:
    assert html_text("<svg/><p>Argon is a gas.</p>")[1] == "Argon is a gas."


@given(
    st.lists(
        st.sampled_from(["<p>", "</p>", "<script>", "</script>", "word ", "&lt;", "<br/>", "\n", "<style>", "</style>"])
    )
)
@settings(max_examples=150)
def test_what_stands_inside_scripts_never_comes_out(parts: list[str]) -> None:
    page = "".join(parts)
    _, text = html_text(page.replace("</script>", "SECRET</script>") if "<script>" not in page else page)
    assert "<script>" not in text
    assert "\n\n\n" not in text
