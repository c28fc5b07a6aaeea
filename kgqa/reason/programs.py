"""The programs of a batch of questions, run all at once with weights of 0 and 1."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from kgqa.reason.frontier import Adjacency, Choices, Floats, Frontier, Ints, collect
from kgqa.reason.paths import Branch, Walked

Programs = list[dict[int, Branch]]
"""For each question its branches by walk; none where no walk leads to an answer."""


def run(programs: Programs, by_term: Mapping[str, int], adjacency: Adjacency, exclude: Sequence[Floats]) -> Walked:
    """Where the programs lead. `by_term` has the entities of their topics' candidates; `exclude` is per hop the gates
    `[B, t + 1]` that the walks had, of which only the shapes count."""
    branches = {walk: branch for program in programs for walk, branch in program.items()}
    starts = [(walk, by_term[one.iri]) for walk, branch in branches.items() for one in branch.topic.candidates]
    row, entity = np.array(starts, dtype=np.int64).reshape(-1, 2).T
    walked = Walked(adjacency, collect(row, entity, np.ones(len(row), dtype=np.float32), adjacency.num_entities))
    for step, gates in enumerate(exclude):
        hard = np.zeros_like(gates)
        for walk, branch in branches.items():
            if step < len(branch.excluded):
                hard[walk, list(branch.excluded[step])] = 1
        walked.follow(_followed(branches, step, len(gates), adjacency.num_relations), hard)
    return walked


def _followed(branches: Mapping[int, Branch], step: int, num_walks: int, num_relations: int) -> Choices:
    """What each walk follows at one hop; nothing once its program has ended."""
    followed = [
        branches[walk].relations[step] if walk in branches and step < len(branches[walk].relations) else ()
        for walk in range(num_walks)
    ]
    directed = [choice.index + choice.inverse * num_relations for hop in followed for choice in hop]
    offsets = np.concatenate([[0], np.cumsum([len(hop) for hop in followed])])
    return Choices(offsets, np.array(directed, dtype=np.int64), np.ones(len(directed), dtype=np.float32))


def ends_of(programs: Programs, *, num_hops: int, num_walks: int) -> tuple[Floats, Floats]:
    """Where each program's walks end, `[T, B]`, and which of them count, `[B]`."""
    ends = np.zeros((num_hops, num_walks), dtype=np.float32)
    for program in programs:
        for walk, branch in program.items():
            ends[len(branch.relations) - 1, walk] = 1
    return ends, ends.max(axis=0)


def shortened(programs: Programs, hard: Walked) -> Programs:
    """The programs without the hops after which they are where they were before, as `hard` tells, which ran them."""
    return [{walk: _shortened(branch, hard, walk) for walk, branch in program.items()} for program in programs]


def _shortened(branch: Branch, hard: Walked, walk: int) -> Branch:
    """The same answers from fewer facts."""
    steps = hard.reached[1 : len(branch.relations) + 1]
    arrived = [step.entity[slice(*np.searchsorted(step.row, [walk, walk + 1]))] for step in steps]
    for number, there in enumerate(arrived[:-1], start=1):
        if len(there) and np.array_equal(there, arrived[-1]):
            return replace(branch, relations=branch.relations[:number], excluded=branch.excluded[:number])
    return branch


def num_walks(hard: Walked, ends: Floats, question: Ints, found: Frontier) -> Floats:
    """How many walks of the programs lead to each answer found, `[n]`. `ends`: where each program ends, `[T, B]`;
    `question`: the question of each walk, `[B]`; `found` has questions as rows."""
    num_entities, counted = hard.adjacency.num_entities, hard.reached[0]
    answers, total = _keys(found, num_entities), np.zeros(len(found.row), dtype=np.float32)
    for followed, reached, end in zip(hard.relations, hard.reached[1:], ends, strict=True):
        row, entity, weight = hard.adjacency.arriving(counted, followed)
        counted = reached._replace(weight=_sums(row * num_entities + entity, weight, _keys(reached, num_entities)))
        is_end = end[reached.row] > 0
        answered = question[reached.row[is_end]] * num_entities + reached.entity[is_end]
        total += _sums(answered, counted.weight[is_end], answers)
    return total


def _keys(frontier: Frontier, num_entities: int) -> Ints:
    return frontier.row * num_entities + frontier.entity


def _sums(key: Ints, weight: Floats, wanted: Ints) -> Floats:
    """The sums of weights under each of the ascending keys `wanted`."""
    if not len(wanted):
        return np.empty(0, dtype=np.float32)
    place = np.searchsorted(wanted, key).clip(max=len(wanted) - 1)
    there = wanted[place] == key
    sums: Floats = np.bincount(place[there], weight[there], minlength=len(wanted)).astype(np.float32)
    return sums
