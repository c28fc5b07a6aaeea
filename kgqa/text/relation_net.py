"""The network that reads mentions and relations, in numpy: passages of T tokens in, tag scores and pair scores out.

Encoder: word-piece vectors, the pipeline's own tok2vec row, shape, tag and arc of each token; a linear layer, then
blocks of convolutions of width three whose dilation grows, each with a residual. Mentions are tagged over it. A pair of
mentions is its two ends (first, last and mean token), what stands between them, their types, distance and order; it
attends to all tokens of the passage, and a layer more scores every property. Trained by relation_training.py in torch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from thinc.api import NumpyOps

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

DILATIONS = (1, 1, 2, 4)
HEADS = 4
"""Of the attention of pairs to tokens."""
FARTHEST = 40
"""Tokens between two mentions, from which on all distances are alike."""
DISTANCES = 12
"""Buckets of distance, in each of the two orders."""
MOST_SENTENCES = 4
"""Sentences apart, from which on all are alike."""
_OPS = NumpyOps()
"""Its products (BLIS) give a row the same bits whatever rows are beside it; those of numpy's usual library do not, and
are three times as fast."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """A passage of T tokens as the network sees it."""

    vectors: Floats
    """[T, width]: word-piece vectors beside tok2vec rows."""
    classes: Ints
    """[T, 3]: shape, tag and arc."""
    sentences: Ints
    """[T]: the number of each token's sentence."""


@dataclass(frozen=True, slots=True)
class Ends:
    """M mentions of a passage."""

    starts: Ints
    ends: Ints
    """Exclusive."""
    types: Ints


def distance_bucket(between: Ints, forward: npt.NDArray[np.bool_]) -> Ints:
    """[P] tokens between, whether the head comes first -> [P] buckets in [0, 2 * DISTANCES)."""
    size = np.log2(np.minimum(between, FARTHEST).astype(np.float32) + 1) * 2
    return np.minimum(size.astype(np.int64), DISTANCES - 1) + DISTANCES * forward.astype(np.int64)


def gap(one: tuple[Ints, Ints], other: tuple[Ints, Ints]) -> tuple[Ints, Ints]:
    """The tokens [start, end) between the mentions of each pair; empty where they touch or overlap."""
    start = np.minimum(one[1], other[1])
    return start, np.maximum(start, np.maximum(one[0], other[0]))


@dataclass(frozen=True, slots=True)
class Asked:
    """A passage whose pairs are to be scored."""

    hidden: Floats
    """[T, hidden], of `RelationNet.encode`."""
    tokens: Tokens
    ends: Ends
    pairs: Ints
    """[P, 2], head and tail among the mentions."""


class RelationNet:
    """The trained network; a pure function of each passage, so that one reads the same in any company. Several are read
    at once because few large matrix products take less time than many small ones."""

    def __init__(self, weights: Mapping[str, npt.NDArray[np.floating]]) -> None:
        self._w = {name: np.ascontiguousarray(value, np.float32) for name, value in weights.items()}
        embedded = sum(self._w[f"classes.{place}.weight"].shape[1] for place in range(3))
        self.width = self._w["input.weight"].shape[1] - embedded
        """Of a token's vector."""

    def encode(self, passages: Sequence[Tokens]) -> list[Floats]:
        """[T, hidden] of each."""
        w, sizes = self._w, [len(one.vectors) for one in passages]
        classes = np.concatenate([one.classes for one in passages])
        embedded = [w[f"classes.{place}.weight"][classes[:, place]] for place in range(3)]
        vectors = np.concatenate([one.vectors for one in passages])
        x = _relu(self._norm("input_norm", self._linear("input", np.concatenate([vectors, *embedded], axis=1))))
        home = np.repeat(np.arange(len(sizes)), sizes)
        for number, dilation in enumerate(DILATIONS):
            y = self._norm(f"blocks.{number}.norm", x)
            before, after = np.zeros_like(y), np.zeros_like(y)
            same = (home[dilation:] == home[:-dilation])[:, None]
            before[dilation:], after[:-dilation] = y[:-dilation] * same, y[dilation:] * same
            x = x + _relu(self._linear(f"blocks.{number}.mix", np.concatenate([before, y, after], axis=1)))
        return _parted(self._norm("output_norm", x), sizes)

    def tag_scores(self, hidden: Sequence[Floats]) -> list[Floats]:
        """[T, tags] of each passage, before any softmax."""
        return _parted(self._linear("tags", np.concatenate(hidden)), [len(one) for one in hidden])

    def pair_scores(self, passages: Sequence[Asked]) -> list[Floats]:
        """[P, properties] of each passage, before the sigmoid."""
        sizes = [len(one.pairs) for one in passages]
        places = np.cumsum([0, *(len(one.ends.starts) for one in passages)])
        pairs = np.concatenate([one.pairs + place for one, place in zip(passages, places, strict=False)])
        mentions, between = (np.concatenate(part) for part in zip(*map(_means, passages), strict=True))
        z = self._linear("head", mentions)[pairs[:, 0]] + self._linear("tail", mentions)[pairs[:, 1]]
        z += self._linear("between", between)
        z += np.concatenate([self._told(one) for one in passages])
        z += self._attended(z, passages, sizes)
        z = _relu(self._norm("pair_norm", z))
        return _parted(self._linear("properties", z + _relu(self._linear("pair", z))), sizes)

    def _told(self, asked: Asked) -> Floats:
        """[P, hidden]: what types, distance and order of its pairs add."""
        w, ends, (one, other) = self._w, asked.ends, asked.pairs.T
        start, end = gap((ends.starts[one], ends.ends[one]), (ends.starts[other], ends.ends[other]))
        sentences = asked.tokens.sentences[ends.starts]
        apart = np.minimum(np.abs(sentences[one] - sentences[other]), MOST_SENTENCES)
        types = w["types.weight"][ends.types[one] * round(len(w["types.weight"]) ** 0.5) + ends.types[other]]
        distance = w["distance.weight"][distance_bucket(end - start, ends.starts[one] < ends.starts[other])]
        told: Floats = types + distance + w["sentences.weight"][apart]
        return told

    def _attended(self, pairs: Floats, passages: Sequence[Asked], sizes: Sequence[int]) -> Floats:
        hidden = np.concatenate([one.hidden for one in passages])
        lengths = [len(one.hidden) for one in passages]
        queries = _parted(self._linear("query", _relu(pairs)), sizes)
        keys, values = (_parted(self._linear(name, hidden), lengths) for name in ("key", "value"))
        return np.concatenate([_attention(*one) for one in zip(queries, keys, values, strict=True)])

    def _linear(self, name: str, x: Floats) -> Floats:
        result: Floats = _OPS.gemm(np.ascontiguousarray(x), self._w[f"{name}.weight"], trans2=True)
        return result + self._w[f"{name}.bias"]

    def _norm(self, name: str, x: Floats) -> Floats:
        centred = x - x.mean(axis=1, keepdims=True)
        variance = (centred * centred).mean(axis=1, keepdims=True)
        result: Floats = centred / np.sqrt(variance + 1e-5) * self._w[f"{name}.weight"] + self._w[f"{name}.bias"]
        return result


def _relu(x: Floats) -> Floats:
    return np.maximum(x, 0)


def _parted(rows: Floats, sizes: Sequence[int]) -> list[Floats]:
    return np.split(rows, np.cumsum(sizes)[:-1])


def _means(asked: Asked) -> tuple[Floats, Floats]:
    """[M, 3 * hidden]: first, last and mean token of each mention; [P, hidden]: the mean of what stands between."""
    hidden, ends, (one, other) = asked.hidden, asked.ends, asked.pairs.T
    sums = np.zeros((len(hidden) + 1, hidden.shape[1]), np.float32)
    np.cumsum(hidden, axis=0, out=sums[1:])
    means = (sums[ends.ends] - sums[ends.starts]) / (ends.ends - ends.starts)[:, None]
    start, end = gap((ends.starts[one], ends.ends[one]), (ends.starts[other], ends.ends[other]))
    between = (sums[end] - sums[start]) / np.maximum(end - start, 1)[:, None]
    mentions = np.concatenate([hidden[ends.starts], hidden[ends.ends - 1], means], axis=1)
    return mentions.astype(np.float32), between.astype(np.float32)


def _attention(queries: Floats, keys: Floats, values: Floats) -> Floats:
    """[P, hidden]: what each pair of one passage attends to there."""
    width = queries.shape[1] // HEADS
    result = np.empty_like(queries)
    for part in (slice(head * width, (head + 1) * width) for head in range(HEADS)):
        scores = queries[:, part] @ keys[:, part].T / np.float32(width**0.5)
        scores = np.exp(scores - scores.max(axis=1, keepdims=True))
        result[:, part] = scores @ values[:, part] / scores.sum(axis=1, keepdims=True)
    return result
