"""The shipped English pipeline and the readers that its training data comes through."""

import hashlib
import random
from pathlib import Path

import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from kgqa.errors import InputError
from kgqa.text.finish_nlp import Finish, _chosen, _know_lemmas, finish
from kgqa.text.gum import gum_names
from kgqa.text.nlp_corpus import ENTITY_LABELS, build_lexicon, in_runs, mark_unknown, resolve_misc
from kgqa.text.train_nlp import bytes_on_disk, save_pipeline, train_pipeline
from kgqa.text.treebank import (
    EntitySpan,
    NamedSentence,
    entity_spans,
    guess_spaces,
    named_doc,
    parsed_doc,
    read_conllu,
    read_iob,
    write_docs,
)

MODEL = Path(__file__).parents[2] / "kgqa" / "text" / "models" / "en_kgqa"
MAX_BYTES = 15_000_000
TEXT = (
    "Marie Curie was born in Warsaw in 1867. She moved to Paris, where she studied physics at the Sorbonne. "
    "In 1903 she shared the Nobel Prize in Physics with Pierre Curie and Henri Becquerel. "
    "Polonium was discovered by the Curies in a shed."
)
TINY = """# newdoc id = a
# newpar
# text = Don't stop.
1-2\tDon't\t_\t_\t_\t_\t_\t_\t_\t_
1\tDo\tdo\tAUX\tVB\t_\t3\taux\t_\t_
2\tn't\tnot\tPART\tRB\t_\t3\tadvmod\t_\t_
3\tstop\tstop\tVERB\tVB\t_\t0\troot\t_\tSpaceAfter=No
4\t.\t.\tPUNCT\t.\t_\t3\tpunct\t_\t_

1\tGo\tgo\tVERB\tVB\t_\t0\troot\t_\t_
1.1\tempty\t_\t_\t_\t_\t_\t_\t_\t_
2\taway\taway\tADV\tRB\t_\t1\tadvmod\t_\t_
"""


@pytest.fixture(scope="module")
def nlp() -> Language:
    return spacy.load(MODEL)


@pytest.fixture(scope="module")
def doc(nlp: Language) -> Doc:
    return nlp(TEXT)


def conllu(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "tiny.conllu"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_component_listens_to_the_one_shared_tok2vec(nlp: Language) -> None:
    names = ["tagger", "morphologizer", "parser", "trainable_lemmatizer", "ner"]
    assert nlp.pipe_names == ["tok2vec", *names, "kgqa_name_types"]
    assert sorted(nlp.get_pipe("tok2vec").listening_components) == sorted(names)


def test_shipped_files_are_small_and_hold_no_pickle_and_no_path() -> None:
    assert bytes_on_disk(MODEL) <= MAX_BYTES
    assert not [path for path in MODEL.rglob("*") if path.suffix in {".pkl", ".pickle"}]
    assert all(path.read_bytes()[:2] != b"\x80\x04" for path in MODEL.rglob("*") if path.is_file())
    assert "train = null" in (MODEL / "config.cfg").read_text(encoding="utf-8")


def test_entity_labels_are_the_documented_ones(nlp: Language) -> None:
    assert sorted(nlp.get_pipe("ner").labels) == sorted(ENTITY_LABELS)


def test_text_round_trips_and_every_token_is_annotated(doc: Doc) -> None:
    assert "".join(token.text_with_ws for token in doc) == TEXT
    assert all(token.tag_ and token.pos_ and token.dep_ and token.lemma_ for token in doc)


def test_heads_form_one_tree_in_each_sentence(doc: Doc) -> None:
    for sentence in doc.sents:
        roots = [token for token in sentence if token.head.i == token.i]
        assert roots == [sentence.root]
        assert sorted(token.i for token in sentence.root.subtree) == list(range(sentence.start, sentence.end))


def test_prose_is_split_into_its_sentences(doc: Doc) -> None:
    assert [sentence[0].text for sentence in doc.sents] == ["Marie", "She", "In", "Polonium"]


def test_names_of_the_domain_are_found(doc: Doc) -> None:
    found = {(ent.text, ent.label_) for ent in doc.ents}
    assert {("Marie Curie", "PERSON"), ("Warsaw", "LOC"), ("Paris", "LOC"), ("Pierre Curie", "PERSON")} <= found


@pytest.mark.parametrize(
    ("text", "word", "dep", "head"),
    [
        ("Marie Curie discovered polonium in Paris.", "polonium", "obj", "discovered"),
        ("Marie Curie discovered polonium in Paris.", "Paris", "obl", "discovered"),
        ("Polonium was discovered by Marie Curie.", "Polonium", "nsubj:pass", "discovered"),
        ("Albert Einstein was a physicist.", "Einstein", "flat", "Albert"),
        ("Albert Einstein was a physicist.", "was", "cop", "physicist"),
        ("The book which Newton wrote was long.", "wrote", "acl:relcl", "book"),
    ],
)
def test_parses_follow_universal_dependencies(nlp: Language, text: str, word: str, dep: str, head: str) -> None:
    token = next(token for token in nlp(text) if token.text == word)
    assert (token.dep_, token.head.text) == (dep, head)


def test_lemmas_of_irregular_and_regular_words(nlp: Language) -> None:
    lemmas = {token.text: token.lemma_ for token in nlp("He wrote two books and was elected in the cities.")}
    assert [lemmas[word] for word in ("wrote", "books", "was", "cities")] == ["write", "book", "be", "city"]


@pytest.mark.parametrize("text", ["", " ", "\n\n", "?!", "a" * 300, "E = mc² … ☃", "who discovered radium"])
def test_odd_text_is_annotated_without_failing(nlp: Language, text: str) -> None:
    assert nlp(text).text == text


def test_documents_do_not_depend_on_their_neighbours(nlp: Language, doc: Doc) -> None:
    together = list(nlp.pipe(["Something else.", TEXT, "Who won the prize?"]))[1]
    assert [(t.tag_, t.dep_, t.head.i, t.ent_type_) for t in together] == [
        (t.tag_, t.dep_, t.head.i, t.ent_type_) for t in doc
    ]


def test_conllu_keeps_spaces_of_multiword_tokens_and_leaves_out_empty_nodes(tmp_path: Path) -> None:
    first, second = read_conllu(conllu(tmp_path, TINY))
    assert (first.words, first.spaces) == (("Do", "n't", "stop", "."), (False, True, False, True))
    assert (first.heads, first.deps[2]) == ((2, 2, 2, 2), "ROOT")
    assert (first.starts_paragraph, second.starts_paragraph, second.words) == (True, False, ("Go", "away"))


def test_parsed_sentences_join_to_one_document(nlp: Language, tmp_path: Path) -> None:
    joined = parsed_doc(nlp.vocab, list(read_conllu(conllu(tmp_path, TINY))))
    assert joined.text.strip() == "Don't stop. Go away"
    assert [sentence.text for sentence in joined.sents] == ["Don't stop.", "Go away"]
    assert not joined.has_annotation("ENT_IOB")
    assert write_docs([joined], tmp_path / "out" / "docs.spacy") == (1, 6)


@pytest.mark.parametrize(
    ("old", "new", "line", "complaint"),
    [
        ("3\tstop\tstop", "3 stop\tstop", 7, "9 columns"),
        ("4\t.\t.", "5\t.\t.", 8, "token id '5' where 4 was due"),
        ("\tVB\t_\t0\troot\t_\tSpaceAfter=No", "\tVB\t_\tx\troot\t_\tSpaceAfter=No", 7, "head 'x'"),
        ("\t_\t3\tpunct", "\t_\t9\tpunct", 8, "head '9'"),
        ("1-2\tDon't", "1-9\tDon't", 4, "range '1-9'"),
    ],
)
def test_malformed_conllu_names_file_and_line(tmp_path: Path, old: str, new: str, line: int, complaint: str) -> None:
    path = conllu(tmp_path, TINY.replace(old, new))
    with pytest.raises(InputError, match=rf"tiny\.conllu:{line}: .*{complaint}"):
        list(read_conllu(path))


def test_missing_file_is_refused_with_its_remedy(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.conllu: no such file; set KGQA_DATA"):
        list(read_conllu(tmp_path / "absent.conllu"))


def test_iob_reads_both_schemes_and_counts_documents() -> None:
    lines = ["Jo\tI-PER", "Ann\tI-PER", "", "-DOCSTART-\tO", "Bonn\tB-LOC", "Ulm\tB-LOC", "ok\tO"]
    first, second = read_iob(lines)
    assert first.entities == (EntitySpan(0, 2, "PER"),)
    assert second.entities == (EntitySpan(0, 1, "LOC"), EntitySpan(1, 2, "LOC"))
    assert (first.block, second.block) == (0, 1)


@pytest.mark.parametrize("row", ["Bonn", "Bonn\tPLACE", "Bonn\tB-"])
def test_malformed_iob_names_the_line(row: str) -> None:
    with pytest.raises(InputError, match=r"<lines>:2: label"):
        list(read_iob(["ok\tO", row]))


def test_entity_spans_part_neighbours_of_different_kinds() -> None:
    assert list(entity_spans(["I-A", "I-B", "B-B", "O"])) == [
        EntitySpan(0, 1, "A"),
        EntitySpan(1, 2, "B"),
        EntitySpan(2, 3, "B"),
    ]


def test_guessed_spaces_follow_english_typography() -> None:
    words = ['"', "Do", "n't", '"', ",", "he", "said", "(", "twice", ")", "."]
    spaces = guess_spaces(words)
    assert "".join(w + " " * s for w, s in zip(words, spaces, strict=True)).strip() == '"Don\'t", he said (twice).'


def test_unlabelled_spans_are_unknown_and_the_rest_is_outside(nlp: Language) -> None:
    spans = (EntitySpan(0, 1, "PERSON"), EntitySpan(2, 3, None))
    doc = named_doc(nlp.vocab, [NamedSentence(("Bohr", "taught", "physics", "."), spans, 0)])
    assert [token.ent_iob_ for token in doc] == ["B", "O", "", "O"]


def test_a_poorer_set_does_not_teach_that_richer_names_are_nothing() -> None:
    rich = NamedSentence(("organic", "chemistry", "and", "Radium"), (EntitySpan(0, 2, "SCIENCE"),), 0)
    poor = NamedSentence(("She", "taught", "Organic", "Chemistry", "there"), (EntitySpan(0, 1, "PERSON"),), 0)
    marked = mark_unknown(poor, build_lexicon([rich]), frozenset({"SCIENCE"}))
    assert marked.entities == (EntitySpan(0, 1, "PERSON"), EntitySpan(2, 4, None))
    assert mark_unknown(poor, build_lexicon([rich]), frozenset({"WORK"})) == poor


def test_misc_is_resolved_by_lexicon_then_by_cue_then_left_unknown() -> None:
    words = ("German", "Nobel", "Prize", "Osc-Dis", "Bonn")
    spans = (EntitySpan(0, 1, "MISC"), EntitySpan(1, 3, "MISC"), EntitySpan(3, 4, "MISC"), EntitySpan(4, 5, "LOC"))
    resolved = resolve_misc(NamedSentence(words, spans, 0), {("german",): "MISC"})
    assert [entity.label for entity in resolved.entities] == ["MISC", "AWARD", None, "LOC"]


def test_gum_names_take_the_shortest_form_without_title(tmp_path: Path) -> None:
    mark = "Entity=(1-person-new-nnnnn-cf1-1,2,3-sgl-Niels_Bohr"
    rows = [
        f"1\tProfessor\tprofessor\tPROPN\tNNP\t_\t2\tnmod:desc\t_\t{mark}",
        "2\tNiels\tNiels\tPROPN\tNNP\t_\t4\tnsubj\t_\t_",
        "3\tBohr\tBohr\tPROPN\tNNP\t_\t2\tflat\t_\tEntity=1)",
        "4\tleft\tleave\tVERB\tVBD\t_\t0\troot\t_\t_",
        "5\tDanish\tDanish\tADJ\tJJ\t_\t4\tobj\t_\t_",
    ]
    (sentence,) = read_conllu(conllu(tmp_path, "\n".join(rows) + "\n"))
    assert gum_names(sentence) == (EntitySpan(0, 1, None), EntitySpan(1, 3, "PERSON"), EntitySpan(4, 5, None))


def test_runs_cover_every_sentence_once_and_in_order() -> None:
    sentences = [NamedSentence((str(i),), (), 0) for i in range(23)]
    runs = list(in_runs(sentences, random.Random(3)))
    assert [sentence for run in runs for sentence in run] == sentences
    assert max(map(len, runs)) <= 4


def test_training_refuses_no_epochs(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="epochs=0"):
        _train(tmp_path, epochs=0)


def test_training_says_what_must_come_first(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"docs\.spacy: no such file; run train_extractor with parts=\[teacher"):
        _train(tmp_path, epochs=1)


def _train(folder: Path, epochs: int) -> None:
    train_pipeline(
        train_docs=folder / "docs.spacy", table=folder / "pieces.safetensors", data_root=folder, num_documents=400,
        work_dir=folder, output_dir=folder, seed=0, epochs=epochs,
        last=Finish(0, 0.0, 0.0),
    )  # fmt: skip


def test_the_last_part_is_trained_on_all_given_trees_and_some_others(nlp: Language) -> None:
    given = [nlp(f"She wrote {number} books. They were published in Paris.") for number in range(20)]
    others = [Doc(nlp.vocab, [word.text for word in doc], tags=[word.tag_ for word in doc]) for doc in given]
    chosen = _chosen([*others, *given], 0.5, seed=0)
    assert len(chosen) == 20 + 11
    assert {id(doc) for doc in given} < {id(doc) for doc in chosen}


def test_a_lemmatizer_that_was_read_is_taught_the_lemmas_that_it_gives() -> None:
    pipeline = spacy.load(MODEL)
    lemmatizer = pipeline.get_pipe("trainable_lemmatizer")
    read = pipeline(TEXT)
    scores = [lemmatizer.model.ops.softmax(found) for found in lemmatizer.model.predict([read])]
    forgotten, _ = lemmatizer.get_loss([Example(read, read)], scores)
    _know_lemmas(pipeline)
    known, _ = lemmatizer.get_loss([Example(read, read)], scores)
    assert known < 0.1 * forgotten


@pytest.mark.slow
def test_the_last_part_goes_on_from_what_the_pipeline_knows(nlp: Language, tmp_path: Path) -> None:
    docs = [nlp(f"She wrote {number} books. They were published in Paris.") for number in range(20)]
    write_docs(docs, tmp_path / "docs.spacy")
    write_docs(docs[:2], tmp_path / "dev.spacy")
    result = finish(
        MODEL, train_docs=tmp_path / "docs.spacy", dev_docs=tmp_path / "dev.spacy", recipe=Finish(4, 1e-3, 0.5), seed=0,
        work_dir=tmp_path / "finish",
    )  # fmt: skip
    assert [word.lemma_ for word in spacy.load(result)(TEXT)] == [word.lemma_ for word in nlp(TEXT)]


def test_saving_drops_the_training_words_and_changes_no_annotation(nlp: Language, doc: Doc, tmp_path: Path) -> None:
    reloaded = spacy.load(MODEL)
    reloaded.vocab.strings.add("a-word-of-the-training-text")
    save_pipeline(reloaded, tmp_path / "saved")
    saved = spacy.load(tmp_path / "saved")
    assert "a-word-of-the-training-text" not in saved.vocab.strings
    assert saved(TEXT).to_json() == doc.to_json()
    assert saved.meta["license"] == "CC BY-SA 4.0"


def test_the_model_card_names_the_digest_of_the_shipped_files() -> None:
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(MODEL).as_posix()}\n"
        for path in sorted(MODEL.rglob("*"), key=lambda path: path.relative_to(MODEL).as_posix())
        if path.is_file()
    ]
    digest = hashlib.sha256("".join(lines).encode()).hexdigest()
    assert digest in (MODEL.parent / "README.md").read_text(encoding="utf-8")
