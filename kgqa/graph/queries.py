"""Every SPARQL text of kgqa, by name. Terms come in through `kgqa.graph.terms.token` and through nothing else.

All queries name their graph: reasoning is over `urn:kgqa:asserted`, where each fact stands once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count

from kgqa.graph.terms import token
from kgqa.ids import ASSERTED

NAMES = "urn:kgqa:names"
"""The graph of what nodes and relations are called: rdfs:label the one name, skos:altLabel the others."""
LABEL = "http://www.w3.org/2000/01/rdf-schema#label"
ALT_LABEL = "http://www.w3.org/2004/02/skos/core#altLabel"

Choice = tuple[str, bool]
"""(relation term, whether it is walked from tail to head)."""


@dataclass(frozen=True)
class PathBranch:
    """One condition on the answer: it is reached from one of `topics` by these hops."""

    topics: Sequence[str]
    """The entities that one mention may stand for."""
    hops: Sequence[Sequence[Choice]]
    """Per hop, the relations any of which may be walked."""
    excluded: Sequence[Sequence[int]] = field(default=())
    """Per hop, the earlier steps (0 = topic) whose whole set of entities is taken out after it; may be shorter."""


def path_query(branches: Sequence[PathBranch]) -> str:
    """SELECT DISTINCT ?answer: the terms that every branch reaches, exactly.

    Each hop is a DISTINCT subquery, since a bag of paths grows with the product of the hops' fan-outs. An exclusion
    takes away a set (MINUS), as the reasoner does: a path that runs through an excluded entity is not cut for that.
    """
    fresh = (f"v{number}" for number in count())
    groups = "\n".join(_reached(branch, len(branch.hops), "answer", fresh) for branch in branches)
    return f"SELECT DISTINCT ?answer WHERE {{ GRAPH <{ASSERTED}> {{\n{groups}\n}} }}"


def _reached(branch: PathBranch, step: int, variable: str, fresh: Iterator[str]) -> str:
    """A group that binds `variable` to each entity of the set after hop `step`, once."""
    if step == 0:
        return f"{{ VALUES ?{variable} {{ {' '.join(map(token, branch.topics))} }} }}"
    before = next(fresh)
    walked = " UNION ".join(_walk(choice, before, variable) for choice in branch.hops[step - 1])
    out = branch.excluded[step - 1] if step <= len(branch.excluded) else ()
    minus = " ".join(f"MINUS {{ {_reached(branch, earlier, variable, fresh)} }}" for earlier in out)
    inner = _reached(branch, step - 1, before, fresh)
    return f"{{ SELECT DISTINCT ?{variable} WHERE {{ {inner} {walked} {minus} }} }}"


def _walk(choice: Choice, before: str, after: str) -> str:
    relation, inverse = choice
    head, tail = (after, before) if inverse else (before, after)
    return f"{{ ?{head} {token(relation)} ?{tail} }}"
