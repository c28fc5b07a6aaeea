"""Grammatical roles on parses written by hand: what holds for any pipeline with Universal Dependencies."""

import pytest

from kgqa.text import clauses
from kgqa.text.assertion import denied
from kgqa.text.nlp import Parse


def tree(*rows: str) -> Parse:
    """A one-sentence parse; a row is `word POS TAG dep head`, head counted from 1, 0 for the root."""
    columns = [row.split() for row in rows]
    heads = [int(row[4]) - 1 if row[4] != "0" else place for place, row in enumerate(columns)]
    words = [row[0] for row in columns]
    starts = [sum(len(word) + 1 for word in words[:place]) for place in range(len(words))]
    ends = [start + len(word) for start, word in zip(starts, words, strict=True)]
    return Parse(
        words,
        words,
        [row[1] for row in columns],
        [row[2] for row in columns],
        [row[3] for row in columns],
        heads,
        starts,
        ends,
        [(0, len(words))],
        [],
    )


ACTIVE = tree(
    "Curie PROPN NNP nsubj 2",
    "discovered VERB VBD root 0",
    "radium NOUN NN obj 2",
    "and CCONJ CC cc 5",
    "named VERB VBD conj 2",
    "it PRON PRP obj 5",
    ". PUNCT . punct 2",
)
PASSIVE = tree(
    "Radium NOUN NN nsubj:pass 3",
    "was AUX VBD aux:pass 3",
    "discovered VERB VBN root 0",
    "by ADP IN case 5",
    "Curie PROPN NNP obl:agent 3",
    "in ADP IN case 7",
    "Paris PROPN NNP obl 3",
    ". PUNCT . punct 3",
)
RELATIVE = tree(
    "Radium NOUN NN root 0",
    ", PUNCT , punct 5",
    "which PRON WDT obj 5",
    "Curie PROPN NNP nsubj 5",
    "discovered VERB VBD acl:relcl 1",
    ". PUNCT . punct 1",
)
PARTICIPLE = tree(
    "an DET DT det 2",
    "element NOUN NN root 0",
    "discovered VERB VBN acl 2",
    "by ADP IN case 5",
    "Curie PROPN NNP obl 3",
)


@pytest.mark.parametrize(
    ("parse", "verb", "agent", "patient"),
    [(ACTIVE, 1, 0, 2), (ACTIVE, 4, 0, 5), (PASSIVE, 2, 4, 0), (RELATIVE, 4, 3, 2), (PARTICIPLE, 2, 4, 1)],
)
def test_agent_and_patient_do_not_depend_on_the_voice(parse: Parse, verb: int, agent: int, patient: int) -> None:
    assert clauses.agents(parse, verb)[0] == [agent]
    assert clauses.patients(parse, verb)[0] == [patient]


def test_an_object_relative_means_what_stands_before_it() -> None:
    parse = tree("the DET DT det 2", "element NOUN NN root 0", "she PRON PRP nsubj 4", "found VERB VBD acl:relcl 2")
    assert clauses.objects(parse, 3)[0] == [1]


def test_control_takes_the_object_as_subject() -> None:
    parse = tree(
        "A DET DT det 2",
        "grant NOUN NN nsubj 3",
        "allowed VERB VBD root 0",
        "her PRON PRP obj 3",
        "to PART TO mark 6",
        "study VERB VB xcomp 3",
    )
    assert clauses.subject(parse, 5) == [3]


def test_a_phrase_is_found_by_its_preposition_wherever_it_hangs() -> None:
    assert clauses.prepositional(PASSIVE, 2, frozenset({"in"}))[0] == [6]
    misattached = tree(
        "She PRON PRP nsubj 2",
        "studied VERB VBD root 0",
        "physics NOUN NN obj 2",
        "at ADP IN case 5",
        "Oslo PROPN NNP nmod 3",
    )
    own, nested, after = clauses.prepositional(misattached, 1, frozenset({"at"}))
    assert (own, nested, after) == ([], [4], [4])


def test_the_next_clause_is_out_of_reach() -> None:
    parse = tree(
        "He PRON PRP nsubj 2",
        "left VERB VBD root 0",
        "when ADV WRB advmod 5",
        "she PRON PRP nsubj 5",
        "taught VERB VBD advcl 2",
        "in ADP IN case 7",
        "Oslo PROPN NNP obl 5",
    )
    assert clauses.prepositional(parse, 1, frozenset({"in"}))[2] == []


@pytest.mark.parametrize(
    ("parse", "noun", "denoted"),
    [
        (tree("Bohr PROPN NNP nsubj 4", "was AUX VBD cop 4", "a DET DT det 4", "student NOUN NN root 0"), 3, 0),
        (tree("Bohr PROPN NNP root 0", ", PUNCT , punct 4", "a DET DT det 4", "student NOUN NN appos 1"), 3, 0),
        (tree("Bohr PROPN NNP root 0", ", PUNCT , punct 4", "a DET DT det 4", "student NOUN NN conj 1"), 3, 0),
        (tree("the DET DT det 2", "author NOUN NN nsubj 4", "was AUX VBD cop 4", "Bohr PROPN NNP root 0"), 1, 3),
        (tree("Bohr PROPN NNP nsubj 2", "became VERB VBD root 0", "director NOUN NN xcomp 2"), 2, 0),
        (tree("Bohr PROPN NNP nsubj 2", "served VERB VBD root 0", "as ADP IN case 4", "head NOUN NN obl 2"), 3, 0),
        (tree("her PRON PRP$ nmod:poss 2", "husband NOUN NN root 0", "Bohr PROPN NNP appos 2"), 1, 2),
        (tree("physicist NOUN NN nmod:desc 2", "Bohr PROPN NNP root 0"), 0, 1),
    ],
)
def test_a_noun_is_said_of_someone(parse: Parse, noun: int, denoted: int) -> None:
    assert clauses.denoted(parse, noun)[0] == [denoted]


def test_an_owner_is_a_genitive_or_a_possessive() -> None:
    parse = tree("Bohr PROPN NNP nmod:poss 3", "'s PART POS case 1", "student NOUN NN root 0")
    assert clauses.owners(parse, 2)[0] == [0]
    misparsed = tree("his PRON PRP$ det 3", "young ADJ JJ amod 3", "student NOUN NN root 0")
    assert clauses.owners(misparsed, 2) == [[], [0]]


@pytest.mark.parametrize(
    ("parse", "verb", "is_denied"),
    [
        (ACTIVE, 1, False),
        (tree("He PRON PRP nsubj 4", "did AUX VBD aux 4", "not PART RB advmod 4", "discover VERB VB root 0"), 3, True),
        (tree("He PRON PRP nsubj 4", "might AUX MD aux 4", "have AUX VB aux 4", "found VERB VBN root 0"), 3, True),
        (tree("He PRON PRP nsubj 4", "would AUX MD aux 4", "later ADV RB advmod 4", "found VERB VB root 0"), 3, False),
        (tree("He PRON PRP nsubj 2", "tried VERB VBD root 0", "to PART TO mark 4", "find VERB VB xcomp 2"), 3, True),
        (
            tree("They PRON PRP nsubj 2", "claimed VERB VBD root 0", "he PRON PRP nsubj 4", "died VERB VBD ccomp 2"),
            3,
            True,
        ),
        (
            tree("They PRON PRP nsubj 2", "wrote VERB VBD root 0", "he PRON PRP nsubj 4", "died VERB VBD ccomp 2"),
            3,
            False,
        ),
        (tree("Did AUX VBD aux 3", "he PRON PRP nsubj 3", "die VERB VB root 0", "? PUNCT . punct 3"), 2, True),
        (tree("if SCONJ IN mark 3", "he PRON PRP nsubj 3", "died VERB VBD root 0"), 2, True),
        (tree("He PRON PRP nsubj 3", "reportedly ADV RB advmod 3", "died VERB VBD root 0"), 2, True),
    ],
)
def test_only_what_is_asserted_counts(parse: Parse, verb: int, is_denied: bool) -> None:
    assert denied(parse, verb) is is_denied
