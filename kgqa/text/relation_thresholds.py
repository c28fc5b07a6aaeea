"""From what a trained relation reader says of held-back passages: its temperature, and each property's threshold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kgqa.text import mention_tags
from kgqa.text.mention_tags import Mentioned
from kgqa.text.relation_net import Floats
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
    """Every pair that the reader finds in the examples, by property: how sure it is, and whether it is right."""
    judged = [Judged([], []) for _ in reader.properties]
    for example in examples:
        hidden = reader.net.encode(example.tokens)
        found = mention_tags.read(reader.net.tag_scores(hidden), example.words)
        pairs = pairs_of(found, joining(allowed, example.read_for))
        facts = [
            (column, example.mentions[one], example.mentions[other])
            for (one, other), columns in example.stated.items()
            for column in columns
        ]
        logits = reader.logits(hidden, example.tokens, found, pairs) if pairs else np.zeros((0, len(judged)))
        met: set[int] = set()
        for (one, other), row in zip(pairs, logits, strict=True):
            for column in example.read_for:
                if allowed[found[one][2], found[other][2], column]:
                    hits = {
                        place
                        for place, fact in enumerate(facts)
                        if fact[0] == column and _meet(fact[1], found[one]) and _meet(fact[2], found[other])
                    }
                    judged[column].logits.append(float(row[column]))
                    judged[column].right.append(bool(hits))
                    met |= hits
        for place, fact in enumerate(facts):
            judged[fact[0]].missed += place not in met
    return judged


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
