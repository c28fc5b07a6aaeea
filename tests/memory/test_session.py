"""The session's memory: reads name what was written, by content and by recency, and it goes through JSON."""

import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kgqa.errors import InputError
from kgqa.memory.session import SessionMemory

WIDTH = 8


def unit(number: int) -> torch.Tensor:
    return torch.eye(WIDTH)[number % WIDTH]


def filled(names, num_slots=4) -> SessionMemory:
    memory = SessionMemory.empty(WIDTH, num_slots=num_slots)
    for name in names:
        memory = memory.written(name, unit(ord(name)))
    return memory


def latest(names, number):
    """The last different names, the latest first."""
    return list(dict.fromkeys(reversed(names)))[:number]


@given(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=12))
def test_recency_reads_all_that_is_held_the_latest_first_however_often_it_was_written(names):
    weights = filled(names).read(torch.zeros(WIDTH), recency=1.0)
    ranked = sorted((name for name in weights if weights[name] > 1e-6), key=lambda name: -weights[name])
    assert set(weights) <= set(names)
    assert ranked == latest(names, 4)


@given(st.permutations("abcd"), st.sampled_from("abcd"))
def test_content_reads_what_is_like_the_key(names, wanted):
    weights = filled(names).read(unit(ord(wanted)), recency=0.0)
    assert max(weights, key=weights.__getitem__) == wanted
    assert sum(weights.values()) == pytest.approx(1, abs=1e-4)


def test_it_goes_through_json():
    memory = filled("abca")
    again = SessionMemory.from_json(json.loads(json.dumps(memory.to_json())))
    assert again.names == memory.names
    assert again.read(unit(1)) == pytest.approx(memory.read(unit(1)), abs=1e-4)


def test_an_empty_memory_reads_nothing_and_another_width_is_refused():
    assert SessionMemory.empty(WIDTH).read(torch.zeros(WIDTH)) == {}
    with pytest.raises(InputError, match="start a new one"):
        filled("a").written("b", torch.zeros(WIDTH + 1))
