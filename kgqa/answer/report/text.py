"""Texts and figures as the page shows them; whatever the data holds comes through here, and then through escaping."""

import base64
import hashlib
import re

_MOST_TEXT = 400
"""Characters of a text that are shown; a question may have ten thousand."""

_MOST_LINES = 60
"""Of a query."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Characters that show nothing, or turn the text around them."""


def visible(text: object) -> str:
    """A text as it can be looked at: control characters made visible, at most `_MOST_TEXT` characters of it."""
    found = _CONTROL.sub(lambda match: _sign(match.group()), str(text))
    return found if len(found) <= _MOST_TEXT else f"{found[:_MOST_TEXT]}…"


def _sign(character: str) -> str:
    """The picture of an ASCII control character; a space for white space, the mark of replacement for others."""
    if character in "\t\n\r":
        return " "
    return chr(0x2400 + ord(character)) if ord(character) < 0x20 else "\ufffd"


def code(text: str) -> str:
    """A query with its line feeds, at most a few screens of it."""
    return "\n".join(visible(line) for line in text.split("\n")[:_MOST_LINES])


def percent(share: float, digits: int = 1) -> str:
    """`0.934 -> 93.4 %`, with a narrow space that does not break."""
    return f"{100 * share:.{digits}f}\u202f%"


def points(difference: float) -> str:
    return f"{100 * difference:+.1f}".replace("-", "\u2212")


def duration(seconds: float) -> str:
    return f"{1000 * seconds:.0f}\u202fms" if seconds < 10 else f"{seconds:.1f}\u202fs"


def csp_hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
