"""From the data sets' files to the relation reader that ships: read, parse, train, choose thresholds, write."""

import logging
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from spacy.language import Language

from kgqa.errors import InputError
from kgqa.text import nlp_corpus, relation_corpus, relation_examples
from kgqa.text.nlp import load_pipeline
from kgqa.text.relation_examples import Named
from kgqa.text.relation_reader import Features, RelationReader, joins
from kgqa.text.relation_thresholds import by_property, judge, temperature_of, thresholds_of
from kgqa.text.train_relations import Corpora, Labels, Recipe, fit, write
from kgqa.text.treebank import NamedSentence, named_doc
from kgqa.text.wordpieces import PieceVectors

LOG = logging.getLogger(__name__)
T = TypeVar("T")
Distilled = tuple[list[str], npt.NDArray[np.int8], npt.NDArray[np.float32]]
"""See piece_training.distil."""
_USED = ["tok2vec", "tagger", "morphologizer", "parser"]
"""The components whose output the network sees."""
UNRELATED = 150
"""Pairs of unrelated entities that a document of Re-DocRED teaches."""


def train_reader(
    distilled: Distilled,
    *,
    knowledgenet: Path,
    folds: Sequence[str],
    redocred: Path,
    num_documents: int,
    ner: Path,
    pipeline: str,
    held_back: int,
    recipe: Recipe,
    work_dir: Path,
    output_dir: Path,
) -> dict[str, int]:
    """Train on the KnowledgeNet passages of `folds`, the first `num_documents` of Re-DocRED and the sets of names in
    `ner`; write the reader under `output_dir`; return counts. One in `held_back` documents of KnowledgeNet and of
    Re-DocRED chooses thresholds and temperature instead.

    Raises InputError when a data set is missing or malformed, or has no such folds.
    """
    passages = [passage for passage in relation_corpus.knowledgenet(knowledgenet) if passage.fold in set(folds)]
    if not passages:
        raise InputError(f"{knowledgenet} has no fold {', '.join(folds)}; set relations.folds to folds that it has")
    documents = relation_corpus.redocred(redocred)[:num_documents]
    nlp = load_pipeline(pipeline)
    names = {relation for document in documents for _, relation, _ in document.facts}
    properties = sorted(names | set(relation_corpus.KNOWLEDGENET.values()), key=lambda name: int(name[1:]))
    columns = {name: column for column, name in enumerate(properties)}
    tags = sorted(nlp.get_pipe("tagger").labels)
    arcs = sorted({*nlp.get_pipe("parser").labels, "ROOT"})
    features = Features(PieceVectors(*distilled), tags, arcs)
    learned, chosen_on = _parted(passages, lambda one: one.doc_id, held_back)
    read, read_later = _parted(documents, lambda one: one.title, held_back)
    with nlp.select_pipes(enable=_USED):
        corpora = Corpora(
            relation_examples.from_passages(learned, nlp, features, columns),
            relation_examples.from_documents(read, nlp, features, columns, most=UNRELATED),
            relation_examples.from_names(_named(ner, nlp), nlp, features),
            [
                *relation_examples.from_passages(chosen_on, nlp, features, columns),
                *relation_examples.from_documents(read_later, nlp, features, columns, most=0),
            ],
        )
    LOG.info(
        "relations: %d passages, %d documents, %d sentences with names, %d passages and documents held back",
        *(len(part) for part in corpora.parts),
    )
    ends = relation_examples.joined_types([*corpora.passages, *corpora.documents], columns)
    labels = Labels(properties, ends, tags, arcs, *distilled)
    _learn(corpora, labels, recipe, work_dir, output_dir)
    return {
        "passages": len(learned), "documents": len(read), "names": len(corpora.names),
        "held_back": len(corpora.held_back), "properties": len(properties),
        "bytes": sum(file.stat().st_size for file in output_dir.iterdir()),
    }  # fmt: skip


def _parted(rows: Iterable[T], name: Callable[[T], str], one_in: int) -> tuple[list[T], list[T]]:
    """What trains, and what is held back."""
    parts: tuple[list[T], list[T]] = [], []
    for row in rows:
        parts[relation_corpus.held_out(name(row), one_in=one_in)].append(row)
    return parts


def _learn(corpora: Corpora, labels: Labels, recipe: Recipe, work_dir: Path, output_dir: Path) -> None:
    """Fit, choose temperature and thresholds on what is held back, write."""
    work_dir.mkdir(parents=True, exist_ok=True)
    net = fit(corpora, labels, recipe, work_dir)
    write(output_dir, net, labels, [0.5] * len(labels.properties), 1.0)
    judged = judge(RelationReader(output_dir), corpora.held_back, joins(labels.ends))
    temperature = temperature_of(judged)
    thresholds = thresholds_of(judged, temperature)
    LOG.info("relations: temperature %.3f, thresholds %s", temperature, by_property(labels.properties, thresholds))
    write(output_dir, net, labels, thresholds, temperature)


def _named(ner: Path, nlp: Language) -> list[Named]:
    """The sentences of Wikigold and CrossNER that may train, as text."""
    articles = nlp_corpus.wikigold(ner / "wikigold.conll.gz", held_back=False)
    wikigold = [nlp_corpus.relabel(one, {**nlp_corpus.WIKIGOLD_LABELS, "MISC": "MISC"}) for one in articles]
    rich = nlp_corpus.crossner(ner / "crossner.tar.gz", "train")
    rich += nlp_corpus.crossner(ner / "crossner.tar.gz", "dev_train")
    return [_text_of(sentence, nlp) for sentence in (*wikigold, *rich)]


def _text_of(sentence: NamedSentence, nlp: Language) -> Named:
    doc = named_doc(nlp.vocab, [sentence])
    names = [((ent.start_char, ent.end_char), ent.label_) for ent in doc.ents]
    unknown = [(token.idx, token.idx + len(token)) for token in doc if token.ent_iob == 0]
    return Named(doc.text, names, unknown)
