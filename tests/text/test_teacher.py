"""The teacher: what it learns from, what it says where nothing is given, and how its training goes on."""

import gzip
import json
import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import spacy
import torch
from hypothesis import given
from hypothesis import strategies as st

from kgqa.errors import InputError
from kgqa.memory.bert import Bert
from kgqa.text import checkpoint
from kgqa.text.nlp_corpus import ENTITY_LABELS, wikigold
from kgqa.text.relation_corpus import knowledgenet
from kgqa.text.teacher import MOST_PIECES, NAME_TAGS, UNKNOWN, Labels, batch_of, lesson
from kgqa.text.teacher_corpus import Group, Sentence, docs_of, groups, redocred_names
from kgqa.text.teacher_labels import batches, best_tree, labelled, merged
from kgqa.text.train_teacher import DOCS, STATE, TABLE, Recipe, as_lessons, fit, load, prepare
from kgqa.text.treebank import EntitySpan, ParsedSentence

RECIPE = Recipe(epochs=3, seed=0, batch_pieces=60, encoder_rate=1e-3, head_rate=5e-3, dropout=0.1)
PIECES = ["[UNK]", "[CLS]", "[SEP]", "marie", "curie", "lived", "in", "paris", "she", "rested", ".", "cur", "##ries"]
CPU = torch.device("cpu")


class Tokenizer:
    pieces = PIECES


def encoder() -> Bert:
    torch.manual_seed(1)
    model = Bert(
        SimpleNamespace(
            vocab_size=len(PIECES), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24,
            max_position_embeddings=512, type_vocab_size=2, hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0, layer_norm_eps=1e-12,
        )
    )  # fmt: skip
    for weight in model.parameters():
        if weight.dim() > 1:
            torch.nn.init.normal_(weight, std=0.1)
    return model


def parsed(words: str, heads: tuple[int, ...], deps: str, tags: str) -> ParsedSentence:
    names = tuple(words.split())
    return ParsedSentence(
        names, (True,) * len(names), tuple(tags.split()), tuple(tags.split()), names, heads, tuple(deps.split()),
        ("_",) * len(names), starts_paragraph=False,
    )  # fmt: skip


POS = "PROPN PROPN VERB ADP PROPN PUNCT"
LIVED = parsed(
    "Marie Curie lived in Paris .",
    (2, 0, 2, 4, 2, 2),
    "nsubj flat ROOT case obl punct",
    "PROPN PROPN VERB ADP PROPN PUNCT",
)
RESTED = parsed("She rested .", (1, 1, 1), "nsubj ROOT punct", "PRON VERB PUNCT")
NAMES = (EntitySpan(0, 2, "PERSON"), EntitySpan(4, 5, "LOC"))


def sentence(tree: ParsedSentence, names: tuple[EntitySpan, ...] | None) -> Sentence:
    return Sentence(tree.words, tree.spaces, tree, names)


def bare(tree: ParsedSentence, names: tuple[EntitySpan, ...] | None = None) -> Sentence:
    return Sentence(tree.words, tree.spaces, None, names)


GIVEN: list[Group] = [
    [sentence(LIVED, None), sentence(RESTED, None)],
    [bare(LIVED, NAMES)],
    [sentence(RESTED, ())],
    [bare(RESTED, ())],
]


def test_numbers_stand_for_what_is_given_and_nothing_else() -> None:
    labels = Labels.of(GIVEN)
    both, named, *_ = as_lessons(Tokenizer(), GIVEN, labels)
    assert both is not None
    assert named is not None
    assert both.targets["heads"].tolist() == [2, 0, 2, 4, 2, 2, 7, 7, 7]
    assert both.targets["starts"].tolist() == [1, 0, 0, 0, 0, 0, 1, 0, 0]
    assert both.sentence_of.tolist() == [0] * 6 + [1] * 3
    assert set(both.targets["names"].tolist()) == {UNKNOWN}
    said = [NAME_TAGS[tag] for tag in named.targets["names"].tolist()]
    assert said == ["B-PERSON", "I-PERSON", "O", "O", "B-LOC", "O"]
    assert set(named.targets["heads"].tolist()) == {UNKNOWN}


def test_pieces_point_at_their_words_and_a_text_too_long_is_left_out() -> None:
    labels = Labels.of(GIVEN)
    places = {piece: place for place, piece in enumerate(PIECES)}
    words = ("Curries", "rested")
    found = lesson([Sentence(words, (True, False))], places, labels)
    assert found is not None
    assert [PIECES[piece] for piece in found.pieces] == ["[CLS]", "cur", "##ries", "rested", "[SEP]"]
    assert found.word_of.tolist() == [0, 1, 1, 2, 0]
    assert lesson([Sentence(("paris",) * (MOST_PIECES + 1), (True,) * (MOST_PIECES + 1))], places, labels) is None


@given(st.integers(1, 5), st.randoms(use_true_random=False))
def test_the_best_heads_are_a_tree_or_nothing(size: int, rng) -> None:  # type: ignore[no-untyped-def]
    scores = np.array([[rng.uniform(-3, 3) for _ in range(size)] for _ in range(size)], np.float32)
    heads = best_tree(scores)
    if heads is None:
        assert size > 2
        return
    (root,) = (word for word in range(size) if heads[word] == word)
    for word in range(size):
        path = [word]
        while path[-1] != root:
            path.append(int(heads[path[-1]]))
            assert len(path) <= size
        if word != root:
            assert scores[word, heads[word]] == max(scores[word, other] for other in range(size) if other != word)


SPANS = st.lists(
    st.tuples(st.integers(1, 3), st.integers(0, 2), st.sampled_from([*ENTITY_LABELS, None])), max_size=3
).map(lambda rows: [(length, gap, label) for length, gap, label in rows])


@given(SPANS, st.lists(st.integers(-1, len(NAME_TAGS) - 1), min_size=15, max_size=15))
def test_given_names_stay_and_only_the_unknown_is_filled(rows, said) -> None:  # type: ignore[no-untyped-def]
    given_names, start = [], 0
    for length, gap, label in rows:
        given_names.append(EntitySpan(start + gap, start + gap + length, label))
        start += gap + length
    found = merged(given_names, np.array(said))
    assert {e for e in given_names if e.label} <= set(found)
    open_words = {i for e in given_names if not e.label for i in range(e.start, e.end)}
    filled = [i for e in found if e not in given_names for i in range(e.start, e.end)]
    assert set(filled) <= open_words
    taken = [i for e in found for i in range(e.start, e.end)]
    assert len(taken) == len(set(taken))
    assert sum(e.end - e.start for e in merged(None, np.array([0] * 15))) == 0


def test_it_learns_what_is_given_and_says_it_where_it_is_not(tmp_path: Path) -> None:
    recipe = replace(RECIPE, epochs=80, dropout=0.0)
    teacher, labels = fit(Tokenizer(), encoder(), GIVEN, recipe, tmp_path, device=CPU)
    both = [Sentence(LIVED.words + RESTED.words, (True,) * 9)]
    groups: list[Group] = [both, *GIVEN]
    found = labelled(teacher, labels, groups, as_lessons(Tokenizer(), groups, labels), batch_pieces=40)
    trees = [(LIVED.heads, LIVED.deps, LIVED.tags), (RESTED.heads, RESTED.deps, RESTED.tags)]
    assert [(s.parsed.heads, s.parsed.deps, s.parsed.tags) for s in found[0] if s.parsed] == trees
    assert [s.entities for s in found[0]] == [NAMES, ()]
    for before, after in zip(GIVEN, found[1:], strict=True):
        assert [s.words for s in after] == [s.words for s in before]
        assert all(b.parsed in (None, a.parsed) for b, a in zip(before, after, strict=True))
        assert all(b.entities in (None, a.entities) for b, a in zip(before, after, strict=True))
    again, same_labels = load(tmp_path / STATE, encoder(), CPU)
    assert same_labels == labels
    batch = batch_of([one for one in as_lessons(Tokenizer(), GIVEN, labels) if one], CPU)
    torch.testing.assert_close(again.encode(batch), teacher.encode(batch))


def test_a_run_that_was_ended_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, _ = fit(Tokenizer(), encoder(), GIVEN, RECIPE, tmp_path / "whole", device=CPU)
    keep = checkpoint.keep

    def keep_and_die(*state: object) -> None:
        keep(*state)  # type: ignore[arg-type]
        if state[-1] == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint, "keep", keep_and_die)
    with pytest.raises(KeyboardInterrupt):
        fit(Tokenizer(), encoder(), GIVEN, RECIPE, tmp_path / "parts", device=CPU)
    monkeypatch.setattr(checkpoint, "keep", keep)
    resumed, _ = fit(Tokenizer(), encoder(), GIVEN, RECIPE, tmp_path / "parts", device=CPU)
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(resumed.state_dict()[name], value)


@pytest.mark.parametrize("epochs", [0, 1])
def test_what_the_pipeline_needs_is_left(tmp_path: Path, epochs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from kgqa.text import piece_training
    from kgqa.text.piece_embed import read_table

    monkeypatch.setattr(piece_training, "_LAYERS", (0, 1, -1))
    monkeypatch.setattr(piece_training, "WIDTH", 8)
    counts = prepare(Tokenizer(), encoder(), GIVEN, replace(RECIPE, epochs=epochs), tmp_path, device=CPU)
    assert counts["words"] == sum(len(one.words) for group in GIVEN for one in group)
    docs = list(spacy.tokens.DocBin().from_disk(tmp_path / DOCS).get_docs(spacy.blank("en").vocab))
    assert len(docs) == counts["documents"]
    pieces, rows, scale = read_table(tmp_path / TABLE)
    assert (pieces, rows.shape, scale.shape) == (PIECES, (len(PIECES), 24), (24,))
    has_tags = [doc.has_annotation("TAG") for doc in docs]
    assert all(has_tags) == (epochs > 0)


def test_documents_keep_words_and_know_where_nothing_is_known() -> None:
    vocab = spacy.blank("en").vocab
    treeless = replace(RESTED, deps=("", "", ""), heads=(0, 1, 2))
    group = [sentence(LIVED, NAMES), sentence(RESTED, ()), sentence(treeless, ()), bare(RESTED), bare(RESTED, ())]
    docs = list(docs_of(vocab, group))
    assert [word.text for doc in docs for word in doc] == [word for one in group for word in one.words]
    known = [[doc.has_annotation(layer) for layer in ("TAG", "DEP", "ENT_IOB")] for doc in docs]
    assert known == [[True, True, True], [True, False, True], [False] * 3, [False, False, True]]
    assert [span.text.strip() for span in docs[0].sents] == ["Marie Curie lived in Paris .", "She rested ."]
    assert [(ent.text, ent.label_) for ent in docs[0].ents] == [("Marie Curie", "PERSON"), ("Paris", "LOC")]


def redocred(tmp_path: Path, content: object) -> Path:
    path = tmp_path / "docs.json.gz"
    with gzip.open(path, "wt", encoding="utf-8") as file:
        json.dump(content, file)
    return path


def test_redocred_names_are_ours_or_unknown(tmp_path: Path) -> None:
    def mention(start: int, end: int, kind: str) -> list[dict[str, object]]:
        return [{"sent_id": 0, "pos": [start, end], "type": kind}]

    words = [
        "The",
        "Bohr",
        "Institute",
        "in",
        "Denmark",
        "gave",
        "a",
        "Danish",
        "Italian",
        "the",
        "Aku",
        "Prize",
        "in",
        "1962",
        "for",
        "physics",
    ]
    entities = [
        mention(1, 2, "PER"), mention(1, 3, "ORG"), mention(4, 5, "LOC"), mention(7, 8, "LOC"), mention(8, 9, "LOC"),
        mention(10, 12, "MISC"), mention(13, 14, "TIME"),
    ]  # fmt: skip
    path = redocred(tmp_path, [{"sents": [words], "vertexSet": entities}])
    lexicon = {("danish",): "MISC", ("physics",): "SCIENCE"}
    ((found,),) = redocred_names(path, lexicon)
    assert [(e.start, e.end, e.label) for e in found.entities] == [
        (1, 3, "ORG"), (4, 5, "LOC"), (7, 8, "MISC"), (8, 9, None), (10, 12, None), (15, 16, None),
    ]  # fmt: skip


def test_another_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file of Re-DocRED"):
        redocred_names(redocred(tmp_path, [{"sents": 3}]), {})
    with pytest.raises(InputError, match="no such file; set KGQA_DATA"):
        redocred_names(tmp_path / "absent.gz", {})


@given(st.lists(st.integers(0, 30), max_size=40), st.integers(1, 100))
def test_batches_hold_everything_once_and_no_more_than_they_may(sizes: list[int], most: int) -> None:
    found = list(batches(sizes, most))
    assert sorted(place for batch in found for place in batch) == [i for i, size in enumerate(sizes) if size]
    assert all(len(batch) == 1 or len(batch) * max(sizes[i] for i in batch) <= most for batch in found)


@pytest.mark.data
@pytest.mark.slow
def test_nothing_that_is_reported_on_is_learned_or_labelled() -> None:
    """By words: Wikigold's last fifth, KnowledgeNet's fold 3, Re-DocRED's last documents. (Of UD-EWT the given files
    share a few sentences, and dev is not read.)"""
    data_root = Path(os.environ.get("KGQA_DATA", "../shared/data"))
    if not data_root.is_dir():
        pytest.skip(f"no data sets in {data_root}")
    learned = {
        one.words for group in groups(data_root, folds=["1", "2"], num_documents=400, seed=0, name_repeats=1)
        for one in group if len(one.words) > 8
    }  # fmt: skip
    ner = data_root / "ner"
    reported = [one.words for one in wikigold(ner / "wikigold.conll.gz", held_back=True)]
    documents = redocred_names(data_root / "redocred" / "dev_revised.json.gz", {})
    reported += [one.words for document in documents[400:] for one in document]
    nlp = spacy.blank("en")
    texts = knowledgenet(data_root / "knowledgenet" / "folds123.jsonl.gz")
    reported += [tuple(token.text for token in nlp.make_doc(one.text)) for one in texts if one.fold == "3"]
    shared = [words for words in reported if words in learned]
    assert not shared, shared[:3]
