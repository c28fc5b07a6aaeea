"""The page: escaped, self-contained, small, well formed, and the same to the eye, the keyboard and a screen reader."""

import itertools
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from kgqa.answer.report.page import TEMPLATES, write_report
from kgqa.answer.report.run import Run
from kgqa.answer.report.text import csp_hash
from kgqa.reason.priming import Remembered
from kgqa.reason.trace import Trace, TracedHop
from kgqa.types import Answer
from tests.answer.report.chromium import PROGRAM, Chromium
from tests.answer.report.made import HOSTILE, answered, make_run, mixed, refused

VOID = {"meta", "input", "br", "img", "link", "hr"}


class Page(HTMLParser):
    """What stands on a page; fails where an element is not closed, or closed out of turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: dict[str, list[str]] = {}
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        assert len(dict(attributes)) == len(attributes), attributes
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.words.setdefault(self.open[-1], []).append(data)

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == name]


def page_of(folder: Path, answers: list[Answer], other: list[Answer] | None = None, **options) -> str:
    run = Run.read(make_run(folder / "new" / "answer-1", answers))
    against = Run.read(make_run(folder / "old" / "answer-1", other)) if other else None
    size = write_report(run, folder / "page.html", other=against, **options)
    data = (folder / "page.html").read_bytes()
    assert len(data) == size
    return data.decode()


def hostile() -> list[Answer]:
    """Every text of the data is one that wants to be markup."""
    answers = [
        answered(n, text, [text, f"{text} 2"], gold=(text,), kind=text if n % 2 else "plain")
        for n, text in enumerate(HOSTILE)
    ]
    return [*answers, *(refused(n, text, text, gold=(text,)) for n, text in enumerate(HOSTILE, start=len(HOSTILE)))]


@pytest.mark.parametrize(
    "make", [hostile, mixed, lambda: [answered(0, "Who?", ["a"])], lambda: [refused(0, "Who?", "none")]]
)
def test_it_is_well_formed_and_every_link_leads_somewhere(tmp_path, make):
    page = Page(page_of(tmp_path, make()))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in page.tags:
        for name in ("aria-labelledby", "aria-describedby", "for"):
            assert set((attributes.get(name) or "").split()) <= set(ids)
        assert not any(name.startswith("on") or name == "style" for name in attributes)
    targets = [attributes["href"] for _, attributes in page.tags if "href" in attributes]
    assert all(target and target.startswith("#") and target[1:] in ids for target in targets)
    assert not page.all("link")
    assert not page.all("img")
    assert not any("src" in attributes for _, attributes in page.tags)


def test_nothing_of_the_data_becomes_markup(tmp_path):
    """The tags are those of the same page with harmless texts."""
    tame = [
        answered(n, f"text {n}", [f"x{n}", f"y{n}"], gold=(f"x{n}",), kind=f"k{n}" if n % 2 else "plain")
        for n in range(7)
    ]
    tame += [refused(n, f"text {n}", f"reason {n}", gold=("z",)) for n in range(7, 14)]
    text = page_of(tmp_path, hostile(), hostile())
    found = Page(text)
    plain = Page(page_of(tmp_path / "tame", tame, tame))
    kept = ("script", "style", "b", "i", "a", "details", "table", "svg", "meta", "h2")
    assert {tag for tag, _ in found.tags} <= {tag for tag, _ in plain.tags} | {"title"}
    assert {tag: len(found.all(tag)) for tag in kept if tag != "i"} == {
        tag: len(plain.all(tag)) for tag in kept if tag != "i"
    }
    assert HOSTILE[0] in "".join(found.words["b"])
    assert "49" not in "".join(found.words["b"])
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e]", text)


def test_the_policy_names_the_page_s_own_style_and_script_and_nothing_else(tmp_path):
    text = page_of(tmp_path, mixed())
    page = Page(text)
    (policy,) = [a["content"] for a in page.all("meta") if a.get("http-equiv") == "Content-Security-Policy"]
    for tag, directive in (("style", "style-src"), ("script", "script-src")):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        assert f"{directive} '{csp_hash(content)}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"@import|url\((?!#)|https?://(?!www\.w3\.org)", text)


def test_headings_tables_forms_and_pictures_say_what_they_are(tmp_path):
    page = Page(page_of(tmp_path, mixed(), mixed(wrong=6)))
    assert page.all("html")[0]["lang"] == "en"
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert all(cell.get("scope") in ("col", "row") for cell in page.all("th"))
    assert all(svg.get("aria-label") or svg.get("aria-hidden") for svg in page.all("svg"))
    scrolled = [a for _, a in page.tags if a.get("class") == "scroll"]
    assert all(a.get("tabindex") == "0" and (a.get("aria-label") or a.get("aria-labelledby")) for a in scrolled)
    assert len(page.all("label")) == len(page.all("input")) + len(page.all("select"))
    assert {"main", "header", "footer", "nav"} <= {tag for tag, _ in page.tags}


def test_what_is_said_stands_on_the_page(tmp_path):
    text = page_of(tmp_path, mixed(), mixed(wrong=6))
    assert "Which are 7?" in text
    assert "doc of topic" in text
    assert "characters 3–40, read by pattern:test with 75\u202f%" in text
    assert "It would have said" in text
    assert text.count("<q>near What is 4?</q><small><cite>doc near What is 4?</cite>, characters 70–90</small>") == 1
    assert "&lt;urn:kgqa:relation:made%20by&gt;" in text
    for heading in (
        "Scores by kind",
        "Can the probabilities be trusted",
        "Compared with",
        "Sure, and wrong",
        "Won: right",
    ):
        assert heading in text
    assert "McNemar" in text


def test_what_the_reasoner_did_is_shown_where_it_was_traced(tmp_path):
    fact = Remembered("fact", 7, "<a> <b> <c>", "<b> knows")
    hop = TracedHop(
        [0.96, 0.04], [("<i>knows", True, 0.9), ("made by", False, 0.1)], 0.25, [(fact, 0.5)], [1.5, 0.0, 0.5]
    )
    text = page_of(tmp_path, mixed(4), tracer=lambda records: [[Trace(["[MASK]", "<b>"], [hop, hop])] for _ in records])
    page = Page(text)
    assert text.count("What the reasoner did</summary>") == 4
    (cell, *_) = re.findall(r"<td>(<span class=.*?)</td>", text)
    assert (
        cell == '<span class="h10" title="96\u202f%">[MASK]</span> <span class="h0" title="4\u202f%">&lt;b&gt;</span> '
    )
    assert "← &lt;i&gt;knows 90\u202f%, made by 10\u202f%" in text
    assert '<span title="fact 7 of the long-term memory">&lt;b&gt; knows</span> 50\u202f%' in text
    assert [a["class"] for a in page.all("span") if "slot" in (a.get("title") or "")][:3] == ["h10", "h0", "h5"]


def test_without_gold_there_are_answers_and_no_scores(tmp_path):
    text = page_of(tmp_path, [answered(n, f"Who is {n}?", ["a"]) for n in range(3)])
    assert "Who is 2?" in text
    assert "Scores by kind" not in text
    assert "In gold" not in text


def test_a_thousand_heavy_questions_stay_below_the_limit_and_lose_evidence_last_of_all(tmp_path):
    names = [f"a rather long name of an entity, number {n}" for n in range(10)]
    answers = [
        answered(n, f"Question {n}?", names, score=1 - n / 2000, gold=("x",) if n == 7 else tuple(names))
        for n in range(1000)
    ]
    text = page_of(tmp_path, answers)
    assert len(text.encode()) < 5_000_000
    assert len(Page(text).all("svg")) > 200
    left_out = "Its evidence would make this page too large"
    assert text.count(left_out) > 100
    for number, whole in ((7, True), (999, True), (10, False)):  # wrong; the most doubtful; among the surest
        part = text[text.index(f'id="q{number}"') :]
        assert (
            left_out
            not in part[: part.index('<details class="question') if '<details class="question' in part else None]
        ) == whole


def test_of_many_questions_the_wrong_and_the_doubtful_ones_are_shown(tmp_path):
    answers = [
        answered(n, f"Q{n}?", ["a"], score=0.5 + n / 400, gold=("b",) if n == 150 else ("a",)) for n in range(200)
    ]
    text = page_of(tmp_path, answers, most=20, listed=3)
    shown = {int(number) for number in re.findall(r'id="q(\d+)"', text)}
    assert shown == {150, 197, 198, 199, *range(16)}  # wrong; slowest; most doubtful
    assert "20 of 200 questions" in text


def contrast(one: str, other: str) -> float:
    """WCAG 2.2: (lighter + 0.05) / (darker + 0.05) of relative luminances."""

    def luminance(colour: str) -> float:
        digits = colour.lstrip("#")
        digits = "".join(2 * digit for digit in digits) if len(digits) == 3 else digits
        channels = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_every_colour_of_text_can_be_read_in_both_schemes():
    css = (TEMPLATES / "report.css").read_text()
    light, dark = re.findall(r":root \{([^}]*)\}", css)
    for scheme in (light, dark):
        colours = dict(re.findall(r"--([\w]+): (#\w+)", scheme))
        for text in ("text", "quiet", "accent", "right", "wrong", "missed"):
            for ground in ("page", "card"):
                assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
        assert contrast(colours["page"], colours["accent"]) >= 4.5  # names of answers in pictures
        assert contrast(colours["strong"], colours["page"]) >= 3  # lines of pictures and borders of fields


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if PROGRAM is None:
        pytest.skip("no Chromium here; install the package chromium")
    with Chromium(tmp_path_factory.mktemp("profile")) as chromium:
        yield chromium


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [360, 1280])
def test_a_browser_has_nothing_to_complain_about_and_nothing_to_fetch(browser, tmp_path, width, dark):
    page_of(tmp_path, [*hostile(), *mixed(40)], [*hostile(), *mixed(40, wrong=20)])
    address = (tmp_path / "page.html").as_uri()
    browser.open(f"{address}#q3f1", width=width, dark=dark)
    assert browser.run("document.querySelector('details.question[open]').id") == "q3"
    assert browser.run("document.title").startswith("Answers of ")
    assert browser.run("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    assert browser.run("getComputedStyle(document.body).backgroundColor") == (
        "rgb(17, 21, 28)" if dark else "rgb(255, 255, 255)"
    )
    assert browser.requests() == [f"{address}#q3f1"] or browser.requests() == [address]
    assert browser.complaints() == []


def test_questions_are_found_chosen_and_sorted(browser, tmp_path):
    page_of(tmp_path, mixed(24))
    browser.open((tmp_path / "page.html").as_uri())
    seen = "[...document.querySelectorAll('details.question')].filter(one => one.checkVisibility()).map(one => one.id)"
    everything = browser.run(seen)
    assert len(everything) == 24

    def put(control, value):
        browser.run(f"{control}.value = {value!r}; {control}.dispatchEvent(new Event('input', {{bubbles: true}}))")
        return browser.run(seen)

    assert put("find", "WHICH 13") == ["q13"]
    put("find", "")
    assert set(put("outcome", "wrong")) == {"q0", "q1", "q2"}
    put("outcome", "")
    assert set(put("kind", "unanswerable")) == {"q5", "q11", "q17", "q23"}
    put("kind", "")
    assert put("order", "seconds")[0] == "q21"
    assert put("order", "number") == everything
    assert browser.run("document.getElementById('count').textContent") == "24 of 24 shown"
    assert browser.complaints() == []


def test_it_can_be_gone_through_by_keyboard(browser, tmp_path):
    page_of(tmp_path, mixed(6))
    browser.open((tmp_path / "page.html").as_uri())
    reached = []
    for _ in range(40):
        for kind in ("keyDown", "keyUp"):
            browser.call("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab", windowsVirtualKeyCode=9)
        reached.append(browser.run("document.activeElement.tagName + ' ' + document.activeElement.className"))
    assert reached[0] == "A skip"
    assert "SUMMARY " in reached
    assert "INPUT " in reached
    assert "DIV scroll" in reached
