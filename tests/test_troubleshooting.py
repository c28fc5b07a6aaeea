"""The page of messages quotes what the code says: every quoted message is found in the source, word for word."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8")
VALUE = "…"
"""Stands on the page for what a message fills in."""
QUOTED = re.findall(r"^### `(.+)`$", PAGE, re.MULTILINE)
SOURCES = [path for folder in ("kgqa", "pipelines") for path in sorted((ROOT / folder).rglob("*.py"))]


def texts(node: ast.AST) -> Iterator[str]:
    """The strings of a module as written, with `VALUE` for each part that is filled in."""
    for one in ast.walk(node):
        if isinstance(one, ast.JoinedStr):
            yield "".join(part.value if isinstance(part, ast.Constant) else VALUE for part in one.values)
        elif isinstance(one, ast.Constant) and isinstance(one.value, str):
            yield re.sub(r"%[-.\d]*[sdr]", VALUE, one.value)


SAID = [text for path in SOURCES for text in texts(ast.parse(path.read_text(encoding="utf-8")))]


def is_said(message: str) -> bool:
    """Whether some string of the code has the message's parts in their order, with values between them."""
    pattern = re.compile(".*?".join(map(re.escape, message.split(VALUE))), re.DOTALL)
    return any(pattern.search(text) for text in SAID)


def test_the_page_has_messages():
    assert len(QUOTED) >= 20
    assert len(set(QUOTED)) == len(QUOTED)


@pytest.mark.parametrize("message", QUOTED)
def test_a_quoted_message_is_one_that_the_code_says(message):
    assert len(max(message.split(VALUE), key=len)) >= 11, "too little of it is fixed to tell it from others"
    assert is_said(message)


def test_a_message_that_no_code_says_is_seen():
    assert not is_said("the moon is in the wrong house; …")
    assert is_said(f"{VALUE} is being written to by {VALUE}; wait for it, or end it")
