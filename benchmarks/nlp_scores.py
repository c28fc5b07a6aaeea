"""Score table of the shipped English pipeline, from raw text: `python benchmarks/nlp_scores.py [--model PATH]`.

Trees on UD-EWT dev by paragraph (spaCy's scorer: punctuation is left out of UAS and LAS), names on UNER-EWT dev and on
the last fifth of Wikigold's articles. None of these three trained the pipeline or chose its checkpoint.
"""

import argparse
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import spacy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from kgqa.text.nlp_corpus import CROSSNER_LABELS, ENTITY_LABELS, crossner, parsed_groups, wikigold
from kgqa.text.train_nlp import bytes_on_disk
from kgqa.text.treebank import named_doc, parsed_doc, read_iob

DEFAULT_MODEL = Path(__file__).parents[1] / "kgqa" / "text" / "models" / "en_kgqa"
PLACE_PERSON_ORG = {"PERSON": "PER", "ORG": "ORG", "LOC": "LOC"}
WITH_MISC = PLACE_PERSON_ORG | dict.fromkeys(("WORK", "AWARD", "EVENT", "SCIENCE", "MISC"), "MISC")
Name = tuple[int, int, int, str]


def tree_scores(nlp: Language, data_root: Path) -> dict[str, float]:
    """Tags, parts of speech, trees, lemmas and sentence boundaries on UD-EWT dev."""
    gold = [parsed_doc(nlp.vocab, group) for group in parsed_groups(data_root / "ud_ewt" / "en_ewt-ud-dev.conllu.gz")]
    scores = nlp.evaluate([Example(nlp.make_doc(doc.text), doc) for doc in gold])
    keys = ("tag_acc", "pos_acc", "dep_uas", "dep_las", "lemma_acc", "sents_f")
    return {key: float(scores[key]) for key in keys}


def _run(nlp: Language, docs: Sequence[Doc]) -> list[Doc]:
    return list(nlp.pipe([doc.text for doc in docs], batch_size=64))


def names_of(docs: Iterable[Doc], labels: Mapping[str, str]) -> set[Name]:
    """(document, first character, last character, label) of each entity whose label is in `labels`, renamed by it."""
    return {
        (index, ent.start_char, ent.end_char, labels[ent.label_])
        for index, doc in enumerate(docs)
        for ent in doc.ents
        if ent.label_ in labels
    }


def name_scores(
    nlp: Language, gold: Sequence[Doc], predicted: Mapping[str, str], actual: Mapping[str, str]
) -> list[str]:
    """Exact-match precision, recall and F1 over all labels, and F1 of each label, as rows of a table."""
    found, wanted = names_of(_run(nlp, gold), predicted), names_of(gold, actual)
    rows = []
    for label in ("all", *sorted(set(actual.values()))):
        ours = {name for name in found if label in ("all", name[3])}
        theirs = {name for name in wanted if label in ("all", name[3])}
        hits = len(ours & theirs)
        precision, recall = hits / max(len(ours), 1), hits / max(len(theirs), 1)
        f1 = 2 * hits / max(len(ours) + len(theirs), 1)
        rows.append(f"{label:8} {precision:.3f} {recall:.3f} {f1:.3f} ({len(theirs)} names)")
    return rows


def words_per_second(nlp: Language, data_root: Path, *, repeats: int = 3) -> float:
    """The best of `repeats` runs of the whole pipeline over UD-EWT dev."""
    path = data_root / "ud_ewt" / "en_ewt-ud-dev.conllu.gz"
    texts = [parsed_doc(nlp.vocab, group).text for group in parsed_groups(path)]
    rates = []
    for _ in range(repeats):
        start = time.perf_counter()
        num_words = sum(len(doc) for doc in nlp.pipe(texts, batch_size=256))
        rates.append(num_words / (time.perf_counter() - start))
    return max(rates)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=DEFAULT_MODEL)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("KGQA_DATA", "../shared/data")))
    args = parser.parse_args()
    nlp = spacy.load(args.model)
    for key, value in tree_scores(nlp, args.data).items():
        print(f"UD-EWT dev {key:10} {value:.3f}")
    ner = args.data / "ner"
    uner = [named_doc(nlp.vocab, [s]) for s in read_iob(ner / "uner_ewt_dev.iob2.gz", word_column=1, label_column=2)]
    held_back = [named_doc(nlp.vocab, [s]) for s in wikigold(ner / "wikigold.conll.gz", held_back=True)]
    chosen_on = [named_doc(nlp.vocab, [s]) for s in crossner(ner / "crossner.tar.gz", "dev_held_back")]
    same = {label: label for label in PLACE_PERSON_ORG.values()}
    ours = {label: label for label in ENTITY_LABELS if label in CROSSNER_LABELS.values()}
    for title, gold, predicted, actual in (
        ("UNER-EWT dev", uner, PLACE_PERSON_ORG, same),
        ("Wikigold, last fifth, PER ORG LOC", held_back, PLACE_PERSON_ORG, same),
        ("Wikigold, last fifth, with MISC", held_back, WITH_MISC, same | {"MISC": "MISC"}),
        ("CrossNER, held back (chose the checkpoint)", chosen_on, ours, ours),
    ):
        print(f"\n{title}: precision, recall, F1", *name_scores(nlp, gold, predicted, actual), sep="\n")
    print(f"\n{words_per_second(nlp, args.data):.0f} words/s on one thread, {bytes_on_disk(args.model)} bytes on disk")


if __name__ == "__main__":
    main()
