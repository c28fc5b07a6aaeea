"""The text of an HTML page by the standard library's parser: markup, scripts and styles go, paragraphs stay."""

import re
from html.parser import HTMLParser

_DROPPED = frozenset({"script", "style", "template", "noscript", "svg", "math", "iframe", "object"})
_BLOCKS = frozenset({
    "address", "article", "aside", "blockquote", "body", "br", "dd", "div", "dl", "dt", "fieldset", "figcaption",
    "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "html", "li", "main", "nav",
    "ol", "p", "pre", "section", "table", "td", "th", "tr", "ul",
})  # fmt: skip
_SPACES = re.compile(r"[ \t\r\f\v]+")
_BLANK_LINES = re.compile(r"\s*\n\s*")


class _Collector(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.text: list[str] = []
        self.title: list[str] = []
        self._dropped = 0
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _DROPPED:
            self._dropped += 1
        elif tag == "title":
            self._in_title = True
        elif tag in _BLOCKS:
            self._in_title = False  # a <title> that was never closed
            self.text.append("\n")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _BLOCKS:  # a self-closed <script/> or <svg/> drops nothing after it
            self.text.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in _DROPPED:
            self._dropped = max(0, self._dropped - 1)
        elif tag == "title":
            self._in_title = False
        elif tag in _BLOCKS:
            self.text.append("\n")

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title.append(data)
        elif not self._dropped:
            self.text.append(data.replace("\n", " "))


def html_text(page: str) -> tuple[str, str]:
    """(title, text) of a page: one paragraph a block element, a blank line between them; nothing is executed."""
    collector = _Collector()
    collector.feed(page)
    collector.close()
    joined = _SPACES.sub(" ", "".join(collector.text).replace("\0", ""))
    text = _BLANK_LINES.sub("\n\n", joined).strip()
    return " ".join("".join(collector.title).split()), text
