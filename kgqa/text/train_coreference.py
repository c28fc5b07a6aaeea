"""Trains the weights of antecedents.py on pronouns whose antecedent is known: GAP's and GUM's.

Each "he" or "she" is a choice among all that the resolver weighs; the weights maximise the probability of the right
ones under a softmax (a log-linear ranker), with an L2 penalty. What an earlier pronoun was taken for is part of
what is known of a later one, so the documents are walked again with the weights of each round.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_matrix

from kgqa.text import coreference, reader
from kgqa.text.antecedents import Features
from kgqa.text.coreference import Resolver
from kgqa.text.entities import Entity
from kgqa.text.extract import Extractor
from kgqa.text.gap import Row, nested, read_rows
from kgqa.text.gum import ChainedText, chained_texts
from kgqa.text.lexicon import lexicon
from kgqa.text.mentions import Spot
from kgqa.text.nlp import Parse
from kgqa.types import Document, Span

FIRST_WEIGHTS = {
    "sentence=1": -1.0, "sentence=2": -2.0, "sentence=3": -3.0, "sentence=4": -4.0, "was subject here": 1.0,
    "was subject last": 1.0, "title": 2.0, "MISC sure": -4.0, "MISC unsure": -4.0, "later": -6.0,
}  # fmt: skip
"""What documents are first walked with: the nearest subject."""

_SEEN_OFTEN = 3
"""Choices that a feature must occur in."""

Spans = Mapping[int, list[Span]]
"""id(entity) -> where it is named."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What a pronoun was chosen from, and which of it would have been right: some, not all."""

    options: list[Features]
    right: list[bool]


@dataclass(frozen=True, slots=True)
class Marked:
    """A parsed document and which pronouns of it mean what: `is_right(pronoun, entity, spans)`; None: not known."""

    document: Document
    paragraphs: list[tuple[Parse, list[Spot]]]
    is_right: Callable[[Spot, Entity, Spans], bool | None]


def train(gap: Path, gum: Path, *, pipeline: str, l2: float, rounds: int) -> tuple[dict[str, float], dict[str, int]]:
    """(weights, counts) from a file of GAP and one of GUM."""
    extractor = Extractor(pipeline=pipeline)
    marked = [_parsed(extractor, *one) for one in (*_gap(gap), *_gum(gum))]
    weights: dict[str, float] = dict(FIRST_WEIGHTS)
    choices: list[Choice] = []
    for _ in range(rounds):
        choices = [choice for one in marked for choice in _choices(one, weights)]
        weights = fit(choices, l2=l2)
    return weights, {"documents": len(marked), "choices": len(choices), "weights": len(weights)}


def _parsed(extractor: Extractor, document: Document, is_right: Callable[[Spot, Entity, Spans], bool | None]) -> Marked:
    return Marked(document, extractor.read(document, list(reader.passages(document)))[1], is_right)


def _gap(path: Path) -> Iterator[tuple[Document, Callable[[Spot, Entity, Spans], bool | None]]]:
    """Every row twice: with its page's title, and without."""
    for row in read_rows(path):
        for title in ("", row.title):
            yield Document(row.row_id, row.text, title), _gap_judge(row)


def _gap_judge(row: Row) -> Callable[[Spot, Entity, Spans], bool | None]:
    def is_right(spot: Spot, entity: Entity, spans: Spans) -> bool | None:
        if spot.span != row.pronoun:
            return None
        named = [
            row.text[slice(*name)] in entity.names or any(nested(name, span) for span in spans[id(entity)])
            for name in row.names
        ]
        if not any(row.meant):  # somebody else is meant
            return not any(named)
        return any(is_named and meant for is_named, meant in zip(named, row.meant, strict=True))

    return is_right


def _gum(path: Path) -> Iterator[tuple[Document, Callable[[Spot, Entity, Spans], bool | None]]]:
    for number, chained in enumerate(chained_texts(path)):
        yield Document(f"gum-{number}", chained.text), _gum_judge(chained)


def _gum_judge(chained: ChainedText) -> Callable[[Spot, Entity, Spans], bool | None]:
    chain_of = {span: chain for chain, mentions in chained.chains.items() for span, _ in mentions}

    def is_right(spot: Spot, entity: Entity, spans: Spans) -> bool | None:
        if spot.span not in chain_of:
            return None
        heads = [head for _, head in chained.chains[chain_of[spot.span]]]
        return any(start <= head[0] and head[1] <= end for start, end in spans[id(entity)] for head in heads)

    return is_right


def _choices(marked: Marked, weights: Mapping[str, float]) -> Iterator[Choice]:
    """Of the pronouns of a document that is walked with these weights."""
    document, paragraphs = marked.document, marked.paragraphs
    resolver = coreference.resolver_for(paragraphs, document.text, document.title, lexicon(), weights)
    first_sentence = 0
    for parse, spots in paragraphs:
        resolver.walk(parse, spots, first_sentence)
        first_sentence += len(parse.sentences)
    spans = _named(resolver, paragraphs)
    for _, spots in paragraphs:
        for spot in spots:
            options = resolver.weighed.get(id(spot), [])
            right = [marked.is_right(spot, entity, spans) for entity, _ in options]
            if any(right) and not all(right):
                yield Choice([features for _, features in options], [bool(one) for one in right])


def _named(resolver: Resolver, paragraphs: Sequence[tuple[Parse, list[Spot]]]) -> Spans:
    spans: defaultdict[int, list[Span]] = defaultdict(list)
    for spot in (spot for _, spots in paragraphs for spot in spots if spot.kind == "name"):
        for entity in resolver.readings(spot)[0]:
            spans[id(entity)].append(spot.span)
    return spans


def fit(choices: Sequence[Choice], *, l2: float) -> dict[str, float]:
    """Weights that make the right options of the choices likely, by L-BFGS; features seen too rarely have none."""
    counts = Counter(feature for choice in choices for option in choice.options for feature in option)
    names = sorted(feature for feature, count in counts.items() if count >= _SEEN_OFTEN)
    column = {name: place for place, name in enumerate(names)}
    options = [option for choice in choices for option in choice.options]
    cells = [(row, column[name]) for row, option in enumerate(options) for name in option if name in column]
    rows, columns = zip(*cells, strict=True)
    features = csr_matrix((np.ones(len(cells)), (rows, columns)), (len(options), len(names)))
    right = np.array([one for choice in choices for one in choice.right], dtype=float)
    starts = np.cumsum([0, *(len(choice.options) for choice in choices)])[:-1]
    choice_of = np.repeat(np.arange(len(choices)), [len(choice.options) for choice in choices])

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        # -sum log(sum_right exp s / sum_all exp s) + l2 |w|^2; its gradient is X'(p - p given right) + 2 l2 w.
        scores = features @ weights
        mass = np.exp(scores - np.maximum.reduceat(scores, starts)[choice_of])
        total, good = np.add.reduceat(mass, starts), np.add.reduceat(mass * right, starts)
        slope = features.T @ (mass / total[choice_of] - mass * right / good[choice_of])
        return float(np.log(total / good).sum() + l2 * weights @ weights), slope + 2 * l2 * weights

    found = minimize(loss, np.zeros(len(names)), jac=True, method="L-BFGS-B").x
    return {name: round(float(weight), 4) for name, weight in zip(names, found, strict=True)}
