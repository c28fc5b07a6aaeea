"""Weights from pronouns whose antecedent is known: the readers of both sets, the ranker, and the whole on two texts."""

import gzip
import json
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kgqa.text.gap import nested, read_rows
from kgqa.text.gum import chained_texts
from kgqa.text.train_coreference import FIRST_WEIGHTS, Choice, fit, train

HEADER = "ID\tText\tPronoun\tPronoun-offset\tA\tA-offset\tA-coref\tB\tB-offset\tB-coref\tURL"


def gap_file(path: Path, *texts: str) -> Path:
    """Rows in which Bohr, who is named first, is meant by the last "he"; quotes are characters like others."""
    rows = [HEADER]
    for number, text in enumerate(texts):
        he, bohr, hahn = text.rindex("he "), text.index("Niels Bohr"), text.index("Otto Hahn")
        url = "http://x/wiki/Niels_Bohr_(physicist)"
        rows.append(f"r-{number}\t{text}\the\t{he}\tNiels Bohr\t{bohr}\tTRUE\tOtto Hahn\t{hahn}\tFALSE\t{url}")
    path.write_bytes(gzip.compress("\n".join([*rows, ""]).encode()))
    return path


GUM = """# newdoc id = one
# newpar
# sent_id = 1
1	Ada	Ada	PROPN	NNP	_	2	nsubj	_	Entity=(1-person-new-nnnnn-cf1-1-sgl)
2	met	meet	VERB	VBD	_	0	root	_	_
3	Eve	Eve	PROPN	NNP	_	2	obj	_	Entity=(2-person-new-nnnnn-cf1-1,2-sgl|SpaceAfter=No
4	,	,	PUNCT	,	_	6	punct	_	_
5	her	her	PRON	PRP$	_	6	nmod:poss	_	Entity=(1-person-giv-nnnnn-cf1-1-ana)
6	friend	friend	NOUN	NN	_	3	appos	_	Entity=2)|SpaceAfter=No
7	.	.	PUNCT	.	_	2	punct	_	_

# newpar
# sent_id = 2
1	She	she	PRON	PRP	_	2	nsubj	_	Entity=(1-person-giv-nnnnn-cf1-1-ana)
2	left	leave	VERB	VBD	_	0	root	_	SpaceAfter=No
3	.	.	PUNCT	.	_	2	punct	_	_

# newdoc id = two
# sent_id = 3
1	Rain	rain	NOUN	NN	_	2	nsubj	_	Entity=(1-event-new-nnnnn-cf1-1-sgl)
2	fell	fall	VERB	VBD	_	0	root	_	_
"""


def test_a_row_s_offsets_are_characters_of_its_text(tmp_path: Path) -> None:
    text = 'Niels Bohr "é😀 met Otto Hahn when he left.'
    (row,) = read_rows(gap_file(tmp_path / "gap.tsv.gz", text))
    assert [row.text[slice(*span)] for span in (row.pronoun, *row.names)] == ["he", "Niels Bohr", "Otto Hahn"]
    assert (row.title, row.meant) == ("Niels Bohr", (True, False))


@given(st.tuples(st.integers(0, 9), st.integers(1, 5)), st.tuples(st.integers(0, 9), st.integers(1, 5)))
def test_nested_is_containment_of_characters(one: tuple[int, int], other: tuple[int, int]) -> None:
    first, second = ((start, start + length) for start, length in (one, other))
    sets = set(range(*first)), set(range(*second))
    assert nested(first, second) == (sets[0] <= sets[1] or sets[1] <= sets[0])


def test_chains_point_at_the_text(tmp_path: Path) -> None:
    path = tmp_path / "gum.conllu"
    path.write_text(GUM, "utf-8")
    first, second = chained_texts(path)
    assert first.text == "Ada met Eve, her friend.\n\nShe left. "
    texts = {
        chain: [(first.text[slice(*span)], first.text[slice(*head)]) for span, head in mentions]
        for chain, mentions in first.chains.items()
    }
    assert texts == {"1": [("Ada", "Ada"), ("her", "her"), ("She", "She")], "2": [("Eve, her friend", "Eve")]}
    assert second.text.split() == ["Rain", "fell"]
    assert list(second.chains) == ["1"]


def test_the_ranker_learns_what_tells_and_nothing_of_what_does_not() -> None:
    near, far = ("near", "both"), ("far", "both")
    weights = fit([Choice([near, far], [True, False])] * 9 + [Choice([near, far], [False, True])], l2=1e-6)
    odds = weights["near"] - weights["far"]
    assert odds == pytest.approx(math.log(9), abs=0.01)  # what maximises the likelihood of 9 in 10
    assert weights["both"] == pytest.approx(0, abs=1e-3)


@given(st.floats(0.1, 10))
@settings(deadline=None)
def test_a_penalty_makes_weights_smaller_and_keeps_their_order(l2: float) -> None:
    choices = [Choice([("near",), ("far",)], [True, False])] * 5
    weak, strong = fit(choices, l2=l2), fit(choices, l2=4 * l2)
    assert weak["near"] > strong["near"] > 0 > strong["far"] > weak["far"]


def test_features_that_were_hardly_seen_have_no_weight() -> None:
    choices = [Choice([("near",), ("far",)], [True, False])] * 3 + [Choice([("odd",), ("far",)], [True, False])]
    assert set(fit(choices, l2=1.0)) == {"near", "far"}


def test_the_whole_is_the_same_each_time_and_learns_from_both_sets(tmp_path: Path) -> None:
    texts = [f"Niels Bohr met Otto Hahn in {town}. Then he left." for town in ("Oslo", "Rome", "Bern")]
    gap, gum = gap_file(tmp_path / "gap.tsv.gz", *texts), tmp_path / "gum.conllu"
    gum.write_text(GUM, "utf-8")
    weights, counts = train(gap, gum, pipeline="en_kgqa", l2=1.0, rounds=2)
    again, _ = train(gap, gum, pipeline="en_kgqa", l2=1.0, rounds=2)
    assert json.dumps(weights) == json.dumps(again)
    assert counts["documents"] == 8
    assert counts["choices"] >= 6
    assert weights["was subject last"] > 0 > weights["object last"]
    assert set(FIRST_WEIGHTS) != set(weights)
