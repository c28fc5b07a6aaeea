"""The memory's equations against naive loops, its invariants, and the seed formulas' faults: each test of the last part
fails with the faulty formula."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from kgqa.memory import short_term as m

B, N, W, R = 3, 5, 4, 2


def random_state(seed: int, *, dtype: torch.dtype = torch.float64) -> m.MemoryState:
    """A state reached by a few random steps, so that it satisfies what steps guarantee."""
    torch.manual_seed(seed)
    state = m.initial_state(B, num_slots=N, width=W, num_reads=R, dtype=dtype)
    layer = m.InterfaceLayer(6, width=W, num_reads=R).to(dtype)
    for _ in range(3):
        _, state = m.step(state, layer(2 * torch.randn(B, 6, dtype=dtype)))
    return m.MemoryState(*(part.detach() for part in state))


def interface(seed: int, *, dtype: torch.dtype = torch.float64, sharp: float = 2.0) -> m.Interface:
    torch.manual_seed(seed)
    layer = m.InterfaceLayer(6, width=W, num_reads=R).to(dtype)
    return m.Interface(*(part.detach() for part in layer(sharp * torch.randn(B, 6, dtype=dtype))))


def hard_write(slot: int, state: m.MemoryState, vector: Tensor) -> m.MemoryState:
    """Write `vector` to one slot, as `step` does, with weights of exactly 0 and 1."""
    weights = torch.zeros(B, N, dtype=torch.float64)
    weights[:, slot] = 1
    erase = torch.ones(B, W, dtype=torch.float64)
    return state._replace(
        slots=m.erase_add(state.slots, weights, erase, vector),
        link=m.updated_link(state.link, state.precedence, weights),
        precedence=m.updated_precedence(state.precedence, weights),
        write_weights=weights,
    )


@pytest.mark.parametrize("allocator", ["dnc", "lru"])
@given(seed=st.integers(0, 10_000), steps=st.integers(1, 6))
@settings(max_examples=25, deadline=None)
def test_weights_stay_in_range_and_links_are_a_partial_order(allocator: m.Allocator, seed: int, steps: int) -> None:
    torch.manual_seed(seed)
    state = m.initial_state(B, num_slots=N, width=W, num_reads=R, dtype=torch.float64)
    layer = m.InterfaceLayer(6, width=W, num_reads=R).double()
    for _ in range(steps):
        reads, state = m.step(state, layer(5 * torch.randn(B, 6, dtype=torch.float64)), allocator=allocator)
        assert reads.shape == (B, R, W)
        for weights in (state.read_weights, state.write_weights, state.precedence, state.link):
            assert weights.min() >= -1e-12
            assert weights.sum(-1).max() <= 1 + 1e-9
        assert state.link.sum(-2).max() <= 1 + 1e-9
        assert state.link.diagonal(dim1=-2, dim2=-1).abs().max() == 0
        if allocator == "dnc":
            assert 0 <= state.usage.min() <= state.usage.max() <= 1 + 1e-12


@given(seed=st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_addressing_and_link_agree_with_naive_loops(seed: int) -> None:
    state, said = random_state(seed), interface(seed + 1)
    content = m.content_weights(state.slots, said.read_keys, said.read_strengths)
    usage = m.updated_usage(state.usage, state.write_weights, m.retention(state.read_weights, said.free_gates))
    link = m.updated_link(state.link, state.precedence, state.write_weights)
    for b in range(B):
        for r in range(R):
            key = said.read_keys[b, r]
            scores = []
            for i in range(N):
                norms = math.sqrt(float(state.slots[b, i] @ state.slots[b, i]) + 1e-6) * math.sqrt(
                    float(key @ key) + 1e-6
                )
                scores.append(float(said.read_strengths[b, r]) * float(state.slots[b, i] @ key) / norms)
            total = sum(math.exp(s) for s in scores)
            for i in range(N):
                assert content[b, r, i] == pytest.approx(math.exp(scores[i]) / total, abs=1e-9)
        for i in range(N):
            u, w, kept = float(state.usage[b, i]), float(state.write_weights[b, i]), 1.0
            for r in range(R):
                kept *= 1 - float(said.free_gates[b, r]) * float(state.read_weights[b, r, i])
            assert usage[b, i] == pytest.approx((u + w - u * w) * kept, abs=1e-12)
            for j in range(N):
                w_i, w_j = float(state.write_weights[b, i]), float(state.write_weights[b, j])
                expected = (1 - w_i - w_j) * float(state.link[b, i, j]) + w_i * float(state.precedence[b, j])
                assert link[b, i, j] == pytest.approx(0.0 if i == j else expected, abs=1e-12)


def test_allocation_picks_the_least_used_slot_and_sums_to_one_while_a_slot_is_free() -> None:
    usage = torch.tensor([[0.9, 0.2, 0.0, 1.0, 0.7], [1.0, 1.0, 1.0, 1.0, 1.0]], dtype=torch.float64)
    weights = m.allocation_weights(usage)
    assert weights[0].tolist() == [0, 0, 1, 0, 0]
    assert weights[1].sum() == 0  # nothing free, nothing allocated
    usage[0, 2] = 0.1
    weights = m.allocation_weights(usage)
    assert weights[0].argmax() == 2
    expected = {2: 0.9, 1: 0.8 * 0.1, 4: 0.3 * 0.1 * 0.2, 0: 0.1 * 0.1 * 0.2 * 0.7, 3: 0.0}
    assert weights[0].tolist() == pytest.approx([expected[i] for i in range(5)])


def test_full_write_gives_usage_one_and_full_free_gives_zero() -> None:
    ones, zeros = torch.ones(1, N), torch.zeros(1, N)
    assert m.updated_usage(zeros, ones, ones).tolist() == ones.tolist()
    retained = m.retention(ones.unsqueeze(1), torch.ones(1, 1))
    assert m.updated_usage(ones, zeros, retained).tolist() == zeros.tolist()


def test_writes_are_followed_forward_and_backward() -> None:
    state = m.initial_state(B, num_slots=N, width=W, num_reads=R, dtype=torch.float64)
    vectors = torch.randn(3, B, W, dtype=torch.float64)
    for slot, vector in zip((0, 3, 2), vectors, strict=True):
        state = hard_write(slot, state, vector)
    at_three = torch.zeros(B, R, N, dtype=torch.float64)
    at_three[:, :, 3] = 1
    said = interface(0)
    for mode, slot in ((0, 0), (2, 2)):  # backward leads to what was written before, forward to what came after
        modes = torch.zeros(B, R, 3, dtype=torch.float64)
        modes[:, :, mode] = 1
        weights = m.read_addresses(state.slots, state.link, at_three, said._replace(read_modes=modes))
        assert (weights[:, :, slot] == 1).all()
        assert weights.sum() == B * R


def test_gradients_are_those_of_finite_differences() -> None:
    state = random_state(1)
    layer = m.InterfaceLayer(6, width=W, num_reads=R).double()
    controller = torch.randn(B, 6, dtype=torch.float64, requires_grad=True)
    slots = state.slots.clone().requires_grad_(True)
    link = state.link.clone().requires_grad_(True)

    def read(controller: Tensor, slots: Tensor, link: Tensor) -> tuple[Tensor, ...]:
        reads, after = m.step(state._replace(slots=slots, link=link), layer(controller))
        return reads, after.usage, after.link, after.precedence

    assert torch.autograd.gradcheck(read, (controller, slots, link))


@pytest.mark.parametrize("allocator", ["dnc", "lru"])
def test_a_zero_memory_gives_no_nan_in_value_or_gradient(allocator: m.Allocator) -> None:
    state = m.initial_state(B, num_slots=N, width=W, num_reads=R)
    layer = m.InterfaceLayer(6, width=W, num_reads=R)
    controller = torch.zeros(B, 6, requires_grad=True)
    torch.nn.init.zeros_(layer.linear.bias)
    reads, after = m.step(state, layer(controller), allocator=allocator)
    reads, after = m.step(after, layer(controller), allocator=allocator)
    (reads.sum() + after.usage.sum()).backward()
    assert torch.isfinite(reads).all()
    assert controller.grad is not None
    assert torch.isfinite(controller.grad).all()


def test_rows_of_a_batch_do_not_see_each_other() -> None:
    state, said = random_state(2), interface(3)
    reads, after = m.step(state, said)
    for b in range(B):
        one = m.MemoryState(*(part[b : b + 1] for part in state))
        alone, alone_after = m.step(one, m.Interface(*(part[b : b + 1] for part in said)))
        torch.testing.assert_close(alone[0], reads[b])
        torch.testing.assert_close(alone_after.link[0], after.link[b])


def test_a_step_leaves_the_state_it_was_given_alone() -> None:
    state, said = random_state(4), interface(5)
    before = [part.clone() for part in state]
    m.step(state, said)
    assert all(torch.equal(a, b) for a, b in zip(before, state, strict=True))


def test_compiled_and_autocast_steps_agree_with_plain_ones() -> None:
    state, said = random_state(6, dtype=torch.float32), interface(7, dtype=torch.float32)
    reads, _ = m.step(state, said)
    compiled, _ = torch.compile(m.step, backend="aot_eager", fullgraph=True)(state, said)
    torch.testing.assert_close(compiled, reads)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        low, _ = m.step(state, said)
    torch.testing.assert_close(low.float(), reads, atol=0.05, rtol=0.05)


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
        slots, vector = torch.randn(1, N, W), torch.randn(1, W)
        weights = torch.zeros(1, N)
        weights[:, 2] = 1
        after = m.erase_add(slots, weights, torch.ones(1, W), vector)
        others = [i for i in range(N) if i != 2]
        assert torch.equal(after[:, others], slots[:, others])
        torch.testing.assert_close(after[:, 2], vector)

    def test_4_slots_written_in_one_step_are_not_linked(self) -> None:
        weights = torch.tensor([[0.5, 0.5, 0.0, 0.0, 0.0]])
        link = m.updated_link(torch.zeros(1, N, N), torch.zeros(1, N), weights)
        assert link.abs().max() == 0
        said = interface(8, dtype=torch.float32)
        _, after = m.step(m.initial_state(B, num_slots=N, width=W, num_reads=R), said)
        assert after.link.abs().max() == 0

    def test_5_old_links_decay_when_a_slot_is_written_again(self) -> None:
        state = m.initial_state(B, num_slots=N, width=W, num_reads=R, dtype=torch.float64)
        for slot in (0, 3, 2, 0):
            state = hard_write(slot, state, torch.zeros(B, W, dtype=torch.float64))
        assert (state.link[:, 3, 0] == 0).all()  # slot 0 holds something new: "3 came after 0" is no longer so
        assert (state.link[:, 0, 2] == 1).all()

    def test_6_exactly_n_slots_are_least_used_even_among_ties(self) -> None:
        for count in range(1, N + 1):
            assert m.least_used(torch.zeros(2, N), count).sum(-1).tolist() == [count, count]
        usage = torch.tensor([[0.3, 0.1, 0.9, 0.2, 0.8]])
        assert m.least_used(usage, 2).tolist() == [[0, 1, 0, 1, 0]]

    def test_6_reading_a_slot_makes_it_recently_used(self) -> None:
        said = interface(9)
        _, after = m.step(random_state(10)._replace(usage=torch.zeros(B, N).double()), said, allocator="lru")
        read_most = after.read_weights.sum(1).argmax(-1)
        assert (m.least_used(after.usage, 1).gather(1, read_most.unsqueeze(1)) == 0).all()

    def test_7_the_state_has_a_batch_and_starts_empty(self) -> None:
        state = m.initial_state(B, num_slots=N, width=W, num_reads=R)
        assert all(part.shape[0] == B and part.abs().max() == 0 for part in state)


def test_freed_slots_lose_their_content() -> None:
    state = random_state(11)
    reads = torch.zeros(B, R, N, dtype=torch.float64)
    reads[:, :, 1] = 1
    said = interface(12)._replace(
        free_gates=torch.ones(B, R, dtype=torch.float64), write_gate=torch.zeros(B, dtype=torch.float64)
    )
    _, after = m.step(state._replace(read_weights=reads), said)
    assert after.slots[:, 1].abs().max() == 0
    torch.testing.assert_close(after.slots[:, 0], state.slots[:, 0])
