"""The memory's equations against naive loops, its invariants, and the seed formulas' faults: each test of the last part
fails with the faulty formula."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from kgqa.memory import short_term as m
from kgqa.memory.allocation import allocation_weights, free_weights, least_used, retention, updated_usage
from kgqa.memory.interface import Interface, InterfaceLayer, ReadLayer
from kgqa.memory.links import SparseLink, updated_link, updated_precedence

B, N, W, R = 3, 5, 4, 2
ALLOCATORS: list[m.Allocator] = ["dnc", "lru"]


def mapped(value: Any, change: Callable[[Tensor], Any]) -> Any:
    """A nested named tuple with each tensor changed."""
    if isinstance(value, Tensor):
        return change(value)
    return value if value is None else type(value)(*(mapped(part, change) for part in value))


def tensors(value: Any) -> list[Tensor]:
    """All tensors of a nested named tuple, in order."""
    found: list[Tensor] = []
    mapped(value, found.append)
    return found


def empty(*, heads: int = 1, num_links: int | None = None, dtype: torch.dtype = torch.float64) -> m.MemoryState:
    return m.initial_state(
        B, num_slots=N, width=W, num_reads=R, num_writes=heads, num_links=num_links, dtype=dtype
    )  # fmt: skip


def layer_of(heads: int = 1, *, more: bool = False, dtype: torch.dtype = torch.float64) -> InterfaceLayer:
    return InterfaceLayer(6, width=W, num_reads=R, num_writes=heads, masks=more, sharp=more).to(dtype)


def random_state(
    seed: int, *, heads: int = 1, num_links: int | None = None, dtype: torch.dtype = torch.float64
) -> m.MemoryState:
    """A state reached by a few random steps, so that it satisfies what steps guarantee."""
    torch.manual_seed(seed)
    state = empty(heads=heads, num_links=num_links, dtype=dtype)
    layer = layer_of(heads, dtype=dtype)
    for _ in range(3):
        _, state = m.step(state, layer(2 * torch.randn(B, 6, dtype=dtype)))
    return mapped(state, Tensor.detach)


def interface(seed: int, *, heads: int = 1, more: bool = False, dtype: torch.dtype = torch.float64) -> Interface:
    torch.manual_seed(seed)
    return mapped(layer_of(heads, more=more, dtype=dtype)(2.0 * torch.randn(B, 6, dtype=dtype)), Tensor.detach)


def hard_write(slot: int, state: m.MemoryState, vector: Tensor) -> m.MemoryState:
    """Write `vector` to one slot, as `step` does, with weights of exactly 0 and 1."""
    weights = torch.zeros(B, 1, N, dtype=torch.float64)
    weights[:, :, slot] = 1
    return state._replace(
        slots=m.erase_add(state.slots, weights, torch.ones(B, 1, W, dtype=torch.float64), vector.unsqueeze(1)),
        link=updated_link(state.link, state.precedence, weights),
        precedence=updated_precedence(state.precedence, weights),
        write_weights=weights,
    )


@pytest.mark.parametrize("num_links", [None, 2])
@pytest.mark.parametrize("allocator", ALLOCATORS)
@given(seed=st.integers(0, 10_000), steps=st.integers(1, 6), heads=st.integers(1, 2), more=st.booleans())
@settings(max_examples=25, deadline=None)
def test_weights_stay_in_range_and_links_are_a_partial_order(
    allocator: m.Allocator, num_links: int | None, seed: int, steps: int, heads: int, more: bool
) -> None:
    torch.manual_seed(seed)
    state, layer = empty(heads=heads, num_links=num_links), layer_of(heads, more=more)
    for _ in range(steps):
        reads, state = m.step(state, layer(5 * torch.randn(B, 6, dtype=torch.float64)), allocator=allocator)
        assert reads.shape == (B, R, W)
        link = dense(state.link)
        for weights in (state.read_weights, state.write_weights, state.precedence, link, link.transpose(-1, -2)):
            assert weights.min() >= -1e-9
            assert weights.sum(-1).max() <= 1 + 1e-9
        assert link.diagonal(dim1=-2, dim2=-1).abs().max() == 0
        if allocator == "dnc":
            assert -1e-9 <= state.usage.min() <= state.usage.max() <= 1 + 1e-9


def dense(link: Any) -> Tensor:
    """A link as `[B, H, N, N]`."""
    if isinstance(link, SparseLink):
        zeros = link.weight.new_zeros(*link.weight.shape[:-1], link.weight.shape[-2])
        return zeros.scatter_add(-1, link.source, link.weight)
    return link


@given(seed=st.integers(0, 10_000), heads=st.integers(1, 2), masked=st.booleans())
@settings(max_examples=20, deadline=None)
def test_addressing_and_erase_add_agree_with_naive_loops(seed: int, heads: int, masked: bool) -> None:
    state, said = random_state(seed, heads=heads), interface(seed + 1, heads=heads, more=masked)
    content = m.content_weights(state.slots, said.read.keys, said.read.strengths, said.read.masks)
    written = m.erase_add(state.slots, state.write_weights, said.write.erase, said.write.vectors)
    for b in range(B):
        for r in range(R):
            mask = torch.ones(W, dtype=torch.float64) if said.read.masks is None else said.read.masks[b, r]
            key = [float(k * x) for k, x in zip(said.read.keys[b, r], mask, strict=True)]
            scores = []
            for i in range(N):
                slot = [float(v * x) for v, x in zip(state.slots[b, i], mask, strict=True)]
                norms = math.sqrt(sum(v * v for v in slot) + 1e-6) * math.sqrt(sum(k * k for k in key) + 1e-6)
                dot = sum(v * k for v, k in zip(slot, key, strict=True))
                scores.append(float(said.read.strengths[b, r]) * dot / norms)
            total = sum(math.exp(s) for s in scores)
            for i in range(N):
                assert content[b, r, i] == pytest.approx(math.exp(scores[i]) / total, abs=1e-9)
        for i in range(N):
            for j in range(W):
                kept, added = 1.0, 0.0
                for h in range(heads):
                    w = float(state.write_weights[b, h, i])
                    kept *= 1 - w * float(said.write.erase[b, h, j])
                    added += w * float(said.write.vectors[b, h, j])
                assert written[b, i, j] == pytest.approx(float(state.slots[b, i, j]) * kept + added, abs=1e-9)


@given(seed=st.integers(0, 10_000), heads=st.integers(1, 3))
@settings(max_examples=20, deadline=None)
def test_usage_and_allocation_agree_with_naive_loops(seed: int, heads: int) -> None:
    state, said = random_state(seed, heads=heads), interface(seed + 1, heads=heads)
    usage = updated_usage(state.usage, state.write_weights, retention(state.read_weights, said.write.free_gates))
    allocated = allocation_weights(usage, said.write.gates)
    for b in range(B):
        now = []
        for i in range(N):
            u, kept = float(state.usage[b, i]), 1.0
            for h in range(heads):
                w = float(state.write_weights[b, h, i])
                u = u + w - u * w
            for r in range(R):
                kept *= 1 - float(said.write.free_gates[b, r]) * float(state.read_weights[b, r, i])
            assert usage[b, i] == pytest.approx(u * kept, abs=1e-9)
            now.append(float(usage[b, i]))
        for h in range(heads):
            taken = 1.0
            weights = [0.0] * N
            for i in sorted(range(N), key=lambda i: (now[i], i)):
                weights[i] = (1 - now[i]) * taken
                taken *= now[i]
            assert allocated[b, h].tolist() == pytest.approx(weights, abs=1e-9)
            gate = float(said.write.gates[b, h])
            now = [u + (1 - u) * gate * w for u, w in zip(now, weights, strict=True)]


def test_allocation_picks_the_least_used_slot_and_sums_to_one_while_a_slot_is_free() -> None:
    usage = torch.tensor([[0.9, 0.2, 0.0, 1.0, 0.7], [1.0, 1.0, 1.0, 1.0, 1.0]], dtype=torch.float64)
    weights = free_weights(usage)
    assert weights[0].tolist() == [0, 0, 1, 0, 0]
    assert weights[1].sum() == 0  # nothing free, nothing allocated
    usage[0, 2] = 0.1
    weights = free_weights(usage)
    assert weights[0].argmax() == 2
    expected = {2: 0.9, 1: 0.8 * 0.1, 4: 0.3 * 0.1 * 0.2, 0: 0.1 * 0.1 * 0.2 * 0.7, 3: 0.0}
    assert weights[0].tolist() == pytest.approx([expected[i] for i in range(5)])


@pytest.mark.parametrize("allocator", ALLOCATORS)
def test_several_heads_that_write_to_free_slots_write_to_different_ones(allocator: m.Allocator) -> None:
    said = interface(20, heads=2).write
    opened = said._replace(allocation_gates=torch.ones_like(said.gates), gates=torch.ones_like(said.gates))
    after = m.write(empty(heads=2), opened, allocator=allocator)
    first, second = after.write_weights.unbind(1)
    assert torch.equal(first * second, torch.zeros_like(first))
    torch.testing.assert_close(first.sum(-1), torch.ones(B, dtype=torch.float64))
    torch.testing.assert_close(second.sum(-1), torch.ones(B, dtype=torch.float64))
    for weights, vector in ((first, opened.vectors[:, 0]), (second, opened.vectors[:, 1])):
        torch.testing.assert_close(after.slots[torch.arange(B), weights.argmax(-1)], vector)


@given(seed=st.integers(0, 10_000), heads=st.integers(1, 3))
@settings(max_examples=20, deadline=None)
def test_least_recent_use_agrees_with_naive_loops(seed: int, heads: int) -> None:
    state, said = random_state(seed, heads=heads), interface(seed + 1, heads=heads)
    state = state._replace(usage=torch.rand(B, N, dtype=torch.float64))
    _, after = m.step(state, said, allocator="lru")
    count = max(R, heads)
    for b in range(B):
        free = sorted(range(N), key=lambda i: float(state.usage[b, i]))[:count]
        for h in range(heads):
            gate, a = float(said.write.gates[b, h]), float(said.write.allocation_gates[b, h])
            own = free[h::heads]
            for i in range(N):
                before = sum(float(state.read_weights[b, r, i]) for r in range(R)) / R
                weight = gate * ((1 - a) * before + a * (i in own) / len(own))
                assert float(after.write_weights[b, h, i]) == pytest.approx(weight, abs=1e-9)
        for i in range(N):
            accessed = sum(float(after.read_weights[b, r, i]) for r in range(R))
            accessed += sum(float(after.write_weights[b, h, i]) for h in range(heads))
            assert float(after.usage[b, i]) == pytest.approx(0.95 * float(state.usage[b, i]) + accessed, abs=1e-9)


def test_the_least_used_slot_is_emptied_before_it_is_written() -> None:
    state, said = random_state(26), interface(27).write
    one = m.MemoryState(*(part[:, :1] if name == "read_weights" else part for name, part in state._asdict().items()))
    ones = torch.ones_like(said.gates)
    wholly = said._replace(gates=ones, allocation_gates=ones, erase=torch.zeros_like(said.erase))
    after = m.write(one._replace(usage=torch.arange(N).flip(0).double().expand(B, N)), wholly, allocator="lru")
    torch.testing.assert_close(after.slots[:, N - 1], said.vectors[:, 0])
    torch.testing.assert_close(after.slots[:, : N - 1], state.slots[:, : N - 1])


def test_full_write_gives_usage_one_and_full_free_gives_zero() -> None:
    ones, zeros = torch.ones(1, N), torch.zeros(1, N)
    assert updated_usage(zeros, ones.unsqueeze(1), ones).tolist() == ones.tolist()
    retained = retention(ones.unsqueeze(1), torch.ones(1, 1))
    assert updated_usage(ones, zeros.unsqueeze(1), retained).tolist() == zeros.tolist()


@pytest.mark.parametrize("num_links", [None, 1, 3])
def test_writes_are_followed_forward_and_backward(num_links: int | None) -> None:
    state = empty(num_links=num_links)
    for slot, vector in zip((0, 3, 2), torch.randn(3, B, W, dtype=torch.float64), strict=True):
        state = hard_write(slot, state, vector)
    at_three = torch.zeros(B, R, N, dtype=torch.float64)
    at_three[:, :, 3] = 1
    said = interface(0).read
    for mode, slot in ((0, 0), (2, 2)):  # backward leads to what was written before, forward to what came after
        modes = torch.zeros(B, R, 3, dtype=torch.float64)
        modes[:, :, mode] = 1
        weights = m.read_addresses(state._replace(read_weights=at_three), said._replace(modes=modes))
        assert (weights[:, :, slot] == 1).all()
        assert weights.sum() == B * R


def test_each_write_head_has_links_of_its_own_to_follow() -> None:
    state = random_state(21, heads=2)
    said = interface(22, heads=2).read
    for mode, head in ((0, 0), (1, 1), (3, 0), (4, 1)):
        modes = torch.zeros(B, R, 5, dtype=torch.float64)
        modes[:, :, mode] = 1
        link = state.link[:, head]
        expected = state.read_weights @ (link if mode < 2 else link.transpose(-1, -2))
        torch.testing.assert_close(m.read_addresses(state, said._replace(modes=modes)), expected)


def test_sharpened_weights_keep_their_sum_and_a_high_power_leaves_the_heaviest() -> None:
    weights = torch.tensor([0.1, 0.4, 0.3, 0.0], dtype=torch.float64)
    torch.testing.assert_close(m.sharpened(weights, torch.ones(1).double()), weights, atol=1e-5, rtol=0)
    sharp = m.sharpened(weights, torch.tensor([60.0], dtype=torch.float64))
    torch.testing.assert_close(sharp, torch.tensor([0, 0.8, 0, 0], dtype=torch.float64), atol=1e-6, rtol=0)
    nothing = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    kept = m.sharpened(nothing, torch.tensor([3.0], dtype=torch.float64))
    kept.sum().backward()
    assert kept.abs().max() == 0
    assert torch.isfinite(nothing.grad).all()


def test_what_a_mask_leaves_out_is_not_compared() -> None:
    slots = torch.tensor([[[1.0, 0.0, 9.0], [0.0, 1.0, -9.0]]])
    key = torch.tensor([[[1.0, 0.0, -9.0]]])
    strength = torch.tensor([[20.0]])
    whole = m.content_weights(slots, key, strength)
    first = m.content_weights(slots, key, strength, torch.tensor([[[1.0, 1.0, 0.0]]]))
    assert whole.argmax() == 1
    assert first[0, 0, 0] > 0.999


def test_slots_that_are_not_there_are_not_read_and_change_nothing() -> None:
    state, said = random_state(23), interface(24).read
    present = torch.arange(N) < 3
    weights = m.content_weights(state.slots, said.keys, said.strengths, present=present.expand(B, N))
    assert weights[:, :, 3:].abs().max() == 0
    alone = m.content_weights(state.slots[:, :3], said.keys, said.strengths)
    torch.testing.assert_close(weights[:, :, :3], alone)


def test_a_filled_memory_is_what_as_many_open_writes_give() -> None:
    vectors = torch.randn(B, N, W, dtype=torch.float64)
    lengths = torch.tensor([N, 1, 3])
    present = torch.arange(N) < lengths.unsqueeze(-1)
    filled = m.filled_state(vectors, present, num_reads=R)
    said = interface(25).write
    open_gates = {"gates": torch.ones_like(said.gates), "allocation_gates": torch.ones_like(said.gates)}
    for b in range(B):
        state = empty()
        for t in range(int(lengths[b])):
            vector = vectors[:, t : t + 1]
            state = m.write(state, said._replace(vectors=vector, erase=torch.ones_like(vector), **open_gates))
        torch.testing.assert_close(filled.slots[b], state.slots[b])
        torch.testing.assert_close(dense(filled.link)[b], dense(state.link)[b])
        torch.testing.assert_close(filled.precedence[b], state.precedence[b])
        torch.testing.assert_close(filled.write_weights[b], state.write_weights[b])
        nothing = torch.zeros(B, 1, N, dtype=torch.float64)
        after = [updated_usage(one.usage, one.write_weights, torch.ones(B, N).double()) for one in (filled, state)]
        torch.testing.assert_close(after[0][b], after[1][b])
        assert (updated_usage(filled.usage, nothing, torch.ones(B, N).double()) == filled.usage).all()


@pytest.mark.parametrize(("allocator", "num_links"), [("dnc", None), ("dnc", 2), ("lru", None), ("lru", 0)])
def test_gradients_are_those_of_finite_differences(allocator: m.Allocator, num_links: int | None) -> None:
    state = random_state(1, heads=2, num_links=num_links)
    layer = layer_of(2, more=True)
    controller = torch.randn(B, 6, dtype=torch.float64, requires_grad=True)
    slots = state.slots.clone().requires_grad_(True)

    def read(controller: Tensor, slots: Tensor) -> tuple[Tensor, ...]:
        reads, after = m.step(state._replace(slots=slots), layer(controller), allocator=allocator)
        weights = [] if after.link is None else [tensors(after.link)[0]]
        return reads, after.usage, after.precedence, *weights

    assert torch.autograd.gradcheck(read, (controller, slots))


@pytest.mark.parametrize("allocator", ALLOCATORS)
def test_a_zero_memory_gives_no_nan_in_value_or_gradient(allocator: m.Allocator) -> None:
    state = empty(dtype=torch.float32)
    layer = layer_of(more=True, dtype=torch.float32)
    controller = torch.zeros(B, 6, requires_grad=True)
    torch.nn.init.zeros_(layer.linear.bias)
    reads, after = m.step(state, layer(controller), allocator=allocator)
    reads, after = m.step(after, layer(controller), allocator=allocator)
    (reads.sum() + after.usage.sum()).backward()
    assert torch.isfinite(reads).all()
    assert controller.grad is not None
    assert torch.isfinite(controller.grad).all()


@pytest.mark.parametrize("num_links", [None, 2])
@pytest.mark.parametrize("allocator", ALLOCATORS)
def test_rows_of_a_batch_do_not_see_each_other(allocator: m.Allocator, num_links: int | None) -> None:
    state, said = random_state(2, heads=2, num_links=num_links), interface(3, heads=2)
    reads, after = m.step(state, said, allocator=allocator)
    for b in range(B):
        alone, alone_after = m.step(
            mapped(state, lambda part, b=b: part[b : b + 1]),
            mapped(said, lambda part, b=b: part[b : b + 1]),
            allocator=allocator,
        )
        torch.testing.assert_close(alone[0], reads[b])
        torch.testing.assert_close(dense(alone_after.link)[0], dense(after.link)[b])


@pytest.mark.parametrize("allocator", ALLOCATORS)
def test_a_step_is_a_write_then_a_read_and_leaves_the_state_it_was_given_alone(allocator: m.Allocator) -> None:
    state, said = random_state(4), interface(5)
    before = mapped(state, Tensor.clone)
    reads, after = m.step(state, said, allocator=allocator)
    assert all(torch.equal(a, b) for a, b in zip(tensors(before), tensors(state), strict=True))
    halves = m.read(m.write(state, said.write, allocator=allocator), said.read, allocator=allocator)
    assert torch.equal(halves[0], reads)
    assert all(torch.equal(a, b) for a, b in zip(tensors(halves[1]), tensors(after), strict=True))


@pytest.mark.parametrize(("allocator", "num_links"), [("dnc", None), ("lru", 2)])
def test_compiled_and_autocast_steps_agree_with_plain_ones(allocator: m.Allocator, num_links: int | None) -> None:
    state = random_state(6, num_links=num_links, dtype=torch.float32)
    said = interface(7, more=True, dtype=torch.float32)
    reads, after = m.step(state, said, allocator=allocator)
    compiled, compiled_after = torch.compile(m.step, backend="aot_eager", fullgraph=True)(
        state, said, allocator=allocator
    )
    torch.testing.assert_close(compiled, reads)
    for one, other in zip(tensors(compiled_after), tensors(after), strict=True):
        torch.testing.assert_close(one, other)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        low, _ = m.step(state, said, allocator=allocator)
    torch.testing.assert_close(low.float(), reads, atol=0.05, rtol=0.05)


def test_a_read_layer_says_what_the_read_part_of_an_interface_layer_says() -> None:
    for more in (False, True):
        whole, part = layer_of(more=more), ReadLayer(6, width=W, num_reads=R, masks=more, sharp=more).double()
        sizes = [R * W, R, R * 3]
        rows = list(range(sum(sizes)))
        if more:
            start = sum(math.prod(shape) for shape in whole.shapes)
            rows += range(start, start + R * W + R * 2)
        part.linear.load_state_dict({"weight": whole.linear.weight[rows], "bias": whole.linear.bias[rows]})
        x = torch.randn(B, 6, dtype=torch.float64)
        for one, other in zip(tensors(whole(x).read), tensors(part(x)), strict=True):
            torch.testing.assert_close(one, other)


class TestSeedFaults:
    """Each formula as the seed prints it would break the test of its number in MEMORY's list."""

    def test_1_the_nearest_slot_is_addressed_and_strength_sharpens(self) -> None:
        slots = torch.eye(N, W, dtype=torch.float64).unsqueeze(0)
        key = slots[:, 1:2]
        weak = m.content_weights(slots, key, torch.tensor([[1.0]], dtype=torch.float64))
        strong = m.content_weights(slots, key, torch.tensor([[50.0]], dtype=torch.float64))
        assert weak.argmax() == 1  # softmax of a distance would address the farthest
        assert strong[0, 0, 1] > 0.999 > weak[0, 0, 1]

    def test_2_and_3_only_the_addressed_slot_changes_and_takes_the_vector(self) -> None:
        slots, vector = torch.randn(1, N, W), torch.randn(1, 1, W)
        weights = torch.zeros(1, 1, N)
        weights[:, :, 2] = 1
        after = m.erase_add(slots, weights, torch.ones(1, 1, W), vector)
        others = [i for i in range(N) if i != 2]
        assert torch.equal(after[:, others], slots[:, others])
        torch.testing.assert_close(after[:, 2], vector[:, 0])

    def test_4_slots_written_in_one_step_are_not_linked(self) -> None:
        weights = torch.tensor([[[0.5, 0.5, 0.0, 0.0, 0.0]]])
        link = updated_link(torch.zeros(1, 1, N, N), torch.zeros(1, 1, N), weights)
        assert link.abs().max() == 0
        said = interface(8, dtype=torch.float32)
        for num_links in (None, 2):
            _, after = m.step(empty(num_links=num_links, dtype=torch.float32), said)
            assert dense(after.link).abs().max() == 0

    def test_5_old_links_decay_when_a_slot_is_written_again(self) -> None:
        for num_links in (None, 2):
            state = empty(num_links=num_links)
            for slot in (0, 3, 2, 0):
                state = hard_write(slot, state, torch.zeros(B, W, dtype=torch.float64))
            link = dense(state.link)[:, 0]
            assert (link[:, 3, 0] == 0).all()  # slot 0 holds something new: "3 came after 0" is no longer so
            assert (link[:, 0, 2] == 1).all()

    def test_6_exactly_n_slots_are_least_used_even_among_ties(self) -> None:
        for count in range(1, N + 1):
            free = least_used(torch.zeros(2, N), count)
            assert free.sum(-1).tolist() == [[1.0] * count] * 2
            assert free.sum(1).max() == 1
        usage = torch.tensor([[0.3, 0.1, 0.9, 0.2, 0.8]])
        assert least_used(usage, 2).tolist() == [[[0, 1, 0, 0, 0], [0, 0, 0, 1, 0]]]

    def test_6_reading_a_slot_makes_it_recently_used_and_time_forgets_it(self) -> None:
        said = interface(9)
        _, after = m.step(random_state(10)._replace(usage=torch.zeros(B, N).double()), said, allocator="lru")
        read_most = after.read_weights.sum(1).argmax(-1)
        assert (least_used(after.usage, 1)[:, 0].gather(1, read_most.unsqueeze(1)) == 0).all()
        quiet = said.write._replace(gates=torch.zeros(B, 1, dtype=torch.float64))
        assert (m.write(after, quiet, allocator="lru").usage < after.usage).all()

    def test_7_the_state_has_a_batch_and_starts_empty(self) -> None:
        assert all(part.shape[0] == B and part.abs().max() == 0 for part in tensors(empty()))

    def test_8_the_first_read_of_an_empty_memory_is_zero_and_has_a_gradient(self) -> None:
        slots = torch.zeros(B, N, W, requires_grad=True)
        keys = torch.zeros(B, R, W, requires_grad=True)
        weights = m.content_weights(slots, keys, torch.ones(B, R))
        (weights @ slots).sum().backward()
        assert torch.equal(weights, torch.full_like(weights, 1 / N))
        assert torch.isfinite(slots.grad).all()
        assert torch.isfinite(keys.grad).all()


def test_freed_slots_lose_their_content() -> None:
    state = random_state(11)
    reads = torch.zeros(B, R, N, dtype=torch.float64)
    reads[:, :, 1] = 1
    said = interface(12).write._replace(
        free_gates=torch.ones(B, R, dtype=torch.float64), gates=torch.zeros(B, 1, dtype=torch.float64)
    )
    after = m.write(state._replace(read_weights=reads), said)
    assert after.slots[:, 1].abs().max() == 0
    torch.testing.assert_close(after.slots[:, 0], state.slots[:, 0])


def test_without_links_a_memory_reads_by_content_alone() -> None:
    state = empty(num_links=0)
    assert state.link is None
    said = interface(13)
    _, after = m.step(state, said)
    expected = m.content_weights(after.slots, said.read.keys, said.read.strengths)
    torch.testing.assert_close(after.read_weights, expected)


def test_many_slots_have_sparse_links() -> None:
    large = m.initial_state(1, num_slots=129, width=2, num_reads=1)
    small = m.initial_state(1, num_slots=128, width=2, num_reads=1)
    assert isinstance(large.link, SparseLink)
    assert isinstance(small.link, Tensor)
    assert large.link.weight.shape[-1] < 129
