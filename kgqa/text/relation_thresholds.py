"""From what a trained relation reader says of held-back passages: its temperature, and each property's threshold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kgqa.text.mention_tags import Mentioned
from kgqa.text.relation_net import Floats, Ints
from kgqa.text.relation_reader import RelationReader, joining, pairs_of
from kgqa.text.relation_training import Example

_FEWEST = 8
"""Held-back facts of a property from which on it has a threshold of its own."""
_RARE_THRESHOLD = 0.5
_THRESHOLDS = np.arange(0.1, 0.9, 0.05)


@dataclass(slots=True)
class Judged:
    """What a reader made of held-back passages, for one property."""

    logits: list[float]
    right: list[bool]
    missed: int = 0
    """Facts of which no pair of mentions was looked at."""


def judge(reader: RelationReader, examples: Sequence[Example], allowed: npt.NDArray[np.bool_]) -> list[Judged]:
    """Every pair that the reader finds in the examples, by property: how sure it is, and whether it is right. Where
    facts join entities, of all pairs of mentions that name two of them the surest counts."""
    judged = [Judged([], []) for _ in reader.properties]
    for example in examples:
        (read,) = reader.mentions([example.tokens], [example.words])
        _, found = read
        pairs = pairs_of(found, joining(allowed, example.read_for))
        (logits,) = reader.logits([example.tokens], [read], [pairs])
        asked = np.zeros(len(judged), np.bool_)
        asked[list(example.read_for)] = True
        cells = [
            (pairs[row], int(column), float(logits[row, column]))
            for row, column in np.argwhere(allowed[_types(found, pairs)] & asked)
        ]
        (_judge_entities if example.entities else _judge_mentions)(example, found, cells, judged)
    return judged


Cell = tuple[tuple[int, int], int, float]
"""A pair of mentions, a property that may join them, and the reader's logit of it."""


def _types(found: Sequence[Mentioned], pairs: Sequence[tuple[int, int]]) -> tuple[Ints, Ints]:
    kinds = np.array([kind for _, _, kind in found], np.int64)
    table = np.array(pairs, np.int64).reshape(-1, 2)
    return kinds[table[:, 0]], kinds[table[:, 1]]


def _judge_mentions(example: Example, found: list[Mentioned], cells: Sequence[Cell], judged: list[Judged]) -> None:
    facts = [
        (column, example.mentions[one], example.mentions[other])
        for (one, other), columns in example.stated.items()
        for column in columns
    ]
    met: set[int] = set()
    for (one, other), column, logit in cells:
        hits = {
            place
            for place, fact in enumerate(facts)
            if fact[0] == column and _meet(fact[1], found[one]) and _meet(fact[2], found[other])
        }
        judged[column].logits.append(logit)
        judged[column].right.append(bool(hits))
        met |= hits
    for place, fact in enumerate(facts):
        judged[fact[0]].missed += place not in met


def _judge_entities(example: Example, found: list[Mentioned], cells: Sequence[Cell], judged: list[Judged]) -> None:
    named = [_entity(example, one) for one in found]
    surest: dict[tuple[int, int, int], float] = {}
    for place, ((one, other), column, logit) in enumerate(cells):
        head, tail = (-1 - place if end is None else end for end in (named[one], named[other]))
        if head != tail:
            surest[head, tail, column] = max(surest.get((head, tail, column), logit), logit)
    for fact, logit in surest.items():
        judged[fact[2]].logits.append(logit)
        judged[fact[2]].right.append(fact in example.facts)
    for fact in example.facts - surest.keys():
        judged[fact[2]].missed += 1


def _entity(example: Example, mention: Mentioned) -> int | None:
    """Whom a found mention names: the entity of the given one that it shares most tokens with."""
    shared = [min(one[1], mention[1]) - max(one[0], mention[0]) for one in example.mentions]
    best = int(np.argmax(shared)) if shared else 0
    return example.entities[best] if shared and shared[best] > 0 else None


def _meet(one: Mentioned, other: Mentioned) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def temperature_of(judged: Sequence[Judged]) -> float:
    """The temperature under which what was judged is likeliest (Guo et al. 2017)."""
    logits = np.array([value for one in judged for value in one.logits])
    right = np.array([value for one in judged for value in one.right], np.float64)
    if not len(logits):
        return 1.0

    def surprise(temperature: float) -> float:
        scaled = logits / temperature
        return float(np.mean(np.logaddexp(0, scaled) - right * scaled))

    return float(min(np.geomspace(0.5, 4.0, 61), key=surprise))


def thresholds_of(judged: Sequence[Judged], temperature: float) -> list[float]:
    """The probability from which each property's F1 is best; that of all together where it has few facts."""
    common = _best([one for one in judged if len(one.logits)], temperature)
    return [
        _best([one], temperature) if sum(one.right) + one.missed >= _FEWEST else max(common, _RARE_THRESHOLD)
        for one in judged
    ]


def _best(judged: Sequence[Judged], temperature: float) -> float:
    logits: Floats = np.array([value for one in judged for value in one.logits], np.float32)
    right = np.array([value for one in judged for value in one.right], np.bool_)
    facts = int(right.sum()) + sum(one.missed for one in judged)
    if not facts:
        return _RARE_THRESHOLD
    sure = 1 / (1 + np.exp(-logits / temperature))

    def f1(least: float) -> float:
        given = sure >= least
        return float(2 * (given & right).sum() / max(1, given.sum() + facts))

    return float(max(_THRESHOLDS, key=f1))


def by_property(names: Sequence[str], values: Sequence[float]) -> Mapping[str, float]:
    """For a log line."""
    return {name: round(value, 3) for name, value in zip(names, values, strict=True)}
