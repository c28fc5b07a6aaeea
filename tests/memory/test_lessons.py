"""Batches of lessons: the same whatever was drawn before, of what is alike, and nothing right counts as wrong."""

import random

import numpy as np
import pytest

from kgqa.memory import lessons as module
from kgqa.memory.lessons import Batches, Lessons
from kgqa.memory.noise import noisy, slip

NUM, NUM_RELATIONS = 30, 3


def made(num_questions: int = 20) -> Lessons:
    rng = np.random.default_rng(0)
    heads = rng.integers(0, NUM, 120)
    tails = (heads + rng.integers(1, NUM, 120)) % NUM  # no loops: a query then names its parts unambiguously
    facts = np.unique(np.stack([heads, rng.integers(0, NUM_RELATIONS, 120), tails], axis=1), axis=0)
    return Lessons(
        entities=[f"e{i}" for i in range(NUM)],
        relations=[f"r{i}" for i in range(NUM_RELATIONS)],
        facts=facts,
        aliases=[("another name", 3), ("third name", 3), ("other", 17)],
        questions=[(f"q{i}", (i, i + 1)) for i in range(num_questions)],
    )


def same(one, other) -> bool:
    return all(np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b for a, b in zip(one, other, strict=True))


def test_a_batch_depends_on_seed_and_step_alone():
    batches, again = Batches(made(), 1000, 5), Batches(made(), 1000, 5)
    for step in range(3):
        again.names(step + 7, 16)
        assert same(batches.names(step, 16), again.names(step, 16))
        assert same(batches.facts(step, 8), again.facts(step, 8))
    assert batches.names(0, 16).names != batches.names(1, 16).names
    assert batches.names(0, 16).queries != Batches(made(), 1000, 6).names(0, 16).queries


def test_names_of_the_same_words_are_not_told_apart():
    words = ["Fonda Peter", "Peter Fonda", "peter  fonda!", "Peter Jackson", "It"]
    batches = Batches(Lessons(words, ["r"], np.array([[0, 0, 1]])), 1000, 0)
    batch = next(found for step in range(9) if len((found := batches.names(step, 16)).names) == 5)
    alike = np.array([["fonda" in name.casefold() for name in batch.names]])
    np.testing.assert_array_equal(batch.barred, (alike & alike.T) & ~np.eye(5, dtype=bool))


def test_aliases_are_asked_for_and_come_first_when_there_are_too_many_names(monkeypatch):
    monkeypatch.setattr(module, "noisy", lambda name, draw: name)
    batches = Batches(made(), 5, 0)
    assert {3, 17} < set(batches.pool.tolist())
    assert len(batches.pool) == 5
    pairs = {pair for step in range(30) for pair in zip(*batches.names(step, 16)[:2], strict=True)}
    assert {("another name", "e3"), ("third name", "e3"), ("e3", "e3"), ("other", "e17")} < pairs
    assert all(query == name for query, name in pairs if name not in ("e3", "e17"))


def parts_of(query: str, fact: list[int]) -> list[int]:
    """Which parts of its fact a query names."""
    texts = f"e{fact[0]}", f"r{fact[1]}", f"e{fact[2]}"
    return [part for part in range(3) if texts[part] in query.split()]


@pytest.mark.parametrize("num_questions", [0, 20])
def test_what_is_also_right_is_barred_and_nothing_else(monkeypatch, num_questions):
    monkeypatch.setattr(module, "noisy", lambda name, draw: name)
    lessons = made(num_questions)
    batches = Batches(lessons, 1000, 0)
    rows = {tuple(fact): row for row, fact in enumerate(lessons.facts.tolist())}
    asked = 0
    for step in range(10):
        batch = batches.facts(step, 8)
        assert len(batch.facts) == 24
        for i, query in enumerate(batch.queries):
            own = batch.facts[i].tolist()
            if query.startswith("q"):
                asked += 1
                right = dict(lessons.questions)[query]
                assert rows[tuple(own)] in right
                expected = [rows[tuple(fact)] in right for fact in batch.facts.tolist()]
            else:
                named = parts_of(query, own)
                assert len(named) == 2
                expected = [all(fact[part] == own[part] for part in named) for fact in batch.facts.tolist()]
            expected[i] = False
            assert batch.barred[i].tolist() == expected
        ends = [{*fact} for fact in batch.facts[:, [0, 2]].tolist()]
        assert all(ends[i] & ends[i % 8] for i in range(24))  # a candidate is about an entity of a query's own fact
    assert asked == (40 if num_questions else 0)


def test_slips_change_one_letter_and_no_digit():
    draw = random.Random(0)
    seen = {slip("ab", draw) for _ in range(500)}
    assert {"b", "a", "ba", "aab", "cb", "ac"} <= seen
    assert "" not in seen
    for name in ("1984", "", "$ 9"):
        assert slip(name, draw) == noisy(name, draw) == name
    assert all(slip("Blade Runner 2049", draw).endswith("2049") for _ in range(200))
    shorter = {noisy("Jean Luc Godard", draw) for _ in range(300)}
    assert any(len(name.split()) == 2 for name in shorter)
