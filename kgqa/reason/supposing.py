"""A graph with a few facts more, supposed for one question: nothing is copied, and the graph's size costs nothing."""

from collections.abc import Sequence

import numpy as np

from kgqa.reason.frontier import Adjacency, Floats, Frontier, Ints


class Supposing(Adjacency):
    """`graph`, and beside it facts (head, relation, tail) that it lacks: each is walked both ways like its own."""

    def __init__(self, graph: Adjacency, facts: Sequence[tuple[int, int, int]]) -> None:
        self.graph, self.num_entities, self.num_relations = graph, graph.num_entities, graph.num_relations
        ways = [(head, relation, tail) for head, relation, tail in facts]
        ways += [(tail, relation + self.num_relations, head) for head, relation, tail in facts]
        entity, relation, target = np.array(sorted(ways), dtype=np.int64).reshape(-1, 3).T
        self.key, self.target = entity * (2 * self.num_relations) + relation, target
        leaving = np.unique(self.key)
        entity, relation = np.divmod(leaving, max(2 * self.num_relations, 1))
        stated = np.unique(graph.neighbours(entity, relation)[0])
        self._from, self._leads = np.delete(entity, stated), np.delete(relation, stated)

    def neighbours(self, entity: Ints, relation: Ints) -> tuple[Ints, Ints]:
        """See `Adjacency`; the pairs ascend."""
        pair, target = self.graph.neighbours(entity, relation)
        more, supposed = super().neighbours(entity, relation)
        order = np.argsort(np.concatenate([pair, more]), kind="stable")
        return np.concatenate([pair, more])[order], np.concatenate([target, supposed])[order]

    def ways(self, frontier: Frontier, num_rows: int) -> Floats:
        """See `Adjacency`; a relation of which an entity has stated facts and supposed ones leads on once."""
        item, way = np.nonzero(frontier.entity[:, None] == self._from)
        cell = frontier.row[item] * 2 * self.num_relations + self._leads[way]
        total = np.bincount(cell, frontier.weight[item], minlength=num_rows * 2 * self.num_relations)
        weight = np.bincount(frontier.row, frontier.weight, minlength=num_rows).clip(min=1e-6)
        share: Floats = (total.reshape(num_rows, -1) / weight[:, None]).astype(np.float32)
        return share + self.graph.ways(frontier, num_rows)
