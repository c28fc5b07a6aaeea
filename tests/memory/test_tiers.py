"""Size tiers keep rewrites and segments few."""

import numpy as np
import pytest

from kgqa.memory.tiers import absorbed


@pytest.mark.parametrize("delta", [1, 3, 40])
def test_tiers_bound_rewrites_and_segments(delta):
    """5,000 additions of changing sizes: at most log_1.5(N) rewrites a vector, at most log2(N) + 1 segments."""
    rng = np.random.default_rng(delta)
    segments: list[tuple[int, int]] = []  # (size, most often rewritten vector in it)
    for _ in range(5000):
        num_new = int(rng.integers(1, delta + 1))
        chosen = absorbed([size for size, _ in segments], [size for size, _ in segments], num_new)
        taken = [segments[i] for i in chosen]
        new = num_new + sum(size for size, _ in taken), max([0] + [times + 1 for _, times in taken])
        segments = [segment for i, segment in enumerate(segments) if i not in chosen] + [new]
        total = sum(size for size, _ in segments)
        assert max(times for _, times in segments) <= np.log(total) / np.log(1.5) + 1
        assert len(segments) <= np.log2(total) + 1
