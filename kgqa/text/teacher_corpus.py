"""What the teacher learns from and labels: every permitted text in one form, groups of sentences in their order.

A layer that a set does not have (trees, names) is None, and unknown words inside names are spans without a label; the
teacher learns nothing there and says what it thinks there is.
"""

import gzip
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import spacy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.vocab import Vocab

from kgqa.errors import InputError
from kgqa.text import nlp_corpus, relation_corpus
from kgqa.text.nlp import readable
from kgqa.text.nlp_corpus import Lexicon, guarded_gum_names, mark_unknown, parsed_groups
from kgqa.text.treebank import (
    EntitySpan,
    NamedSentence,
    ParsedSentence,
    guess_spaces,
    parsed_doc,
    read_iob,
    set_entities,
)

WNUT_LABELS = {
    "person": "PERSON", "location": "LOC", "corporation": "ORG", "group": "ORG", "creative-work": "WORK",
    "product": "MISC",
}  # fmt: skip
_REDOCRED_LABELS = {"PER": "PERSON", "ORG": "ORG", "LOC": "LOC"}
_VALUES = frozenset({"TIME", "NUM"})
_DEMONYM_ENDS = ("ian", "ish", "ese", "can")


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence, or a passage whose sentences are not known where `parsed` is None."""

    words: tuple[str, ...]
    spaces: tuple[bool, ...]
    parsed: ParsedSentence | None = None
    entities: tuple[EntitySpan, ...] | None = None


Group = list[Sentence]


def groups(
    data_root: Path, *, folds: Sequence[str], num_documents: int, seed: int, name_repeats: int
) -> Iterator[Group]:
    """All that may train: both treebanks, the sets of names, and the texts of KnowledgeNet's `folds`.

    `num_documents`: of Re-DocRED, whose last documents are for scoring. Wikigold and CrossNER come `name_repeats`
    times, cut into other runs each time. Raises InputError for a file that is not there.
    """
    ner = data_root / "ner"
    lexicon = nlp_corpus.training_lexicon(ner)
    for group in parsed_groups(data_root / "ud_ewt" / "en_ewt-ud-train.conllu.gz"):
        yield [_parsed(one, None) for one in group]
    for group in parsed_groups(data_root / "gum" / "gum_train.conllu.gz"):
        yield [_parsed(one, guarded_gum_names(one, lexicon)) for one in group]
    rng = random.Random(seed)
    for names in nlp_corpus.training_names(ner, lexicon):
        for _ in range(name_repeats):
            yield from ([_named(one) for one in run] for run in nlp_corpus.in_runs(names, rng))
    tweets = read_iob(ner / "wnut17_train.conll.gz")
    yield from ([_named(nlp_corpus.relabel(one, WNUT_LABELS))] for one in tweets)
    documents = redocred_names(data_root / "redocred" / "dev_revised.json.gz", lexicon)
    for document in documents[: learned_documents(num_documents)]:
        yield [_named(one) for one in document]
    nlp = spacy.blank("en")
    for passage in relation_corpus.knowledgenet(data_root / "knowledgenet" / "folds123.jsonl.gz"):
        if passage.fold in folds:
            yield [_raw(nlp, passage.text)]


def learned_documents(num_documents: int) -> int:
    """How many of Re-DocRED's training documents train; the others choose the checkpoint."""
    return num_documents - num_documents // nlp_corpus.HELD_BACK // 2


def _parsed(sentence: ParsedSentence, entities: tuple[EntitySpan, ...] | None) -> Sentence:
    return Sentence(sentence.words, sentence.spaces, sentence, entities)


def _named(sentence: NamedSentence) -> Sentence:
    return Sentence(sentence.words, tuple(guess_spaces(sentence.words)), None, sentence.entities)


def _raw(nlp: Language, text: str) -> Sentence:
    doc = nlp.make_doc(" ".join(readable(text).split()))
    return Sentence(tuple(token.text for token in doc), tuple(bool(token.whitespace_) for token in doc))


def redocred_names(path: Path, lexicon: Lexicon) -> list[list[NamedSentence]]:
    """The sentences of each document of a Re-DocRED file, with its persons, organisations and places.

    Of its other names those that the lexicon knows, the rest unknown. InputError where it is no such file.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; set KGQA_DATA to the folder that holds the data sets")
    with gzip.open(path, "rt", encoding="utf-8") as file:
        try:
            return [_document(entry, number, lexicon) for number, entry in enumerate(json.load(file))]
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise InputError(f"{path}: no file of Re-DocRED ({type(error).__name__}: {error})") from error


def _document(entry: dict[str, Any], number: int, lexicon: Lexicon) -> list[NamedSentence]:
    words = [tuple(token.strip() or "_" for token in sentence) for sentence in entry["sents"]]
    spans: list[list[tuple[int, int, str]]] = [[] for _ in words]
    for entity in entry["vertexSet"]:
        for mention in entity:
            if mention["type"] not in _VALUES:
                spans[mention["sent_id"]].append((*mention["pos"], mention["type"]))
    sentences = []
    for tokens, found in zip(words, spans, strict=True):
        entities: list[EntitySpan] = []
        for start, end, kind in sorted(found, key=lambda one: one[0] - one[1]):
            if all(end <= e.start or start >= e.end for e in entities):
                entities.append(EntitySpan(start, end, _label(tokens[start:end], kind, lexicon)))
        named = NamedSentence(tokens, tuple(sorted(entities, key=lambda e: e.start)), number)
        sentences.append(mark_unknown(named, lexicon, nlp_corpus.UNNAMED_IN_WIKIGOLD))
    return sentences


def _label(words: Sequence[str], kind: str, lexicon: Lexicon) -> str | None:
    """Re-DocRED counts peoples as places and leaves works, events and products together."""
    known = lexicon.get(tuple(word.lower() for word in words))
    if kind == "LOC" and (known == "MISC" or (len(words) == 1 and words[0].endswith(_DEMONYM_ENDS))):
        return known if known == "MISC" else None
    return _REDOCRED_LABELS.get(kind, known)


def docs_of(vocab: Vocab, group: Group) -> Iterator[Doc]:
    """The documents of a group, in which every sentence is annotated in the same layers."""
    for _, sentences in groupby(group, key=_layers):
        yield _doc(vocab, list(sentences))


def _layers(sentence: Sentence) -> tuple[bool, bool, bool]:
    parsed = sentence.parsed
    return parsed is not None, parsed is not None and any(parsed.deps), sentence.entities is not None


def _doc(vocab: Vocab, sentences: Sequence[Sentence]) -> Doc:
    names = [one.entities or () for one in sentences]
    parsed = [one.parsed for one in sentences if one.parsed is not None]
    if parsed:
        return parsed_doc(vocab, parsed, names if sentences[0].entities is not None else None)
    words = [word for one in sentences for word in one.words]
    doc = Doc(vocab, words=words, spaces=[space for one in sentences for space in (*one.spaces[:-1], True)])
    if sentences[0].entities is not None:
        set_entities(doc, [len(one.words) for one in sentences], names)
    return doc
