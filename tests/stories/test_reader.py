"""The reader: questions see what stands before them alone, batches change nothing, and each part can be left out."""

from typing import Any

import pytest
import torch

from kgqa.stories.babi import Asked, Story
from kgqa.stories.batches import Lexicon, StorySet
from kgqa.stories.reader import StoryReader
from tests.stories.stories import made

SIZES: dict[str, Any] = {
    "width": 16, "max_words": 8, "num_layers": 1, "num_heads": 2, "num_reads": 2, "num_hops": 2, "max_age": 6,
    "use_links": True, "use_memory": True, "dropout": 0.0,
}  # fmt: skip


def reader_of(lexicon: Lexicon, **changes: Any) -> StoryReader:
    torch.manual_seed(0)
    return StoryReader(len(lexicon.words) + 1, len(lexicon.answers) + 1, **(SIZES | changes)).eval()


def data_of(stories: list[Story], lexicon: Lexicon) -> StorySet:
    return StorySet(stories, lexicon, max_sentences=50, max_words=8)


LARGER = {"num_joint_layers": 2, "num_word_layers": 1}


@pytest.mark.parametrize("changes", [{}, {"use_links": False}, {"use_memory": False}, LARGER])
def test_a_question_is_answered_alike_alone_and_in_a_batch(changes: dict[str, Any]) -> None:
    stories = made(3, 10)
    lexicon = Lexicon.of(stories)
    reader = reader_of(lexicon, **changes)
    data = data_of(stories, lexicon)
    together = reader(data.batch(data.stories))
    assert together.shape == (sum(len(story.questions) for story in stories), len(lexicon.answers) + 1)
    alone = torch.cat([reader(data.batch([story])) for story in data.stories])
    torch.testing.assert_close(together, alone, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("changes", [{}, LARGER])
def test_what_comes_after_a_question_does_not_change_its_answer(changes: dict[str, Any]) -> None:
    first = Story(1, ("ann sun", "bob sea"), (Asked("ann", "sun", 2),))
    longer = Story(1, ("ann sun", "bob sea", "ann sea", "ann dog"), (Asked("ann", "sun", 2),))
    lexicon = Lexicon.of([first, longer, *made(1, 3)])
    reader = reader_of(lexicon, **changes)
    answers = [reader(data_of([story], lexicon).batch(data_of([story], lexicon).stories)) for story in (first, longer)]
    torch.testing.assert_close(*answers, atol=1e-5, rtol=1e-5)


def test_the_order_of_sentences_and_words_matters() -> None:
    told = [("ann sun", "bob sea"), ("bob sea", "ann sun"), ("sun ann", "bob sea")]
    stories = [Story(1, sentences, (Asked("ann", "sun", 2),)) for sentences in told]
    lexicon = Lexicon.of(stories)
    reader = reader_of(lexicon)
    answers = [reader(next(iter(data_of([story], lexicon).batches(9)))) for story in stories]
    assert not torch.allclose(answers[0], answers[1], atol=1e-4)
    assert not torch.allclose(answers[0], answers[2], atol=1e-4)


@pytest.mark.parametrize("story", [Story(1, (), (Asked("ann", "sun", 0),)), Story(1, ("",), (Asked("", "sun", 1),))])
@pytest.mark.parametrize("changes", [{}, LARGER])
def test_nothing_said_and_nothing_asked_still_give_an_answer(story: Story, changes: dict[str, Any]) -> None:
    lexicon = Lexicon.of([story, *made(1, 3)])
    reader = reader_of(lexicon, **changes).train()
    logits = reader(next(iter(data_of([story], lexicon).batches(9))))
    logits.sum().backward()
    assert torch.isfinite(logits).all()
    assert all(p.grad is None or torch.isfinite(p.grad).all() for p in reader.parameters())
