"""What the reasoner attended to, followed and remembered on the way, for people to look at."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch

from kgqa.reason.examples import collate, example
from kgqa.reason.instructions import Carried, Hop
from kgqa.reason.predict import Predictor
from kgqa.types import Question

_MOST_RELATIONS = 4
_LEAST = 0.02
"""A relation of less weight is not worth a word."""


class TracedHop(NamedTuple):
    """One hop of one walk."""

    attention: list[float]  # [L] over the tokens, sums to 1
    relations: list[tuple[str, bool, float]]
    """(text, walked from tail to head, weight), heaviest first."""
    ends: float
    """Probability that the walk ends here."""
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
        walks = collate([examples[number] for number in part]).walks
        steps: list[tuple[Hop, Carried]] = []

        def keep(module: Any, given: Any, result: tuple[Hop, Carried], steps: list[Any] = steps) -> None:
            steps.append(result)

        hook = predictor.reasoner.instructions.register_forward_hook(keep)
        try:
            stops = predictor.instruct(walks).stops
        finally:
            hook.remove()
        for walk, question in enumerate(walks.question.tolist()):
            tokens = predictor.reasoner.token_encoder.pieces(walks.texts[walk])
            hops = [
                TracedHop(
                    hop.attention[walk, : len(tokens)].tolist(),
                    _heaviest(hop.relations[walk], predictor.relation_texts),
                    float(stops[t, walk]),
                    carried.memory.usage[walk].tolist(),
                )
                for t, (hop, carried) in enumerate(steps)
            ]
            found[part[question]].append(Trace(tokens, hops))
    yield from found.values()


def _heaviest(weights: torch.Tensor, texts: Sequence[str]) -> list[tuple[str, bool, float]]:
    """The relations of most weight, of `[2R]`."""
    values, places = weights.topk(min(_MOST_RELATIONS, len(weights)))
    pairs = zip(values.tolist(), places.tolist(), strict=True)
    return [(texts[place % len(texts)], place >= len(texts), weight) for weight, place in pairs if weight >= _LEAST]
