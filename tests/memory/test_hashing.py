"""The hashing embedder: unit rows, one text one vector, likeness of names, the same values for ever."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kgqa.memory.hashing import HashingEmbedder

HASHING = HashingEmbedder()
NAMES = ["Peter Fonda", "Jane Fonda", "The Godfather", "Marie Curie", "Polonium", "It", "$9.99", "千と千尋の神隠し"]
TEXTS = st.lists(st.text(max_size=20), max_size=6)


@given(TEXTS)
@settings(deadline=None)
def test_hashing_gives_unit_rows_that_do_not_depend_on_the_batch(texts):
    vectors = HASHING.embed(texts)
    assert vectors.shape == (len(texts), HASHING.width)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    for text, vector in zip(texts, vectors, strict=True):
        np.testing.assert_allclose(HASHING.embed([text])[0], vector, atol=1e-6)


@given(st.text(max_size=20))
@settings(deadline=None)
def test_hashing_drops_case_and_accents(text):
    other = text.upper() if text.upper().lower() == text.lower() else text
    np.testing.assert_allclose(HASHING.embed([text]), HASHING.embed([other]), atol=1e-6)
    np.testing.assert_allclose(HASHING.embed(["André Téchiné"]), HASHING.embed(["andre, techine!"]), atol=1e-6)


@pytest.mark.parametrize(
    ("name", "like", "unlike"),
    [
        ("Peter Fonda", "Pter Fonda", "Jane Fonda"),
        ("Peter Fonda", "Fonda, Peter", "Peter Jackson"),
        ("The Godfather", "Godfather", "The Grandmother"),
        ("Marie Curie", "Maria Curie", "Pierre Curie"),
        ("directed by", "director", "written by"),
    ],
)
def test_hashing_puts_similar_names_closer(name, like, unlike):
    vectors = HASHING.embed([name, like, unlike])
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]


def test_hashing_keeps_different_names_apart():
    similar = HashingEmbedder(1024).embed(NAMES) @ HashingEmbedder(1024).embed(NAMES).T
    assert (similar - np.eye(len(NAMES))).max() < 0.6
    unrelated = HASHING.embed(["", "!!!", "a"])
    assert (unrelated @ unrelated.T - np.eye(3)).max() < 0.9


def test_hashing_is_the_same_in_every_process():
    code = (
        "from kgqa.memory.hashing import HashingEmbedder as H; print(H(64).embed(['Peter Fonda', '']).tobytes().hex())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == HashingEmbedder(64).embed(["Peter Fonda", ""]).tobytes().hex()
    # And in every version: stored vectors stay comparable as long as the identity says so.
    assert HASHING.name == "hashing-v1-256"
    np.testing.assert_array_equal(np.flatnonzero(HashingEmbedder(64).embed(["ab"])), [4, 21, 38, 48])
