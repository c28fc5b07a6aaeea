"""The part of a large graph around three topics, by personalised PageRank: time and memory beside the graph's size.

    python -m benchmarks.pagerank --links 1000000 10000000

Nodes are a fifth of the links; one end of a link is any node, the other is the nearer to node 0 the likelier, so that
there are hubs. The topics are drawn at random among the ends of links. CPU time of one core.
"""

import argparse
import time
import tracemalloc

import numpy as np
from rich.console import Console
from rich.table import Table

from kgqa.graph.pagerank import Links, links, push, trail

COLUMNS = ("links", "most of a node", "CSR MB", "tolerance", "nodes", "links in it", "median ms", "worst ms", "peak MB")


def random_graph(num_links: int, rng: np.random.Generator) -> Links:
    num_nodes = num_links // 5
    hubs = (num_nodes * rng.random(num_links) ** 3).astype(np.int64)
    return links(rng.integers(0, num_nodes, num_links), hubs, num_nodes)


def measure(graph: Links, tolerance: float, times: int, rng: np.random.Generator) -> list[str]:
    """The cells from the tolerance on."""
    seconds, nodes, found = [], [], []
    for _ in range(times):
        topics = graph.node[rng.integers(0, len(graph.node), 3)].astype(np.int64)
        start = time.process_time()
        ranks = push(graph, topics, np.ones(3), tolerance=tolerance)
        number, _ = trail(graph, ranks)
        seconds.append(time.process_time() - start)
        nodes.append(len(ranks.node))
        found.append(len(number))
    tracemalloc.start()
    trail(graph, push(graph, topics, np.ones(3), tolerance=tolerance))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return [
        f"{tolerance:.0e}", f"{np.median(nodes):,.0f}", f"{np.median(found):,.0f}",
        f"{1000 * np.median(seconds):.1f}", f"{1000 * max(seconds):.1f}", f"{peak / 1e6:.1f}",
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--links", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--times", type=int, default=100, help="walks to measure")
    args = parser.parse_args()
    table = Table(*COLUMNS, title="around three topics")
    for num_links in args.links:
        rng = np.random.default_rng(0)
        graph = random_graph(num_links, rng)
        size = sum(part.nbytes for part in graph) / 1e6
        most = int(np.diff(graph.offsets).max())
        for tolerance in (1e-4, 1e-5):
            table.add_row(f"{num_links:,}", f"{most:,}", f"{size:.0f}", *measure(graph, tolerance, args.times, rng))
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
