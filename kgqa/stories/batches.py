"""Stories as numbers, and batches of them: a sentence that a batch holds is encoded once, however often it occurs."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from kgqa.stories.babi import Story

_WORD = re.compile(r"\w+")
_POOL = 32
"""Batches of a pool: stories of a pool are sorted by length, so that little of a batch is padding."""


class Lexicon(NamedTuple):
    """The words of the sentences and questions, and the answers there are; number 0 stands for what is not known."""

    words: dict[str, int]
    answers: dict[str, int]

    @classmethod
    def of(cls, stories: Sequence[Story]) -> Self:
        """Of the training stories, in alphabetical order."""
        texts = {text for story in stories for text in (*story.sentences, *(one.text for one in story.questions))}
        words = sorted({word for text in texts for word in _WORD.findall(text.lower())})
        answers = sorted({one.answer for story in stories for one in story.questions})
        return cls({word: i for i, word in enumerate(words, 1)}, {answer: i for i, answer in enumerate(answers, 1)})

    def numbers(self, text: str) -> list[int]:
        """Of the words of a text."""
        return [self.words.get(word, 0) for word in _WORD.findall(text.lower())]


class StoryBatch(NamedTuple):
    """B stories with Q questions; each text stands in `texts` once."""

    texts: Tensor  # [U, L] numbers of words, -1 behind the end
    sentences: Tensor  # [B, T] rows of `texts`; 0 behind the end
    asked: Tensor  # [Q] rows of `texts`
    story: Tensor  # [Q] which story
    after: Tensor  # [Q] sentences before the question
    answer: Tensor  # [Q] number of the answer; 0: one that training never had
    task: Tensor  # [Q]

    def to(self, device: torch.device) -> "StoryBatch":
        """The same on a device."""
        return StoryBatch(*(part.to(device, non_blocking=True) for part in self))


class NumberedStory(NamedTuple):
    """One story as rows of `StorySet.texts`."""

    sentences: list[int]
    asked: list[tuple[int, int, int]]
    """(row of the question, sentences before it, number of the answer)"""
    task: int


class StorySet:
    """Stories that batches are drawn from."""

    def __init__(self, stories: Sequence[Story], lexicon: Lexicon, *, max_sentences: int, max_words: int) -> None:
        """Of a longer story the last `max_sentences` before a question are kept, of a longer text the first words."""
        self._rows: dict[str, int] = {}
        self.stories = [one for story in stories for one in self._numbered(story, lexicon, max_sentences)]
        self.texts = np.full((len(self._rows), max_words), -1, dtype=np.int64)
        for text, row in self._rows.items():
            numbers = lexicon.numbers(text)[:max_words]
            self.texts[row, : len(numbers)] = numbers

    @property
    def num_questions(self) -> int:
        return sum(len(story.asked) for story in self.stories)

    def batches(self, size: int, *, seed: int | None = None) -> Iterator[StoryBatch]:
        """All stories once, in batches of about `size` questions; in an order that the seed shuffles."""
        order = np.arange(len(self.stories))
        if seed is not None:
            np.random.default_rng(seed).shuffle(order)
        lengths = np.array([len(story.sentences) for story in self.stories])
        counts = np.array([len(story.asked) for story in self.stories])
        plan: list[list[int]] = []
        pool_size = max(1, int(_POOL * size / counts.mean()))
        for start in range(0, len(order), pool_size):
            pool = order[start : start + pool_size]
            pool = pool[np.argsort(lengths[pool], kind="stable")]
            plan += [part.tolist() for part in np.split(pool, _cuts(lengths[pool], counts[pool], size))]
        if seed is not None:
            np.random.default_rng(seed + 1).shuffle(plan)
        yield from (self.batch([self.stories[place] for place in places]) for places in plan)

    def batch(self, stories: Sequence[NumberedStory]) -> StoryBatch:
        """These stories."""
        longest = max(len(story.sentences) for story in stories)
        rows = [row for story in stories for row in story.sentences] + [a[0] for story in stories for a in story.asked]
        used, places = np.unique(np.array(rows), return_inverse=True)
        sentences = np.zeros((len(stories), longest), dtype=np.int64)
        start = 0
        for number, one in enumerate(stories):
            sentences[number, : len(one.sentences)] = places[start : start + len(one.sentences)]
            start += len(one.sentences)
        asked = [(number, after, answer, s.task) for number, s in enumerate(stories) for _, after, answer in s.asked]
        story, after, answer, task = torch.tensor(asked, dtype=torch.long).unbind(1)
        texts = self.texts[used]
        length = int((texts >= 0).sum(1).max())
        return StoryBatch(
            torch.from_numpy(texts[:, :length]), torch.from_numpy(sentences), torch.from_numpy(places[start:]),
            story, after, answer, task,
        )  # fmt: skip

    def _numbered(self, story: Story, lexicon: Lexicon, most: int) -> Iterator[NumberedStory]:
        """The story; one that is too long as several, each with the questions that the window in front of them fits."""
        rows = [self._row(sentence) for sentence in story.sentences]
        start, asked = 0, list[tuple[int, int, int]]()
        for one in story.questions:
            if one.after - start > most:
                if asked:
                    yield NumberedStory(rows[start : start + asked[-1][1]], asked, story.task)
                start, asked = one.after - most, []
            asked.append((self._row(one.text), one.after - start, lexicon.answers.get(one.answer, 0)))
        yield NumberedStory(rows[start : start + asked[-1][1]], asked, story.task)

    def _row(self, text: str) -> int:
        return self._rows.setdefault(text, len(self._rows))


def _cuts(lengths: np.ndarray, counts: np.ndarray, size: int) -> list[int]:
    """Where to cut sorted stories so that each batch has about `size` questions, fewer where stories are long."""
    cuts, questions, cells = [], 0, 0
    for place, (length, count) in enumerate(zip(lengths.tolist(), counts.tolist(), strict=True)):
        if questions and (questions + count > size or cells + count * length > size * _CELLS):
            cuts.append(place)
            questions = cells = 0
        questions += count
        cells += count * length
    return cuts


_CELLS = 24
"""Sentences in front of a question up to which a batch has its full size."""
