"""What a teacher says of text: the layers of annotation that its sets do not have, as groups for the small pipeline.

Given annotation always stays. Where the teacher is unsure nothing is taught: a word whose best name tag is less likely
than not is unknown, and a sentence whose best heads are no tree
has tags alone (`deps` are empty).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import torch

from kgqa.text.teacher import NAME_TAGS, Batch, Labels, Lesson, Teacher, batch_of
from kgqa.text.teacher_corpus import Group, Sentence
from kgqa.text.treebank import EntitySpan, ParsedSentence, entity_spans

_SURE = 0.5
"""Probability from which a name tag, and the start of a sentence, are believed."""
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Reading:
    """What the teacher says of a group of T words. `names`: -1 where it is unsure."""

    tags: Ints
    pos: Ints
    names: Ints
    starts: npt.NDArray[np.bool_]
    heads: Ints
    deps: Ints
    """Of the arc to the head."""


def labelled(
    teacher: Teacher, labels: Labels, groups: Sequence[Group], lessons: Sequence[Lesson | None], *, batch_pieces: int
) -> list[Group]:
    """The groups with every layer filled; a group without a lesson stays as it is. Order is kept."""
    device = next(teacher.parameters()).device
    done = list(groups)
    teacher.eval()
    for places in batches([0 if one is None else len(one.pieces) for one in lessons], batch_pieces):
        chosen = [one for place in places if (one := lessons[place]) is not None]
        found = _read(teacher, batch_of(chosen, device), [groups[place] for place in places])
        for place, reading in zip(places, found, strict=True):
            done[place] = list(_fill(groups[place], reading, labels))
    return done


def batches(sizes: Sequence[int], most: int) -> Iterator[list[int]]:
    """Places of like size together, at most `most` pieces with the padding (or one); those of size 0 are left out."""
    batch: list[int] = []
    for place in sorted((place for place, size in enumerate(sizes) if size), key=lambda place: (sizes[place], place)):
        if batch and (len(batch) + 1) * sizes[place] > most:
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch


@torch.inference_mode()
def _read(teacher: Teacher, batch: Batch, groups: Sequence[Group]) -> list[Reading]:
    words = teacher.encode(batch)
    scores = teacher.tag_scores(words)
    starts = _starts(batch, scores["starts"], groups)
    arcs = teacher.arc_scores(words, starts.cumsum(1).masked_fill(~batch.mask, -1))
    heads = [_heads(arcs[row, : int(size), : int(size)].cpu().numpy(), starts[row, : int(size)].cpu().numpy())
             for row, size in enumerate(batch.mask.sum(1))]  # fmt: skip
    padded = torch.nn.utils.rnn.pad_sequence([torch.as_tensor(one).clamp(min=0) for one in heads], batch_first=True)
    deps = teacher.label_scores(words, padded.to(words.device)).argmax(-1).cpu().numpy()
    sure, best = scores["names"].softmax(-1).max(-1)
    names = best.masked_fill(sure < _SURE, -1).cpu().numpy()
    tags, pos = (scores[name].argmax(-1).cpu().numpy() for name in ("tags", "pos"))
    marks = starts.cpu().numpy()
    return [
        Reading(tags[row, :n], pos[row, :n], names[row, :n], marks[row, :n], one, deps[row, :n])
        for row, one in enumerate(heads)
        for n in [len(one)]
    ]


def _starts(batch: Batch, scores: torch.Tensor, groups: Sequence[Group]) -> torch.Tensor:
    """[B, T]: where a sentence starts: where one was given, and inside what is not parsed where the teacher says so."""
    given = torch.ones_like(batch.sentence_of, dtype=torch.bool)
    given[:, 1:] = batch.sentence_of[:, 1:] != batch.sentence_of[:, :-1]
    open_ended = torch.zeros_like(given)
    for row, group in enumerate(groups):
        offset = 0
        for sentence in group:
            open_ended[row, offset : offset + len(sentence.words)] = sentence.parsed is None
            offset += len(sentence.words)
    said = scores.softmax(-1)[..., 1] > _SURE
    return (given | (said & open_ended)) & batch.mask


def _heads(arcs: npt.NDArray[np.float32], starts: npt.NDArray[np.bool_]) -> Ints:
    """[T]: the best head of each word, its own place for a root, -1 in a sentence whose best heads are no tree."""
    heads = np.full(len(arcs), -1)
    borders = [*np.flatnonzero(starts), len(arcs)]
    for start, end in pairwise(borders):
        tree = best_tree(arcs[start:end, start:end])
        if tree is not None:
            heads[start:end] = tree + start
    return heads


def best_tree(scores: npt.NDArray[np.float32]) -> Ints | None:
    """The best head of each of n words, one of which is its own: the root. None where they go in circles.

    `scores`: [n, n], how well the second governs the first.
    """
    others = scores.copy()
    np.fill_diagonal(others, -np.inf)
    root = int((scores.diagonal() - others.max(axis=1)).argmax())
    heads = others.argmax(axis=1)
    heads[root] = root
    ends = heads
    for _ in range(len(heads).bit_length()):
        ends = ends[ends]
    return heads if (ends == root).all() else None


def _fill(group: Group, reading: Reading, labels: Labels) -> Iterator[Sentence]:
    offset = 0
    for sentence in group:
        size = len(sentence.words)
        names = merged(sentence.entities, reading.names[offset : offset + size])
        if sentence.parsed is not None:
            yield replace(sentence, entities=names)
        else:
            inside = np.flatnonzero(reading.starts[offset : offset + size])
            for start, end in zip(inside, [*inside[1:], size], strict=True):
                yield _part(sentence, names, reading, labels, int(start), int(end), offset)
        offset += size


def _part(
    sentence: Sentence, names: Sequence[EntitySpan], reading: Reading, labels: Labels, start: int, end: int, offset: int
) -> Sentence:
    """The words [start, end) of an unparsed passage, which stands at `offset` in its group, as a sentence."""
    words, spaces = sentence.words[start:end], sentence.spaces[start:end]
    first, last = offset + start, offset + end
    heads = reading.heads[first:last] - first
    deps = [
        "ROOT" if head == i else labels.deps[dep]
        for i, (head, dep) in enumerate(zip(heads, reading.deps[first:last], strict=True))
    ]
    if reading.heads[first] < 0:
        heads, deps = np.arange(len(words)), [""] * len(words)
    parsed = ParsedSentence(
        words, spaces, tuple(labels.tags[i] for i in reading.tags[first:last]),
        tuple(labels.pos[i] for i in reading.pos[first:last]), ("",) * len(words), tuple(heads.tolist()), tuple(deps),
        ("",) * len(words), starts_paragraph=False,
    )  # fmt: skip
    return Sentence(words, spaces, parsed, tuple(_cut(names, start, end)))


def _cut(names: Sequence[EntitySpan], start: int, end: int) -> Iterator[EntitySpan]:
    """The names inside [start, end); one that goes beyond is unknown."""
    for name in names:
        if name.start < end and name.end > start:
            whole = start <= name.start and name.end <= end
            yield EntitySpan(max(name.start, start) - start, min(name.end, end) - start, name.label if whole else None)


def merged(given: Sequence[EntitySpan] | None, said: Ints) -> tuple[EntitySpan, ...]:
    """The names of a sentence: the given ones, and where those are unknown (all where None) what the teacher says.

    `said`: [n], places in NAME_TAGS, -1 for unsure. Words that nobody knows come as spans without a label.
    """
    size = len(said)
    known = [e for e in given or () if e.label is not None]
    is_open = np.full(size, given is None)
    for entity in given or ():
        if entity.label is None:
            is_open[entity.start : entity.end] = True
    said_spans = entity_spans(["O" if i < 0 else NAME_TAGS[i] for i in said])
    taught = [e for e in said_spans if is_open[e.start : e.end].all()]
    unsure = is_open & (said != 0)
    for entity in taught:
        unsure[entity.start : entity.end] = False
    unknown = [EntitySpan(int(i), int(i) + 1, None) for i in np.flatnonzero(unsure)]
    return tuple(sorted((*known, *taught, *unknown), key=lambda e: e.start))
