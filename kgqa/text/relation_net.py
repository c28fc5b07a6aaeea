"""The network that reads mentions and relations, in numpy: T tokens in, tag scores and pair scores out.

Encoder: word-piece vectors, the pipeline's own tok2vec row, shape, tag and arc of each token; a linear layer, then
blocks of convolutions of width three whose dilation grows, each with a residual. Mentions are tagged over it. A pair of
mentions is its two ends (first, last and mean token), what stands between them, their types, distance and order; it
attends to all tokens of the passage, and a layer more scores every property. Trained by relation_training.py in torch.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

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


class RelationNet:
    """The trained network; a pure function of its input, so that a passage reads the same in any company."""

    def __init__(self, weights: Mapping[str, npt.NDArray[np.floating]]) -> None:
        self._w = {name: np.ascontiguousarray(value, np.float32) for name, value in weights.items()}
        embedded = sum(self._w[f"classes.{place}.weight"].shape[1] for place in range(3))
        self.width = self._w["input.weight"].shape[1] - embedded
        """Of a token's vector."""

    def encode(self, tokens: Tokens) -> Floats:
        """[T, hidden]."""
        w = self._w
        embedded = [w[f"classes.{place}.weight"][tokens.classes[:, place]] for place in range(3)]
        x = _relu(self._norm("input_norm", self._linear("input", np.concatenate([tokens.vectors, *embedded], axis=1))))
        for number, dilation in enumerate(DILATIONS):
            y = self._norm(f"blocks.{number}.norm", x)
            before, after = np.zeros_like(y), np.zeros_like(y)
            before[dilation:], after[:-dilation] = y[:-dilation], y[dilation:]
            x = x + _relu(self._linear(f"blocks.{number}.mix", np.concatenate([before, y, after], axis=1)))
        return self._norm("output_norm", x)

    def tag_scores(self, hidden: Floats) -> Floats:
        """[T, tags], before any softmax."""
        return self._linear("tags", hidden)

    def pair_scores(self, hidden: Floats, tokens: Tokens, ends: Ends, pairs: Ints) -> Floats:
        """[P, properties], before the sigmoid. `pairs`: [P, 2], head and tail among the mentions."""
        w, one, other = self._w, pairs[:, 0], pairs[:, 1]
        sums = np.zeros((len(hidden) + 1, hidden.shape[1]), np.float32)
        np.cumsum(hidden, axis=0, out=sums[1:])
        means = (sums[ends.ends] - sums[ends.starts]) / (ends.ends - ends.starts)[:, None]
        mentions = np.concatenate([hidden[ends.starts], hidden[ends.ends - 1], means], axis=1)
        start, end = gap((ends.starts[one], ends.ends[one]), (ends.starts[other], ends.ends[other]))
        between = (sums[end] - sums[start]) / np.maximum(end - start, 1)[:, None]
        apart = np.abs(tokens.sentences[ends.starts[one]] - tokens.sentences[ends.starts[other]])
        types = len(w["types.weight"])
        z = self._linear("head", mentions)[one] + self._linear("tail", mentions)[other]
        z += self._linear("between", between)
        z += w["types.weight"][ends.types[one] * round(types**0.5) + ends.types[other]]
        z += w["distance.weight"][distance_bucket(end - start, ends.starts[one] < ends.starts[other])]
        z += w["sentences.weight"][np.minimum(apart, MOST_SENTENCES)]
        z += self._attended(z, hidden)
        z = _relu(self._norm("pair_norm", z))
        return self._linear("properties", z + _relu(self._linear("pair", z)))

    def _attended(self, pairs: Floats, hidden: Floats) -> Floats:
        queries = self._linear("query", _relu(pairs))
        keys, values = self._linear("key", hidden), self._linear("value", hidden)
        width = queries.shape[1] // HEADS
        result = np.empty_like(queries)
        for part in (slice(head * width, (head + 1) * width) for head in range(HEADS)):
            scores = queries[:, part] @ keys[:, part].T / np.float32(width**0.5)
            scores = np.exp(scores - scores.max(axis=1, keepdims=True))
            result[:, part] = scores @ values[:, part] / scores.sum(axis=1, keepdims=True)
        return result

    def _linear(self, name: str, x: Floats) -> Floats:
        result: Floats = x @ self._w[f"{name}.weight"].T + self._w[f"{name}.bias"]
        return result

    def _norm(self, name: str, x: Floats) -> Floats:
        centred = x - x.mean(axis=1, keepdims=True)
        variance = (centred * centred).mean(axis=1, keepdims=True)
        result: Floats = centred / np.sqrt(variance + 1e-5) * self._w[f"{name}.weight"] + self._w[f"{name}.bias"]
        return result


def _relu(x: Floats) -> Floats:
    return np.maximum(x, 0)
