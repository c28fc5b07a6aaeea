"""Scores of a trained teacher on given words and sentences: `python -m benchmarks.teacher_scores [--state FILE]`.

The same sets as benchmarks/nlp_scores.py, which reads raw text; punctuation is left out of UAS and LAS here too.
"""

import argparse
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch

from kgqa.memory.pretrained import load_minilm
from kgqa.text.nlp_corpus import parsed_groups, relabel, wikigold
from kgqa.text.teacher import Labels, Teacher
from kgqa.text.teacher_corpus import Group, Sentence
from kgqa.text.teacher_labels import labelled
from kgqa.text.train_teacher import STATE, as_lessons, load
from kgqa.text.treebank import NamedSentence, guess_spaces, read_iob

PERSON_ORG_LOC = {"PER": "PERSON", "ORG": "ORG", "LOC": "LOC"}


def bare(groups: Sequence[Group]) -> list[Group]:
    """The groups without any annotation, a sentence each."""
    return [[Sentence(one.words, one.spaces)] for group in groups for one in group]


def tree_scores(gold: Iterable[Sentence], found: Sequence[Group]) -> dict[str, float]:
    """Accuracies over the words; sentences without a tree, or parted, count as wrong heads."""
    right = dict.fromkeys(("tags", "pos", "uas", "las"), 0)
    words = arcs = 0
    for sentence, group in zip(gold, found, strict=True):
        theirs, ours = sentence.parsed, group[0].parsed
        assert theirs is not None
        counted = [i for i, pos in enumerate(theirs.pos) if pos != "PUNCT"]
        words, arcs = words + len(theirs.words), arcs + len(counted)
        if ours is None or len(ours.words) != len(theirs.words):
            continue
        right["tags"] += sum(a == b for a, b in zip(ours.tags, theirs.tags, strict=True))
        right["pos"] += sum(a == b for a, b in zip(ours.pos, theirs.pos, strict=True))
        right["uas"] += sum(ours.heads[i] == theirs.heads[i] for i in counted)
        right["las"] += sum(ours.heads[i] == theirs.heads[i] and ours.deps[i] == theirs.deps[i] for i in counted)
    return {name: count / (words if name in ("tags", "pos") else arcs) for name, count in right.items()}


def name_f1(gold: Sequence[NamedSentence], found: Sequence[Group]) -> float:
    """F1 of exact persons, organisations and places."""
    hits = ours = theirs = 0
    for sentence, group in zip(gold, found, strict=True):
        wanted = {(e.start, e.end, e.label) for e in relabel(sentence, PERSON_ORG_LOC).entities if e.label}
        said, offset = set(), 0
        for part in group:
            said |= {
                (e.start + offset, e.end + offset, e.label)
                for e in part.entities or ()
                if e.label in PERSON_ORG_LOC.values()
            }
            offset += len(part.words)
        hits, ours, theirs = hits + len(wanted & said), ours + len(said), theirs + len(wanted)
    return 2 * hits / max(ours + theirs, 1)


def score(teacher: Teacher, labels: Labels, tokenizer: Any, data: Path) -> dict[str, float]:
    """The figures by name."""

    def read(groups: Sequence[Group]) -> list[Group]:
        return labelled(teacher, labels, groups, as_lessons(tokenizer, groups, labels), batch_pieces=8000)

    trees = [
        Sentence(one.words, one.spaces, one)
        for group in parsed_groups(data / "ud_ewt" / "en_ewt-ud-dev.conllu.gz")
        for one in group
    ]
    result = {f"UD-EWT dev {k}": v for k, v in tree_scores(trees, read(bare([trees]))).items()}
    ner = data / "ner"
    for title, gold in (
        ("UNER-EWT dev", list(read_iob(ner / "uner_ewt_dev.iob2.gz", word_column=1, label_column=2))),
        ("Wikigold, last fifth", wikigold(ner / "wikigold.conll.gz", held_back=True)),
    ):
        groups = [[Sentence(one.words, tuple(guess_spaces(one.words)))] for one in gold]
        result[f"{title} PER ORG LOC F1"] = name_f1(gold, read(groups))
    return result


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state", type=Path, default=Path("runs/train_extractor") / STATE)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("KGQA_DATA", "../shared/data")))
    args = parser.parse_args()
    tokenizer, encoder = load_minilm()
    teacher, labels = load(args.state, encoder, torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    for name, value in score(teacher, labels, tokenizer, args.data).items():
        print(f"{name:40} {value:.3f}")


if __name__ == "__main__":
    main()
