"""A spaCy component that reads relations between pairs of mentions: `doc._.relations` and `doc.spans["mentions"]`.

It comes last in the shipped pipeline and uses what that has computed: tok2vec rows, tags, arcs, sentences. The weights
lie beside the pipeline (models/relations) and are made by `python -m pipelines.train_extractor`.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file
from spacy.language import Language
from spacy.tokens import Doc, Span

from kgqa.errors import ModelError
from kgqa.text import mention_tags
from kgqa.text.mention_tags import Mentioned
from kgqa.text.relation_net import Asked, Ends, Floats, RelationNet, Tokens
from kgqa.text.wordpieces import PieceVectors

NAME = "kgqa_relations"
SHIPPED = Path(__file__).parent / "models" / "relations"
REACH = 60
"""Tokens from the start of one mention to the start of another beyond which no relation is looked for."""
BATCH_TOKENS = 3000
"""Of the documents that are read at once."""
MOST_TOKENS = 600
"""Longer passages are read in parts of about this size, at the ends of sentences: pairs grow with the square."""


Related = tuple[str, int, int, float]
"""A property, its head and its tail among the mentions, and a probability."""


@dataclass(frozen=True, slots=True)
class Read:
    """A relation between two mentions of a document."""

    property_id: str
    """A Wikidata property: P19."""
    head: Span
    tail: Span
    probability: float


def shape_of(word: str) -> int:
    """One of nine: lower, Capitalised, UPPER, MiXed, a year, digits, with digits, other letters, none."""
    tests = (
        word.islower(), word.istitle(), word.isupper(), word[:1].isupper(), word.isdigit() and len(word) == 4,
        word.isdigit(), any(char.isdigit() for char in word), word.isalpha(),
    )  # fmt: skip
    return next((place for place, holds in enumerate(tests) if holds), len(tests))


class Features:
    """What the network sees of a document; the same in training and in use. `tags`, `arcs`: the known ones."""

    def __init__(self, pieces: PieceVectors, tags: list[str], arcs: list[str]) -> None:
        self.pieces = pieces
        self._tags = {tag: place for place, tag in enumerate(tags, 1)}
        self._arcs = {arc: place for place, arc in enumerate(arcs, 1)}

    def __call__(self, doc: Doc) -> Tokens:
        """The tokens of `doc`, whose `tensor` is that of the shipped pipeline."""
        rows = self.pieces.rows([token.text for token in doc])
        classes = [
            (shape_of(token.text), self._tags.get(token.tag_, 0), self._arcs.get(token.dep_, 0)) for token in doc
        ]
        starts = np.array([token.is_sent_start == 1 for token in doc], np.int64)
        return Tokens(
            np.concatenate([rows, np.asarray(doc.tensor, np.float32)], axis=1),
            np.array(classes, np.int64).reshape(-1, 3),
            np.cumsum(starts),
        )


def pairs_of(mentions: list[Mentioned], allowed: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """The ordered pairs of mentions that may be related: near enough, and of types that some property joins.

    `allowed`: [types, types], head and tail.
    """
    return [
        (one, other)
        for one, other in permutations(range(len(mentions)), 2)
        if abs(mentions[one][0] - mentions[other][0]) < REACH and allowed[mentions[one][2], mentions[other][2]]
    ]


class RelationReader:
    """Reads the relations of documents; made once, shared by all that read with the same weights."""

    def __init__(self, folder: Path) -> None:
        try:
            labels = json.loads((folder / "labels.json").read_text("utf-8"))
            weights = load_file(folder / "weights.safetensors")
            pieces = (folder / "pieces.txt").read_text("utf-8").split("\n")
        except (OSError, ValueError) as error:
            raise ModelError(
                f"{folder} holds no relation reader ({error}); train one with python -m pipelines.train_extractor, or "
                "leave the classifier out with extract.sources=[patterns]"
            ) from error
        vectors = PieceVectors(pieces, weights.pop("pieces.table"), weights.pop("pieces.scale"))
        self.features = Features(vectors, labels["tags"], labels["arcs"])
        self.net = RelationNet(weights)
        self.properties: list[str] = [entry["id"] for entry in labels["properties"]]
        self._least = np.array([entry["threshold"] for entry in labels["properties"]], np.float32)
        self._joins = joins([entry["ends"] for entry in labels["properties"]])
        self._related = joining(self._joins)
        self._temperature = float(labels["temperature"])

    def fits(self, doc: Doc) -> bool:
        """Whether the pipeline that made `doc` gives rows of the width that was trained with."""
        width = doc.tensor.shape[1] if doc.tensor.ndim == 2 else 0
        return bool(self.features.pieces.width + width == self.net.width)

    def __call__(self, doc: Doc) -> Doc:
        """Sets `doc._.relations`, a list of Read, and `doc.spans["mentions"]`."""
        return next(self.pipe([doc]))

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 0) -> Iterator[Doc]:
        """The documents, read until they have BATCH_TOKENS at a time, whatever spaCy's `batch_size`: that counts
        documents, and these differ in length."""
        batch: list[Doc] = []
        for doc in stream:
            batch.append(doc)
            if sum(map(len, batch)) >= BATCH_TOKENS:
                yield from self._annotated(batch)
                batch = []
        yield from self._annotated(batch)

    def _annotated(self, docs: Sequence[Doc]) -> Sequence[Doc]:
        parts = [(doc, start, end) for doc in docs for start, end in _parts(doc)]
        for doc in docs:
            doc.spans["mentions"], doc._.relations = [], []
        read = self._read([doc if end - start == len(doc) else doc[start:end].as_doc() for doc, start, end in parts])
        for (doc, start, _), (found, related) in zip(parts, read, strict=True):
            moved = [Span(doc, start + one, start + other, _label(kind)) for one, other, kind in found]
            doc.spans["mentions"].extend(moved)
            doc._.relations += [Read(name, moved[one], moved[other], sure) for name, one, other, sure in related]
        return docs

    def _read(self, docs: Sequence[Doc]) -> list[tuple[list[Mentioned], list[Related]]]:
        if not docs:
            return []
        tokens = [self.features(doc) for doc in docs]
        found = self.mentions(tokens, [[token.text for token in doc] for doc in docs])
        asked = [pairs_of(mentions, self._related) for _, mentions in found]
        return [
            (mentions, self._stated(mentions, pairs, logits))
            for (_, mentions), pairs, logits in zip(found, asked, self.logits(tokens, found, asked), strict=True)
        ]

    def _stated(self, mentions: list[Mentioned], pairs: list[tuple[int, int]], logits: Floats) -> list[Related]:
        if not pairs:
            return []
        sure = 1 / (1 + np.exp(-logits / np.float32(self._temperature)))  # calibrated by one temperature for all
        heads, tails = (np.array([mentions[pair[end]][2] for pair in pairs]) for end in (0, 1))
        stated = (sure >= self._least) & self._joins[heads, tails]
        return [(self.properties[column], *pairs[row], float(sure[row, column])) for row, column in np.argwhere(stated)]

    def mentions(
        self, tokens: Sequence[Tokens], words: Sequence[Sequence[str]]
    ) -> list[tuple[Floats, list[Mentioned]]]:
        """Each passage's hidden states, and the mentions in it."""
        hidden = self.net.encode(tokens)
        tags = self.net.tag_scores(hidden)
        return [
            (states, mention_tags.read(scores, some)) for states, scores, some in zip(hidden, tags, words, strict=True)
        ]

    def logits(
        self,
        tokens: Sequence[Tokens],
        found: Sequence[tuple[Floats, list[Mentioned]]],
        pairs: Sequence[list[tuple[int, int]]],
    ) -> list[Floats]:
        """[P, properties] of each passage, as trained: not calibrated yet."""
        asked = []
        for one, (hidden, mentions), some in zip(tokens, found, pairs, strict=True):
            table = np.array(mentions, np.int64)
            if some:
                ends = Ends(table[:, 0], table[:, 1], table[:, 2])
                asked.append(Asked(hidden, one, ends, np.array(some, np.int64)))
        scores = iter(self.net.pair_scores(asked) if asked else ())
        nothing = np.zeros((0, len(self.properties)), np.float32)
        return [next(scores) if some else nothing for some in pairs]


def joins(ends: Sequence[Sequence[Sequence[int]]]) -> npt.NDArray[np.bool_]:
    """[types, types, properties]: which types of head and tail each property joins."""
    table = np.zeros((mention_tags.PRONOUN + 1, mention_tags.PRONOUN + 1, len(ends)), np.bool_)
    for column, types in enumerate(ends):
        for head, tail in types:
            table[head, tail, column] = True
    return table


def joining(table: npt.NDArray[np.bool_], columns: Sequence[int] | None = None) -> npt.NDArray[np.bool_]:
    """[types, types]: which types of head and tail some property joins, of all or of some `columns`."""
    chosen = table if columns is None else table[:, :, list(columns)]
    return np.asarray(chosen.any(axis=2))


def _parts(doc: Doc) -> list[tuple[int, int]]:
    """Token ranges of whole sentences, each of at most MOST_TOKENS unless a sentence alone is longer."""
    borders = [0]
    for sentence in doc.sents:
        if sentence.end - borders[-1] > MOST_TOKENS and sentence.start > borders[-1]:
            borders.append(sentence.start)
    return [(start, end) for start, end in zip(borders, [*borders[1:], len(doc)], strict=True) if start < end]


def _label(kind: int) -> str:
    return "PRONOUN" if kind == mention_tags.PRONOUN else mention_tags.TYPES[kind]


@lru_cache(maxsize=2)
def load_reader(folder: Path = SHIPPED) -> RelationReader:
    """The reader whose weights lie in a folder. ModelError where there are none."""
    return RelationReader(folder)


@Language.factory(NAME, assigns=["doc._.relations"], requires=["doc.tensor"])  # type: ignore[untyped-decorator]
def make_reader(nlp: Language, name: str) -> RelationReader:
    """The component of the shipped weights, for `nlp.add_pipe("kgqa_relations")`."""
    return load_reader()


if not Doc.has_extension("relations"):
    Doc.set_extension("relations", default=())
