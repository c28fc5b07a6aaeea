"""Lines of N-Triples and N-Quads, many at once: by a pattern, or through the parser as one text.

Both say that they cannot where a line needs a look of its own, and both give what the parser gives for each line alone.
"""

import re

import pyoxigraph as ox

from kgqa.graph.provenance import RESERVED

_SAFE = "A-Za-z0-9._~!$&'()*+,;=:@/-"
_IRI = rf"<([A-Za-z][A-Za-z0-9+.-]*:(?://[A-Za-z0-9.-]+(?=[/?#>])|(?!//))[{_SAFE}]*+(?:\?[{_SAFE}?]*+)?(?:#[{_SAFE}?]*+)?)>"
_STATEMENT = rf"^<(?!{'|'.join(map(re.escape, RESERVED))}){_IRI[1:]} {_IRI} {_IRI}"
_PLAIN = {
    ox.RdfFormat.N_TRIPLES: re.compile(rf"{_STATEMENT} ?\.\r?$", re.MULTILINE),
    ox.RdfFormat.N_QUADS: re.compile(rf"{_STATEMENT} (?:{_IRI} )?\.\r?$", re.MULTILINE),
}
"""A statement of three IRIs that is certainly valid, as most lines of most graphs are: the parser need not see it."""


def plain_statements(lines: list[bytes], form: ox.RdfFormat) -> list[tuple[str, ...]] | None:
    """The terms of each line, where all are statements of IRIs that need no second look."""
    data = b"".join(lines)
    found: list[tuple[str, ...]] = _PLAIN[form].findall(data.decode("ascii")) if data.isascii() else []
    return found if len(found) == len(lines) else None


def one_a_line(lines: list[bytes], form: ox.RdfFormat) -> list[ox.Quad] | None:
    """The statement of each line, parsed at once; None where any line is not just one, so that each is to be looked at.

    No line can hold two (the grammar ends a statement with its line), so that equal numbers say it all.
    """
    data = b"".join(lines).replace(b"\r\n", b"\n")
    if b"\0" in data or b"\r" in data:
        return None
    try:
        quads = list(ox.parse(data, form))
    except (SyntaxError, ValueError):
        return None
    return quads if len(quads) == len(lines) else None
