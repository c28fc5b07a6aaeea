"""Batches hold every question once, with the sentences before it; no text is there for nothing."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kgqa.stories.babi import Asked, Story
from kgqa.stories.batches import Lexicon, StorySet
from tests.stories.stories import WORDS, made


def told(texts: torch.Tensor, lexicon: Lexicon, row: int) -> tuple[str, ...]:
    names = {number: word for word, number in lexicon.words.items()}
    return tuple(names[number] for number in texts[row].tolist() if number >= 0)


@given(seed=st.integers(0, 1000), size=st.integers(1, 20), shuffled=st.booleans())
@settings(max_examples=25, deadline=None)
def test_every_question_comes_once_with_the_sentences_before_it(seed: int, size: int, shuffled: bool) -> None:
    stories = made(seed, 12)
    lexicon = Lexicon.of(stories)
    data = StorySet(stories, lexicon, max_sentences=100, max_words=8)
    found = []
    for batch in data.batches(size, seed=seed if shuffled else None):
        used = {int(row) for row in batch.asked}
        for q in range(len(batch.asked)):
            before = batch.sentences[batch.story[q], : batch.after[q]].tolist()
            used.update(before)
            said = tuple(told(batch.texts, lexicon, row) for row in before)
            found.append(
                (int(batch.task[q]), said, told(batch.texts, lexicon, int(batch.asked[q])), int(batch.answer[q]))
            )
        assert used == set(range(len(batch.texts)))
    wanted = [
        (
            s.task,
            tuple(tuple(t.split()) for t in s.sentences[: q.after]),
            tuple(q.text.split()[:1]),
            lexicon.answers[q.answer],
        )
        for s in stories
        for q in s.questions
    ]
    assert sorted(found) == sorted(wanted)
    assert data.num_questions == len(wanted)


def test_of_a_long_story_the_sentences_before_each_question_are_kept() -> None:
    sentences = tuple(f"{a} {b} {c}" for a in WORDS for b in WORDS for c in WORDS)[:50]
    asked = tuple(Asked("ann", str(after), after) for after in (3, 12, 14, 50))
    lexicon = Lexicon.of([Story(1, sentences, asked)])
    data = StorySet([Story(1, sentences, asked)], lexicon, max_sentences=10, max_words=8)
    seen = {}
    for batch in data.batches(100):
        for q in range(len(batch.asked)):
            rows = batch.sentences[batch.story[q], : batch.after[q]].tolist()
            seen[int(batch.answer[q])] = tuple(" ".join(told(batch.texts, lexicon, row)) for row in rows)
    for one in asked:
        kept = seen[lexicon.answers[one.answer]]
        assert kept == sentences[one.after - len(kept) : one.after]
        assert len(kept) == min(one.after, 10)


def test_words_and_answers_that_training_never_had_are_number_zero_and_long_texts_are_cut() -> None:
    lexicon = Lexicon.of([Story(1, ("ann bob",), (Asked("cat", "dog", 1),))])
    data = StorySet(
        [Story(1, ("bob xyz " + "ann " * 5_000,), (Asked("", "xyz", 1),))], lexicon, max_sentences=9, max_words=5
    )
    batch = next(iter(data.batches(4)))
    sentence = batch.texts[batch.sentences[0, 0]].tolist()
    assert sentence == [lexicon.words["bob"], 0, *[lexicon.words["ann"]] * 3]
    assert batch.answer.tolist() == [0]


def test_an_order_depends_on_the_seed_alone() -> None:
    stories = made(5, 40)
    data = StorySet(stories, Lexicon.of(stories), max_sentences=100, max_words=8)
    one, again, other = ([batch.answer.tolist() for batch in data.batches(10, seed=seed)] for seed in (1, 1, 2))
    assert one == again
    assert one != other
