"""Entities for what no name explains: the nearest by their vectors, where they mean or are spelled nearly the same."""

from collections.abc import Sequence
from math import exp

from rapidfuzz.distance import OSA

from kgqa.answer.names import key_of
from kgqa.errors import StoreError
from kgqa.memory.embedder import Embedder
from kgqa.memory.long_term import LongTermMemory
from kgqa.types import Candidate

NUM_LOOKED_AT = 20
"""Nearest vectors of which the likely ones are taken: with two slips a name is seldom the first."""
_NUM_CANDIDATES = 5
SPELLED_ALIKE = 0.8
"""Share of letters that stay as they are from which a name is believed to be meant (docs/benchmarks.md, embedders)."""
_SHARPNESS = 50.0
"""Of two names one that is more alike by 0.02 is e times as likely."""


def likeness(text: str, name: str, cosine: float, *, least: float) -> float:
    """The greater of a cosine and of how alike text and name are spelled, both at most 1; 0 where the one is below
    `least` and the other below `SPELLED_ALIKE`."""
    spelled = OSA.normalized_similarity(key_of(text), key_of(name))
    return max(cosine, spelled) if cosine >= least or spelled >= SPELLED_ALIKE else 0.0


class NearestNames:
    """Finds them in a memory of entity vectors, which stays the caller's."""

    def __init__(self, memory: LongTermMemory, embedder: Embedder, least: float | None = None) -> None:
        """least: cosine from which a name is believed to be meant; None: what the embedder says of itself. Raises
        StoreError when the memory's vectors are another embedder's."""
        if len(memory) and memory.refs.embedder != embedder.name:
            raise StoreError(
                f"{memory.directory} was indexed with embedder {memory.refs.embedder!r}, given is {embedder.name!r}; "
                "choose that embedder, or run pipelines/index.py"
            )
        self._memory, self.embedder = memory, embedder
        self._least = embedder.same_from if least is None else least

    def candidates(self, texts: Sequence[str]) -> list[tuple[Candidate, ...]]:
        """For each text the entities that it may name, likeliest first; all texts in one call of the encoder."""
        if not texts or not len(self._memory):
            return [()] * len(texts)
        scores, ids = self._memory.search(self.embedder.embed(texts), NUM_LOOKED_AT)
        items = [self._memory.items(row[row >= 0]) for row in ids]
        return [
            self._believed(text, [(name, term, cosine) for (term, name), cosine in zip(near, row, strict=False)])
            for text, near, row in zip(texts, items, scores.tolist(), strict=True)
        ]

    def _believed(self, text: str, near: Sequence[tuple[str, str, float]]) -> tuple[Candidate, ...]:
        alike = [(likeness(text, name, cosine, least=self._least), name, term) for name, term, cosine in near]
        best = sorted((one for one in alike if one[0] > 0), key=lambda one: -one[0])[:_NUM_CANDIDATES]
        weights = [exp(_SHARPNESS * (one[0] - best[0][0])) for one in best]
        return tuple(
            Candidate(name, term, weight / sum(weights)) for (_, name, term), weight in zip(best, weights, strict=True)
        )
