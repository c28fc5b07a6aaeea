"""Training the relation reader on a handful of passages: it learns them, and goes on where it stopped."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from kgqa.text import nlp, relation_examples
from kgqa.text.relation_corpus import AnnotatedDocument, Passage
from kgqa.text.relation_examples import Named
from kgqa.text.relation_reader import Features, RelationReader, joins, load_reader
from kgqa.text.relation_thresholds import Judged, judge, temperature_of, thresholds_of
from kgqa.text.relation_training import UNKNOWN, Example
from kgqa.text.train_relations import Corpora, Labels, Recipe, fit, pairs_to_learn, write

COLUMNS = {"P19": 0, "P26": 1}
RECIPE = Recipe(
    epochs=4, seed=1, hidden=16, dropout=0.1, learning_rate=0.02, weight_decay=0.0, batch_tokens=60,
    entity_pairs_weight=1.0, names_share=1.0, unread_weight=0.0,
)  # fmt: skip
PEOPLE = ("Ann Lee", "Bo Holm", "Cy Young", "Di Ray")
TOWNS = ("Oslo", "Rome", "Bonn", "Paris")


def passage(person: str, town: str) -> Passage:
    text = f"{person} was born in {town}."
    head, tail = (0, len(person)), (len(text) - len(town) - 1, len(text) - 1)
    return Passage(person, 0, text, "1", {"P19"}, {head: "PERSON", tail: "LOC"}, [(head, "P19", tail)])


@pytest.fixture(scope="module")
def features() -> Features:
    return load_reader().features


@pytest.fixture(scope="module")
def corpora(features: Features) -> Corpora:
    pipeline = nlp.load_pipeline()
    passages = [passage(person, town) for person in PEOPLE for town in TOWNS]
    documents = [
        AnnotatedDocument(
            "d", "Ann wed Bo.", (((0, 3), "PERSON", 0), ((8, 10), "PERSON", 1)), frozenset({(0, "P26", 1)})
        )
    ]
    examples = relation_examples.from_passages(passages, pipeline, features, COLUMNS)
    return Corpora(
        examples,
        relation_examples.from_documents(documents, pipeline, features, COLUMNS, most=5),
        relation_examples.from_names([Named("Bo is here.", [((0, 2), "PERSON")], [])], pipeline, features),
        [*examples[:2], *relation_examples.from_documents(documents, pipeline, features, COLUMNS, most=0)],
    )


@pytest.fixture(scope="module")
def labels(corpora: Corpora) -> Labels:
    ends = relation_examples.joined_types([*corpora.passages, *corpora.documents], COLUMNS)
    table = np.ones((2, load_reader().features.pieces.width), np.int8)
    return Labels(
        list(COLUMNS), ends, ["NN"] * 60, ["obj"] * 60, ["[UNK]", "a"], table, np.ones(table.shape[1], np.float32)
    )


@pytest.fixture(scope="module")
def taught(corpora: Corpora, labels: Labels, tmp_path_factory: pytest.TempPathFactory) -> RelationReader:
    folder = tmp_path_factory.mktemp("taught")
    net = fit(corpora, labels, replace(RECIPE, epochs=40), folder)
    write(folder / "reader", net, labels, [0.5, 0.5], 1.0)
    return RelationReader(folder / "reader")


def test_it_learns_and_what_is_written_reads_the_same(corpora: Corpora, labels: Labels, taught: RelationReader) -> None:
    born, wed = judge(taught, corpora.held_back[:2], joins(labels.ends))
    assert born.missed == 0
    judged = sorted(zip(born.logits, born.right, strict=True))
    assert [right for _, right in judged] == sorted(right for _, right in judged)  # the right pairs are the likeliest
    assert any(born.right)
    assert not wed.logits


def test_documents_are_judged_by_entities(corpora: Corpora, labels: Labels, taught: RelationReader) -> None:
    """Each pair of entities once, by its surest mentions; a fact between entities that were not found is missed."""
    document = corpora.held_back[2]
    _, wed = judge(taught, [document], joins(labels.ends))
    assert sum(wed.right) + wed.missed == 1
    assert len(wed.logits) <= 2
    elsewhere = replace(document, facts=frozenset({(7, 8, 1)}))
    assert judge(taught, [elsewhere], joins(labels.ends))[1].missed == 1


def test_a_run_that_was_ended_goes_on(
    corpora: Corpora, labels: Labels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = fit(corpora, labels, RECIPE, _made(tmp_path / "whole"))
    from kgqa.text import checkpoint

    keep = checkpoint.keep

    def keep_and_die(*state: object) -> None:
        keep(*state)
        if state[-1] == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint, "keep", keep_and_die)
    with pytest.raises(KeyboardInterrupt):
        fit(corpora, labels, RECIPE, _made(tmp_path / "parts"))
    monkeypatch.setattr(checkpoint, "keep", keep)
    resumed = fit(corpora, labels, RECIPE, tmp_path / "parts")
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(resumed.state_dict()[name], value)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_only_what_a_passage_was_read_for_counts(corpora: Corpora, labels: Labels) -> None:
    found = pairs_to_learn(corpora.passages[0], [], joins(labels.ends), 0.0)
    assert found is not None
    stated = found.targets.any(axis=1)
    assert found.targets.sum() == 1
    assert found.known[:, 0].all()
    assert found.known[stated].all()  # hardly any pair is related twice
    assert not found.known[~stated, 1].any()


def test_what_was_not_read_for_probably_does_not_hold(corpora: Corpora, labels: Labels) -> None:
    found = pairs_to_learn(corpora.passages[0], [(3, 4, 2)], joins(labels.ends), 0.25)
    assert found is not None
    unrelated = ~found.targets.any(axis=1)
    assert unrelated.any()
    assert (found.known[unrelated] == np.array([1, 0.25], np.float32)).all()


def test_what_is_tagged_beside_the_given_is_a_counter_example(corpora: Corpora, labels: Labels) -> None:
    example = corpora.passages[0]
    given = example.mentions[0]
    found = pairs_to_learn(example, [(3, 4, 2), (given[0], given[0] + 1, 0)], joins(labels.ends), 0.0)
    assert found is not None
    assert (3, 4, 2) in found.mentions
    assert len(found.mentions) == len(example.mentions) + 1
    assert found.targets.sum() == 1


def test_doubtful_cells_teach_nothing(labels: Labels, corpora: Corpora) -> None:
    example = replace(corpora.documents[0], doubtful=frozenset({(0, 1, 0), (0, 1, 1)}))
    found = pairs_to_learn(example, [], joins(labels.ends), 0.0)
    assert found is not None
    row = found.pairs.tolist().index([0, 1])
    assert found.targets[row].tolist() == [0, 1]
    assert found.known[row].tolist() == [0, 1]  # a stated fact stays one


def test_unmarked_names_stay_unknown(corpora: Corpora) -> None:
    example: Example = corpora.passages[0]
    assert UNKNOWN not in example.tags[: example.mentions[0][1]]
    assert example.tags[example.words.index("was")] == 0


def test_the_temperature_mends_overconfidence() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=4000)
    right = rng.random(4000) < 1 / (1 + np.exp(-logits))
    judged = [Judged((3 * logits).tolist(), right.tolist())]
    assert temperature_of(judged) == pytest.approx(3, rel=0.15)
    assert temperature_of([]) == 1.0


def test_each_property_has_its_best_threshold() -> None:
    sharp = Judged([3.0] * 10 + [-1.0] * 30, [True] * 10 + [False] * 30)
    rare = Judged([0.0], [True])
    (first, second) = thresholds_of([sharp, rare], 1.0)
    assert 1 / (1 + np.exp(1.0)) < first < 1 / (1 + np.exp(-3.0))
    assert second >= 0.5
