"""Evidence as a picture: topics left, answers right, a column a step, an arrow a fact.

Entities are laid out by how far they are from the answer, so that several paths into one answer meet there; within a
column they are ordered by what they lead to, which leaves few crossings.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Step = dict[str, Any]
"""A step of a path in answers.jsonl."""

NODE_WIDTH, NODE_HEIGHT, GAP, ROW = 172, 28, 140, 44
"""Pixels: of a node, between two columns (relation texts stand there), from one row to the next."""

_MARGIN = 8
_NODE_LABEL, _ARROW_LABEL = 24, 20
"""Characters that fit into a node, and between two columns."""

_ASIDE = 0.68
"""How far along its arrow a label stands where many arrows leave from one end: nearer to the other."""

Place = tuple[str, int]
"""A term in a column; an entity that a walk comes to twice stands in two columns."""


@dataclass(frozen=True, slots=True)
class Node:
    """An entity as drawn; x and y are its left upper corner."""

    text: str
    label: str
    x: int
    y: int
    role: str
    """topic, answer or step."""


@dataclass(frozen=True, slots=True)
class Arrow:
    """A fact as drawn: a curve from the left column to the right one, its label around (x, y); `back`: its head stands
    left.
    """

    path: str
    label: str
    x: int
    y: int
    back: bool


@dataclass(frozen=True, slots=True)
class Picture:
    """What the template draws."""

    width: int
    height: int
    nodes: list[Node]
    arrows: list[Arrow]


def draw(paths: Sequence[Sequence[Step]], numbers: dict[tuple[str, str, str], int]) -> Picture:
    """The picture of at least one path of at least one step; `numbers`: those of the facts, by triple."""
    num_columns = max(map(len, paths)) + 1
    texts, roles = _nodes(paths, num_columns)
    edges = {
        (_place(path, i, num_columns), _place(path, i + 1, num_columns), step["relation"], step["inverse"]): step
        for path in paths
        for i, step in enumerate(path)
    }
    rows = _rows(texts, [(source, target) for source, target, *_ in edges], num_columns)
    leaving, arriving = (Counter(edge[end] for edge in edges) for end in (0, 1))
    tallest = max(sum(column == place[1] for place in rows) for column in range(num_columns))
    corner = {
        (term, column): (
            _MARGIN + column * (NODE_WIDTH + GAP),
            _MARGIN + round((row + (tallest - sum(place[1] == column for place in rows)) / 2) * ROW),
        )
        for (term, column), row in rows.items()
    }
    return Picture(
        width=2 * _MARGIN + num_columns * NODE_WIDTH + (num_columns - 1) * GAP,
        height=2 * _MARGIN + (tallest - 1) * ROW + NODE_HEIGHT,
        nodes=[Node(texts[p], _shortened(texts[p], _NODE_LABEL), *corner[p], roles[p]) for p in texts],
        arrows=[
            _arrow(
                corner[source],
                corner[target],
                f"{numbers[step['head'], step['relation'], step['tail']]} {step['relation_text']}",
                back=inverse,
                along=_along(leaving[source], arriving[target]),
            )
            for (source, target, _, inverse), step in edges.items()
        ],
    )


def walked(step: Step) -> tuple[str, str, str, str]:
    """The terms and the texts of a step's ends in the order they were walked: from, to, their texts."""
    ends = ("tail", "head") if step["inverse"] else ("head", "tail")
    return step[ends[0]], step[ends[1]], step[f"{ends[0]}_text"], step[f"{ends[1]}_text"]


def _place(path: Sequence[Step], position: int, num_columns: int) -> Place:
    """Where the entity at a position of a path stands; all paths end in the last column."""
    term = walked(path[0])[0] if position == 0 else walked(path[position - 1])[1]
    return term, num_columns - 1 - (len(path) - position)


def _nodes(paths: Sequence[Sequence[Step]], num_columns: int) -> tuple[dict[Place, str], dict[Place, str]]:
    """The texts of all places and their roles."""
    texts: dict[Place, str] = {}
    roles: dict[Place, str] = {}
    for path in paths:
        for position in range(len(path) + 1):
            place = _place(path, position, num_columns)
            texts[place] = walked(path[0])[2] if position == 0 else walked(path[position - 1])[3]
            role = "topic" if position == 0 else "answer" if position == len(path) else "step"
            roles[place] = role if roles.get(place, "step") == "step" else roles[place]
    return texts, roles


def _rows(texts: dict[Place, str], edges: Sequence[tuple[Place, Place]], num_columns: int) -> dict[Place, int]:
    """The row of each place in its column: answers as they are ranked, others by the mean row of what they lead to."""
    leads_to = defaultdict(list)
    for source, target in edges:
        leads_to[source].append(target)
    rows: dict[Place, int] = {}
    for column in reversed(range(num_columns)):
        here = [place for place in texts if place[1] == column]
        if column < num_columns - 1:
            here.sort(key=lambda place: sum(rows[to] for to in leads_to[place]) / max(len(leads_to[place]), 1))
        rows |= {place: row for row, place in enumerate(here)}
    return rows


def _along(num_leaving: int, num_arriving: int) -> float:
    """Where on an arrow its label has most room, from 0 (left) to 1."""
    return 0.5 if num_leaving == num_arriving else _ASIDE if num_leaving > num_arriving else 1 - _ASIDE


def _arrow(source: tuple[int, int], target: tuple[int, int], label: str, *, back: bool, along: float) -> Arrow:
    """A Bézier curve between two nodes that leaves and arrives level, with its label upon it."""
    x1, y1 = source[0] + NODE_WIDTH, source[1] + NODE_HEIGHT // 2
    x2, y2 = target[0], target[1] + NODE_HEIGHT // 2
    middle = (x1 + x2) // 2
    path = f"M{x1} {y1}C{middle} {y1} {middle} {y2} {x2} {y2}"
    across = along**3 + 1.5 * along * (1 - along)  # the curve's x and y at `along`, both from 0 to 1
    down = along**2 * (3 - 2 * along)
    x, y = x1 + across * (x2 - x1), y1 + down * (y2 - y1)
    return Arrow(path, _shortened(label, _ARROW_LABEL), round(x), round(y + 4), back)


def _shortened(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"
