"""The border to spaCy: a pipeline by name or path, and its parse of a paragraph as plain lists.

Everything above works on `Parse`, in Universal Dependencies labels; a user's pipeline with the older English labels
(nsubjpass, dobj, prep + pobj ...) is translated here.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import spacy
from spacy.attrs import DEP, HEAD, LEMMA, POS, SENT_START, TAG
from spacy.language import Language
from spacy.tokens import Doc

from kgqa.errors import ModelError
from kgqa.ids import digest
from kgqa.text import name_types, piece_embed, relation_reader  # noqa: F401  (the first two: en_kgqa names them)
from kgqa.types import Span

DEFAULT_PIPELINE = "en_kgqa"
_SHIPPED = Path(__file__).parent / "models" / DEFAULT_PIPELINE

LABELS = frozenset({"PERSON", "ORG", "LOC", "WORK", "AWARD", "SCIENCE", "EVENT", "MISC"})
# What other pipelines call the same; labels of values (DATE, CARDINAL ...) are read by rule and left out.
_LABEL_OF = {
    "PER": "PERSON", "GPE": "LOC", "FAC": "LOC", "LOCATION": "LOC", "ORGANIZATION": "ORG", "ORGANISATION": "ORG",
    "WORK_OF_ART": "WORK", "LAW": "WORK", "NORP": "MISC", "PRODUCT": "MISC", "LANGUAGE": "MISC",
}  # fmt: skip

# For tokens (or pipelines) without a universal part of speech.
_POS_OF_TAG = {
    "NN": "NOUN", "NNS": "NOUN", "NNP": "PROPN", "NNPS": "PROPN", "VB": "VERB", "VBD": "VERB", "VBG": "VERB",
    "VBN": "VERB", "VBP": "VERB", "VBZ": "VERB", "MD": "AUX", "JJ": "ADJ", "JJR": "ADJ", "JJS": "ADJ",
    "RB": "ADV", "RBR": "ADV", "RBS": "ADV", "IN": "ADP", "DT": "DET", "PRP": "PRON", "PRP$": "PRON",
    "WP": "PRON", "WDT": "PRON", "WP$": "PRON", "WRB": "ADV", "CD": "NUM", "CC": "CCONJ", "TO": "PART",
    "RP": "ADP", "POS": "PART", "_SP": "SPACE", ",": "PUNCT", ".": "PUNCT", ":": "PUNCT", "``": "PUNCT",
    "''": "PUNCT", "-LRB-": "PUNCT", "-RRB-": "PUNCT", "HYPH": "PUNCT",
}  # fmt: skip

# Same length, so that offsets stay: line ends and control characters become spaces, typographic quotes plain ones.
_UNREADABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
_PLAIN = str.maketrans({"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u00a0": " ", "\u2011": "-"})


@dataclass(frozen=True, slots=True)
class ReadRelation:
    """A relation between two mentions of a paragraph, as the trained reader reads it: token ranges and their labels."""

    property_id: str
    head: tuple[int, int, str]
    tail: tuple[int, int, str]
    probability: float


@dataclass(slots=True)
class Parse:
    """A parsed paragraph of T tokens; all lists have length T, offsets are characters of the document."""

    words: list[str]
    lemmas: list[str]
    pos: list[str]
    tags: list[str]
    deps: list[str]
    heads: list[int]
    """Index of the governor; a root is its own."""
    starts: list[int]
    ends: list[int]
    sentences: list[tuple[int, int]]
    """Token ranges, in order, covering all tokens."""
    entities: list[tuple[int, int, str]]
    """Token ranges that the pipeline's NER named, with one of LABELS."""
    lower: list[str] = field(init=False)
    children: list[list[int]] = field(init=False)
    sentence_of: list[int] = field(init=False)
    relations: list[ReadRelation] = field(default_factory=list)
    """Empty where the pipeline has no relation reader."""

    def __post_init__(self) -> None:
        self.lower = [word.lower() for word in self.words]
        self.children = [[] for _ in self.words]
        for token, head in enumerate(self.heads):
            if head != token:
                self.children[head].append(token)
        self.sentence_of = [number for number, (start, end) in enumerate(self.sentences) for _ in range(start, end)]

    def with_dep(self, token: int, *deps: str) -> list[int]:
        """The children of `token` on arcs of these labels, subtypes (nmod:poss for nmod) not included."""
        return [child for child in self.children[token] if self.deps[child] in deps]

    def span(self, start: int, end: int) -> Span:
        """The characters of the tokens [start, end)."""
        return self.starts[start], self.ends[end - 1]

    def head_of(self, start: int, end: int) -> int:
        """The token of [start, end) that the others hang on."""
        for token in range(start, end):
            head = self.heads[token]
            if head == token or not start <= head < end:
                return token
        return end - 1


@lru_cache(maxsize=4)
def load_pipeline(name: str = DEFAULT_PIPELINE, *, relations: bool = False) -> Language:
    """The spaCy pipeline of this name: the shipped one, an installed package, or a folder; with the relation reader
    last where `relations` are asked for.

    Errors: ModelError where there is none, where it does not parse, or where the reader was trained on another.
    """
    target: str | Path = _SHIPPED if name == DEFAULT_PIPELINE else name
    try:
        nlp = spacy.load(target)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise ModelError(
            f"extract.pipeline={name}: no spaCy pipeline can be loaded from {target} ({str(error).splitlines()[0]}); "
            f"give an installed package's name, a folder with a config.cfg, or {DEFAULT_PIPELINE} (the shipped one)"
        ) from error
    if "parser" not in nlp.pipe_names:
        raise ModelError(
            f"extract.pipeline={name} has no parser (its components: {', '.join(nlp.pipe_names) or 'none'}); "
            "facts are read from dependency parses, so choose a pipeline with tagger, parser and ner"
        )
    if relations:
        _add_reader(nlp, name)
    return nlp


def _add_reader(nlp: Language, name: str) -> None:
    reader = relation_reader.load_reader()
    if not reader.fits(nlp("It rained.")):
        raise ModelError(
            f"extract.pipeline={name} is not what the relation reader was trained on; leave it out with "
            f"extract.sources=[patterns], or set extract.pipeline={DEFAULT_PIPELINE}"
        )
    nlp.add_pipe(relation_reader.NAME)


@lru_cache(maxsize=4)
def pipeline_identity(name: str = DEFAULT_PIPELINE, *, relations: bool = False) -> str:
    """The digest of every file of the pipeline: the same weights give the same identity wherever they lie."""
    folders = [load_pipeline(name).path, *([relation_reader.SHIPPED] if relations else [])]
    files = [file for path in folders if path for file in sorted(Path(path).rglob("*")) if file.is_file()]
    return digest(*(part for file in files for part in (file.name, file.read_bytes().decode("latin-1"))))


def readable(text: str) -> str:
    """`text` as the pipeline should see it: the same length, without line ends and control characters."""
    return _UNREADABLE.sub(" ", text).translate(_PLAIN)


def parse(nlp: Language, texts: Sequence[tuple[int, str]]) -> list[Parse]:
    """The parses of pieces of documents, each given with its offset there, in order. What spaCy learns of words is
    forgotten at the end of the memory zone that this is called in."""
    docs = nlp.pipe(readable(text) for _, text in texts)
    return [from_spacy(doc, offset) for (offset, _), doc in zip(texts, docs, strict=True)]


def tokens_of(nlp: Language, name: str) -> tuple[str, ...]:
    """A name as the pipeline's tokens."""
    return tuple(token.text for token in nlp.make_doc(readable(name)))


def from_spacy(doc: Doc, offset: int = 0) -> Parse:
    """The lists of a spaCy document whose first character is the `offset`th of ours."""
    strings = doc.vocab.strings
    table = doc.to_array([LEMMA, POS, TAG, DEP, HEAD, SENT_START])
    columns = [[strings[key] for key in table[:, column].tolist()] for column in range(4)]
    lemmas, pos, tags, deps = columns
    offsets_to_head = table[:, 4].astype("int64").tolist()
    heads = [token + delta for token, delta in enumerate(offsets_to_head)]
    starts = [token.idx + offset for token in doc]
    words = [token.text for token in doc]
    pos = [_part_of_speech(*word) for word in zip(words, pos, tags, strict=True)]
    ends = [start + len(word) for start, word in zip(starts, words, strict=True)]
    marks = table[:, 5].astype("int64").tolist()
    borders = [token for token, mark in enumerate(marks) if token == 0 or (mark == 1 and _ends(words, token - 1))]
    sentences = [*pairwise(borders), (borders[-1], len(words))] if borders else []
    found = ((ent.start, ent.end, _LABEL_OF.get(ent.label_, ent.label_)) for ent in doc.ents)
    entities = [entity for entity in found if entity[2] in LABELS]
    if "pobj" in deps or "dobj" in deps or "nsubjpass" in deps:
        _to_universal(deps, heads, pos)
    relations = [
        ReadRelation(
            one.property_id, (one.head.start, one.head.end, one.head.label_),
            (one.tail.start, one.tail.end, one.tail.label_), one.probability,
        )
        for one in doc._.relations
    ]  # fmt: skip
    return Parse(words, lemmas, pos, tags, deps, heads, starts, ends, sentences, entities, relations)


def _part_of_speech(word: str, known: str, tag: str) -> str:
    """The universal one; a participle in a name ("United" of the United States) belongs to the name, and what is
    written small is none ("alma mater")."""
    if word.isspace():
        return "SPACE"
    if known == "VERB" and tag.startswith("NNP"):
        return "PROPN"
    if known == "PROPN" and word.islower():
        return "NOUN"
    return known or _POS_OF_TAG.get(tag, "X")


def _ends(words: Sequence[str], token: int) -> bool:
    """Whether a sentence may end with this token: a small parser also breaks sentences at commas."""
    while token > 0 and (words[token].isspace() or words[token] in _CLOSING):
        token -= 1
    return words[token][-1:] in _FINAL


_CLOSING = frozenset({'"', "'", ")", "]", "''", "*", "_"})
_FINAL = frozenset(".!?:;\u2026")

_UNIVERSAL = {
    "nsubjpass": "nsubj:pass", "dobj": "obj", "auxpass": "aux:pass", "poss": "nmod:poss", "relcl": "acl:relcl",
    "nn": "compound", "neg": "advmod", "dative": "iobj", "npadvmod": "obl:tmod",
}  # fmt: skip


def _to_universal(deps: list[str], heads: list[int], pos: list[str]) -> None:
    """Rewrites the older English labels in place: content words govern, prepositions and copulas hang on them."""
    old = list(deps)
    for token, dep in enumerate(old):
        deps[token] = _UNIVERSAL.get(dep, dep)
    for token, dep in enumerate(old):
        if dep in {"pobj", "pcomp"} and old[heads[token]] in {"prep", "agent"}:
            preposition = heads[token]
            governor = heads[preposition]
            heads[token], heads[preposition] = governor, token
            deps[token] = "nmod" if pos[governor] in {"NOUN", "PROPN", "PRON", "NUM"} else "obl"
            deps[preposition] = "case"
        elif dep == "attr" and pos[heads[token]] == "AUX":
            _swap_copula(token, deps, heads)


def _swap_copula(predicate: int, deps: list[str], heads: list[int]) -> None:
    copula = heads[predicate]
    deps[predicate] = deps[copula]
    heads[predicate] = predicate if heads[copula] == copula else heads[copula]
    for token, head in enumerate(heads):
        if head == copula and token not in (copula, predicate):
            heads[token] = predicate
    heads[copula], deps[copula] = predicate, "cop"
