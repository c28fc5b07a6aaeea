"""Documents in, mentions and facts out. What a document yields depends on that document alone.

Paragraphs are parsed each for itself, those of several documents in one batch, so a document's length never matters;
what is known of names and pronouns is settled window by window (a window is the whole document unless it is a book).
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path

from spacy.language import Language

from kgqa.errors import ConfigError
from kgqa.ids import digest, entity_iri
from kgqa.text import antecedents, classified, coreference, mentions, nlp, open_relations, reader
from kgqa.text.classified import Classified
from kgqa.text.coreference import Resolver
from kgqa.text.entities import Entity
from kgqa.text.extraction import Extraction, Rejected, Statement
from kgqa.text.fillers import is_of
from kgqa.text.given_names import GivenNames, read_names
from kgqa.text.labels import settle_labels
from kgqa.text.lexicon import LEXICON, Lexicon, lexicon
from kgqa.text.mentions import Spot
from kgqa.text.nlp import Parse
from kgqa.text.patterns import PATTERNS, load_patterns
from kgqa.text.relations import Candidate, Matcher
from kgqa.text.windows import BATCH_CHARACTERS, WINDOW_CHARACTERS, is_prose, together
from kgqa.types import Document, Fact, Mention, Passage, Provenance

TRAINING = frozenset({
    "checkpoint.py", "finish_nlp.py", "gap.py", "gum.py", "nlp_corpus.py", "piece_training.py", "relation_corpus.py",
    "relation_examples.py", "relation_pipeline.py", "relation_thresholds.py", "relation_training.py", "teacher.py",
    "teacher_corpus.py", "teacher_labels.py", "train_coreference.py", "train_nlp.py", "train_relations.py",
    "train_teacher.py", "treebank.py",
})  # fmt: skip
"""Modules beside this one that train the pipeline and never read a user's document."""

SOURCES = ("patterns", "classifier", "open")
"""What finds facts; where several do, the first has a sentence's fact."""


class Extractor:
    """A pipeline with its patterns. `pipeline`: see nlp.load_pipeline; `patterns`: a file in patterns.toml's notation;
    `names`: a file of given names (`given_names.read_names`); `sources`: which of SOURCES are asked; facts below
    `min_confidence` are left out."""

    def __init__(
        self,
        *,
        pipeline: str = nlp.DEFAULT_PIPELINE,
        patterns: Path | None = None,
        names: Path | None = None,
        sources: Sequence[str] = SOURCES[:1],
        min_confidence: float = 0.0,
    ) -> None:
        if not sources or set(sources) - set(SOURCES):
            raise ConfigError(f"extract.sources is {list(sources)}; choose one or more of {list(SOURCES)}")
        if not 0 <= min_confidence <= 1:
            raise ConfigError(f"extract.min_confidence is {min_confidence}; it is a probability, from 0 to 1")
        self._pipeline_name = pipeline
        self._patterns = patterns or PATTERNS
        self._min_confidence = min_confidence
        self._lex = lexicon()
        relations = load_patterns(self._patterns)
        self._matcher = Matcher(relations if "patterns" in sources else (), self._lex)
        self._by_property = classified.by_property(relations)
        self._symmetric = frozenset(relation.iri for relation in relations if relation.symmetric)
        self._reads = "classifier" in sources
        self._is_open = "open" in sources
        self._sources = [source for source in SOURCES if source in sources]
        self._nlp = nlp.load_pipeline(pipeline, relations=self._reads)
        self._names = names
        self._given = GivenNames(read_names(names), self._nlp) if names else None

    @cached_property
    def identity(self) -> str:
        """Changes when the weights, the patterns, the word lists, the given names, the sources, the threshold or
        this code change."""
        modules = sorted(file for file in Path(__file__).parent.glob("*.py") if file.name not in TRAINING)
        code = [file.read_text("utf-8") for file in modules]
        files = (self._patterns, LEXICON, classified.PROPERTIES, antecedents.WEIGHTS, *filter(None, [self._names]))
        texts = [*(file.read_text("utf-8") for file in files), *self._sources, str(self._min_confidence)]
        return digest(nlp.pipeline_identity(self._pipeline_name, relations=self._reads), *texts, *code)[:32]

    def extract(self, documents: Iterable[Document]) -> Iterator[Extraction]:
        """The extractions of the documents, in their order; they are read by the batch."""
        for batch in together(documents, lambda document: len(document.text), BATCH_CHARACTERS):
            yield from self._extract_all(batch)

    def _extract_all(self, batch: Sequence[Document]) -> list[Extraction]:
        passages = [tuple(reader.passages(document)) for document in batch]
        windows = [
            list(together((one for one in some if is_prose(one, document)), _length, WINDOW_CHARACTERS))
            for document, some in zip(batch, passages, strict=True)
        ]
        with self._nlp.memory_zone():  # spaCy would keep every new word of every document for ever
            parsed = self._parsed([window for some in windows for window in some])
            return [
                self._extract(document, some, islice(parsed, len(read)))
                for document, some, read in zip(batch, passages, windows, strict=True)
            ]

    def _parsed(self, windows: Sequence[Sequence[Passage]]) -> Iterator[list[Parse]]:
        """The parses of each window; the small ones are parsed together."""
        for group in together(windows, lambda window: sum(map(_length, window)), BATCH_CHARACTERS):
            parses = iter(nlp.parse(self._nlp, [(one.span[0], one.text) for window in group for one in window]))
            for window in group:
                yield list(islice(parses, len(window)))

    def _extract(self, document: Document, passages: tuple[Passage, ...], windows: Iterable[list[Parse]]) -> Extraction:
        found: list[Mention] = []
        facts: dict[tuple[str, str, str, int], Fact] = {}
        aliases: dict[tuple[str, str], None] = {}
        statements: list[Statement] = []
        rejected: list[Rejected] = []
        for parses in windows:
            resolver, paragraphs = self._named(document, parses)
            for fact in self._candidates(document, paragraphs, resolver, statements):
                if isinstance(fact, Rejected):
                    rejected.append(fact)
                    continue
                start = fact.provenance.span[0]
                if fact.relation not in self._symmetric or (fact.tail, fact.relation, fact.head, start) not in facts:
                    facts.setdefault((*fact.triple, start), fact)
            found.extend(_mentions(paragraphs, document.text, resolver))
            aliases.update(dict.fromkeys(_aliases(resolver, self._lex)))
        lists = (tuple(found), tuple(facts.values()), tuple(aliases), tuple(statements), tuple(rejected))
        return Extraction(document, passages, *lists)

    def read(self, document: Document, window: Sequence[Passage]) -> tuple[Resolver, list[tuple[Parse, list[Spot]]]]:
        """Parses a window and finds its names; labels and names agree over all of it."""
        with self._nlp.memory_zone():
            (parses,) = self._parsed([window])
            return self._named(document, parses)

    def _named(self, document: Document, parses: list[Parse]) -> tuple[Resolver, list[tuple[Parse, list[Spot]]]]:
        given = self._given
        paragraphs: list[tuple[Parse, list[Spot]]] = []
        for parse in parses:
            spots = mentions.find_spots(parse, document.text, self._lex)
            spots = classified.unseen_names(parse, document.text, spots)
            spots = given.mark(parse, document.text, spots, self._lex) if given else spots
            paragraphs.append((parse, spots))
        settle_labels(paragraphs, document.title, self._lex)
        for parse, spots in paragraphs:
            if given:
                given.label(parse, spots)
        names = _known_names(self._nlp, document.title, [spots for _, spots in paragraphs])
        paragraphs = [
            (parse, mentions.add_known_names(parse, document.text, spots, names)) for parse, spots in paragraphs
        ]
        resolver = coreference.resolver_for(paragraphs, document.text, document.title, self._lex)
        if given:
            given.settle(list(resolver.by_name.values()))
        return resolver, paragraphs

    def _candidates(
        self,
        document: Document,
        paragraphs: list[tuple[Parse, list[Spot]]],
        resolver: Resolver,
        statements: list[Statement],
    ) -> Iterator[Fact | Rejected]:
        first_sentence = 0
        for place, (parse, spots) in enumerate(paragraphs):
            candidates: list[Candidate] = list(self._matcher.candidates(parse, document.text, spots))
            candidates += classified.candidates(parse, document.text, spots, self._by_property)
            if self._is_open:
                candidates += open_relations.candidates(parse, document.text, spots, self._lex)
            made = {id(end): end for one in candidates if not one.doubt for end in (one.head, one.tail)}
            known = {id(spot) for spot in spots}
            extra = [
                end for end in made.values() if end.kind in {"description", "concept", "value"} and id(end) not in known
            ]
            spots = sorted([*spots, *extra], key=lambda spot: (spot.start, spot.end))
            paragraphs[place] = (parse, spots)
            resolver.walk(parse, spots, first_sentence)
            first_sentence += len(parse.sentences)
            statements.extend(_statement(one) for one in candidates if not one.doubt)
            for candidate in candidates:
                yield from self._facts(document, parse, candidate, resolver)

    def _facts(
        self, document: Document, parse: Parse, candidate: Candidate, resolver: Resolver
    ) -> Iterator[Fact | Rejected]:
        relation = candidate.relation
        confidence = candidate.confidence
        for spot in (candidate.head, candidate.tail):
            confidence *= coreference.TRUST[spot.kind]
        start, end = parse.sentences[candidate.tail.sentence]
        span, confidence = parse.span(start, end), round(confidence, 4)
        reason = candidate.doubt or ("below the threshold" if confidence < self._min_confidence else "")
        pairs = [] if reason else _pairs(candidate, resolver, self._lex)
        ends = candidate.head.span, candidate.tail.span
        if not pairs:
            reason = reason or "nothing of the types"
            yield Rejected(relation.text, span, *ends, candidate.source, confidence, reason)
            return
        sentence = document.text[span[0] : span[1]]
        provenance = Provenance(document.doc_id, sentence, span, *ends, candidate.source, confidence)
        for (head, head_text), (tail, tail_text) in pairs:
            yield Fact(head, relation.iri, tail, head_text, relation.text, tail_text, provenance)


def _length(passage: Passage) -> int:
    return len(passage.text)


def _statement(candidate: Candidate) -> Statement:
    spans = candidate.spans if isinstance(candidate, Classified) else (candidate.head.span, candidate.tail.span)
    return Statement(candidate.relation.iri, *spans, round(candidate.confidence, 4), candidate.source)


def _known_names(pipeline: Language, title: str, paragraphs: Sequence[Sequence[Spot]]) -> dict[tuple[str, ...], str]:
    """The names to look for everywhere in the document, as its tokens: those found, and its title."""
    names: dict[tuple[str, ...], str] = {}
    for spots in paragraphs:
        for spot in spots:
            if spot.kind == "name":
                words = nlp.tokens_of(pipeline, spot.text)
                names.setdefault(words, spot.label)
    if title:
        words = nlp.tokens_of(pipeline, title)
        label = names.get(words, "MISC")
        names.setdefault(words, label)
        small = (words[0][:1].lower() + words[0][1:], *words[1:])
        if len(words) > 1 and all(word == word.lower() for word in words[1:]):
            names.setdefault(small, "SCIENCE" if label == "MISC" else label)
    return names


Term = tuple[str, str]
"""A term and the text it goes by."""


def _pairs(candidate: Candidate, resolver: Resolver, lex: Lexicon) -> list[tuple[Term, Term]]:
    """The first readings of both ends that are of the right types and not the same; several pairs for plurals."""
    heads = _readings(candidate.head, candidate.relation.head, resolver, lex)
    if candidate.head is candidate.tail:
        group = heads[0] if heads else []
        return [(one, two) for place, one in enumerate(group) for two in group[place + 1 :]]
    tails = _readings(candidate.tail, candidate.relation.tail, resolver, lex)
    ranked = sorted((one + two, one, two) for one in range(len(heads)) for two in range(len(tails)))
    for _, one, two in ranked:
        if set(heads[one]).isdisjoint(tails[two]):
            return [(head, tail) for head in heads[one] for tail in tails[two]]
    return []


def _readings(spot: Spot, types: frozenset[str], resolver: Resolver, lex: Lexicon) -> list[list[Term]]:
    """What a spot can stand for among the types, best first."""
    if spot.kind == "value":
        literal = mentions.literal(spot.literal[1:5]) if "YEAR" in types else spot.literal
        return [[(literal, literal[1 : literal.rindex('"')])]]
    return [
        [(entity_iri(entity.name), entity.name) for entity in reading]
        for reading in resolver.readings(spot)
        if all(is_of(entity.label, entity.sure, entity.name, types, lex) for entity in reading)
    ]


def _mentions(paragraphs: Sequence[tuple[Parse, list[Spot]]], text: str, resolver: Resolver) -> Iterator[Mention]:
    for _, spots in paragraphs:
        for spot in spots:
            if spot.kind == "value":
                yield Mention(spot.span, text[slice(*spot.span)], spot.label, spot.literal)
            elif readings := resolver.readings(spot):
                entity: Entity = readings[0][0]
                yield Mention(spot.span, text[slice(*spot.span)], entity.label, entity_iri(entity.name))


def _aliases(resolver: Resolver, lex: Lexicon) -> Iterator[tuple[str, str]]:
    for entity in resolver.known.values():
        for name in dict.fromkeys([entity.name, *entity.names]):
            yield name, entity_iri(entity.name)
        if entity.name in lex.countries:
            for alias, country in lex.countries.items():
                if country == entity.name:
                    yield alias, entity_iri(entity.name)
