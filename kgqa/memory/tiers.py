"""Which segments a delta takes into the one it writes.

Segments merge by size tiers: a delta absorbs every segment at most twice as large as what it writes. So an absorbed
vector moves to a segment at least half as large again, which makes O(log N) rewrites a vector, and what stays is more
than twice as large as what is new, which makes at most log2(N) segments to search. A segment of which more than half is
dead is rewritten without its dead.
"""

from collections.abc import Sequence


def absorbed(stored: Sequence[int], alive: Sequence[int], num_new: int) -> set[int]:
    """The places of the segments that a new one of `num_new` rows takes in, by how many rows each holds and how many of
    them live."""
    chosen = {i for i in range(len(stored)) if 2 * alive[i] < stored[i]}
    size = num_new + sum(alive[i] for i in chosen)
    for i in sorted(set(range(len(stored))) - chosen, key=lambda i: alive[i]):
        if alive[i] <= 2 * size:
            chosen.add(i)
            size += alive[i]
    return chosen
