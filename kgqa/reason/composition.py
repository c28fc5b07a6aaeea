"""What two entities of a small graph are to each other, by composing relations along the paths between them.

    P(r | x, y) = mean over z of  sum_{b, c} P(b | x, z) P(c | z, y) P(r | b, c)

where P(r | b, c) are the confidences of rules of two steps, as shares. Pairs are filled in round by round, those that
facts join first; what a longer path says is composed of what its parts say (CYK over a chain). A relation of people who
are ten steps apart is thus found by rules that were learned from two.
"""

from collections.abc import Iterable

import numpy as np

from kgqa.reason.frontier import Floats
from kgqa.reason.rules import Rule


def composition_table(rules: Iterable[Rule], num_relations: int) -> Floats:
    """P(r | b, c) for directed relations, `[2R, 2R, 2R]` by b, c, r; rows without a rule are zero.

    It has 8 R^3 numbers: for some hundred relations at most.
    """
    table = np.zeros((2 * num_relations,) * 3, dtype=np.float32)
    for rule in rules:
        if len(rule.body) == 2:
            table[(*rule.body, rule.head)] = rule.confidence
    shares: Floats = table / table.sum(-1, keepdims=True).clip(min=1e-9)
    return shares


def compose(
    facts: Iterable[tuple[int, int, int]], table: Floats, num_entities: int, *, both_ways: bool = True
) -> Floats:
    """P(r | x, y) for all pairs of a graph: `[n, n, 2R]`, zero where nothing joins them.

    `facts`: (head, relation, tail) in [0, n), [0, R) or [0, 2R), [0, n); `both_ways`: each also says its inverse. The
    work is n^3 of `table` at most: some dozen entities.
    """
    width = len(table)
    between = np.zeros((num_entities, num_entities, width), dtype=np.float32)
    for head, relation, tail in facts:
        between[head, tail, relation] = 1
        if both_ways:
            between[tail, head, (relation + width // 2) % width] = 1
    between /= between.sum(-1, keepdims=True).clip(min=1)
    while True:
        known = between.any(-1)
        half = np.einsum("xzb,bcr->xzcr", between, table)
        through = np.einsum("xzcr,zyc->xyr", half, between)
        new = through / through.sum(-1, keepdims=True).clip(min=1e-9)
        new[known] = 0
        new[np.arange(num_entities), np.arange(num_entities)] = 0
        if not new.any():
            return between
        between += new
