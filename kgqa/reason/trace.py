"""What the reasoner attended to, followed and remembered on the way, for people to look at."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch

from kgqa.memory.short_term import MemoryState
from kgqa.reason.examples import example
from kgqa.reason.instructions import Carried, Hop
from kgqa.reason.predict import Predictor
from kgqa.reason.priming import Remembered
from kgqa.reason.reasoner import Walks
from kgqa.types import Question

_MOST_RELATIONS = 4
_LEAST = 0.02
"""A relation of less weight, or an item of the memory, is not worth a word."""
_STILL = 0.9
"""Cosine with what was first in a slot from which it still stands for that: hops may write there too."""


class TracedHop(NamedTuple):
    """One hop of one walk."""

    attention: list[float]  # [L] over the tokens, sums to 1
    relations: list[tuple[str, bool, float]]
    """(text, walked from tail to head, weight), heaviest first."""
    ends: float
    """Probability that the walk ends here."""
    recalled: list[tuple[Remembered, float]]
    """(what, read weight) of the facts and passages of the long-term memory that were read before the hop, heaviest
    first."""
    memory: list[float]  # [N] usage of each slot after the hop, in [0, 1] with the allocator dnc


class Trace(NamedTuple):
    """One walk: a question from one of its topics."""

    tokens: list[str]
    hops: list[TracedHop]


def trace(predictor: Predictor, questions: Sequence[Question], *, batch_size: int = 64) -> Iterator[list[Trace]]:
    """For each question, its topics linked, a trace from each topic that the graph has; [] where it has none."""
    examples = [example(question, predictor.vocabulary) for question in questions]
    known = [number for number, one in enumerate(examples) if one.topics]
    found: dict[int, list[Trace]] = {number: [] for number in range(len(questions))}
    for start in range(0, len(known), batch_size):
        part = known[start : start + batch_size]
        walks = predictor.walks([examples[number] for number in part])
        steps: list[tuple[Carried, Hop, Carried]] = []

        def keep(module: Any, given: Any, result: tuple[Hop, Carried], steps: list[Any] = steps) -> None:
            steps.append((given[2], *result))

        hook = predictor.reasoner.instructions.register_forward_hook(keep)
        try:
            stops = predictor.instruct(walks).stops
        finally:
            hook.remove()
        recalled = _recalled(predictor, walks, [before.memory for before, _, _ in steps])
        for walk, question in enumerate(walks.question.tolist()):
            tokens = predictor.reasoner.token_encoder.pieces(walks.texts[walk])
            hops = [
                TracedHop(
                    hop.attention[walk, : len(tokens)].tolist(),
                    _heaviest(hop.relations[walk], predictor.relation_texts),
                    float(stops[t, walk]),
                    recalled[t][walk],
                    after.memory.usage[walk].tolist(),
                )
                for t, (_, hop, after) in enumerate(steps)
            ]
            found[part[question]].append(Trace(tokens, hops))
    yield from found.values()


def _recalled(
    predictor: Predictor, walks: Walks, memories: Sequence[MemoryState]
) -> list[list[list[tuple[Remembered, float]]]]:
    """For each hop and each of B walks what of the long-term memory was read before it."""
    if predictor.primer is None or walks.handed is None:
        return [[[] for _ in walks.texts] for _ in memories]
    ids = walks.handed.ids[walks.question]
    num_handed = ids.shape[1]
    known = predictor.primer.said(ids.numpy())
    first, found = memories[0].slots[:, :num_handed], []
    for memory in memories:
        is_still = torch.cosine_similarity(memory.slots[:, :num_handed], first, dim=-1) >= _STILL
        weights = memory.read_weights.mean(1)[:, :num_handed] * (is_still & (ids >= 0))
        rows = zip(ids.tolist(), weights.tolist(), strict=True)
        found.append([_read_from(row, weight, known) for row, weight in rows])
    return found


def _read_from(ids: list[int], weights: list[float], known: Mapping[int, Remembered]) -> list[tuple[Remembered, float]]:
    pairs = sorted(zip(ids, weights, strict=True), key=lambda pair: -pair[1])
    return [(known[key], weight) for key, weight in pairs if weight >= _LEAST]


def _heaviest(weights: torch.Tensor, texts: Sequence[str]) -> list[tuple[str, bool, float]]:
    """The relations of most weight, of `[2R]`."""
    values, places = weights.topk(min(_MOST_RELATIONS, len(weights)))
    pairs = zip(values.tolist(), places.tolist(), strict=True)
    return [(texts[place % len(texts)], place >= len(texts), weight) for weight, place in pairs if weight >= _LEAST]
