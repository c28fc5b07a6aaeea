"""Entity linking on MetaQA's dev questions without their brackets: right topic first, with typos, and its rate.

python -m benchmarks.linking --data ../shared/data/metaqa
"""

import argparse
import gc
import gzip
import random
import re
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

from kgqa.answer.context import Context
from kgqa.answer.linking import EntityLinker
from kgqa.graph.subgraph import TripleTable, triple_table
from kgqa.ids import entity_iri, relation_iri
from kgqa.types import Question

RELATIONS = (
    "directed by", "written by", "starred actors", "release year", "in language", "has tags", "has genre",
    "has imdb rating", "has imdb votes",
)  # fmt: skip
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def facts(data: Path) -> Iterator[tuple[str, str, str]]:
    with gzip.open(data / "kb.txt.gz", "rt", encoding="utf-8", newline="\n") as file:
        for line in file:
            head, relation, tail = line.rstrip("\n").split("|")
            yield head, relation, tail


def names(data: Path) -> list[str]:
    return sorted({name for head, _, tail in facts(data) for name in (head, tail)})


def graph(data: Path) -> TripleTable:
    return triple_table(((entity_iri(h), relation_iri(r), entity_iri(t)) for h, r, t in facts(data)), {})


def questions(data: Path, hop: int) -> Iterator[tuple[str, str]]:
    """(text with brackets, topic)."""
    with gzip.open(data / f"qa_dev_{hop}hop.txt.gz", "rt", encoding="utf-8", newline="\n") as file:
        for line in file:
            text = line.split("\t")[0]
            yield text, re.search(r"\[(.*?)\]", text).group(1)


def with_typo(name: str, rng: random.Random) -> str:
    """One letter changed, dropped, doubled by another, or two neighbours swapped, anywhere in the name."""
    places = [i for i, c in enumerate(name) if c.isalpha()]
    if not places:
        return name
    at = rng.choice(places)
    letter = rng.choice(LETTERS)
    kind = rng.randrange(4)
    if kind == 3 and at + 1 < len(name):
        return name[:at] + name[at + 1] + name[at] + name[at + 2 :]
    return name[:at] + ("", letter, name[at] + letter, letter)[kind] + name[at + 1 :]


def score(linker: EntityLinker, asked: list[str], topics: list[str]) -> tuple[float, float, float]:
    """(right topic first, right topic first and no other topic, questions a second of one core)."""
    start = time.process_time()
    linked = linker.link([Question(str(i), text) for i, text in enumerate(asked)])
    seconds = time.process_time() - start
    firsts = [[topic.candidates[0].iri for topic in question.topics if topic.candidates] for question in linked]
    right = [entity_iri(topic) in found[:1] for found, topic in zip(firsts, topics, strict=True)]
    alone = [entity_iri(topic) in found and len(found) == 1 for found, topic in zip(firsts, topics, strict=True)]
    return sum(right) / len(right), sum(alone) / len(alone), len(asked) / seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data/metaqa"))
    parser.add_argument("--extra-names", type=int, default=0, help="made-up names added, to see the cost of size")
    parser.add_argument("--num-typo", type=int, default=2000, help="questions of each hop asked with a typo")
    parser.add_argument("--show", type=int, default=0, help="failures to print")
    args = parser.parse_args()
    rng = random.Random(0)
    known = names(args.data)
    made_up = [
        "".join(rng.choices(LETTERS, k=7)) + " " + "".join(rng.choices(LETTERS, k=8)) for _ in range(args.extra_names)
    ]
    start = time.perf_counter()
    linker = EntityLinker.from_aliases(
        ((name, entity_iri(name)) for name in known + made_up), context=Context(graph(args.data)),
        relation_texts=RELATIONS,
    )  # fmt: skip
    build = time.perf_counter() - start
    gc.freeze()  # as kgqa answer does: names are not looked through for garbage each time
    table = Table(
        "questions",
        "right first %",
        "and alone %",
        "questions/s",
        title=f"{len(linker.names):,} names, built in {build:.1f} s",
    )
    for hop in (1, 2, 3):
        pairs = list(questions(args.data, hop))
        topics = [topic for _, topic in pairs]
        plain = [re.sub(r"[\[\]]", "", text) for text, _ in pairs]
        some = rng.sample(range(len(pairs)), min(args.num_typo, len(pairs)))
        typo = [pairs[i][0].replace(f"[{topics[i]}]", with_typo(topics[i], rng)) for i in some]
        lower = [text.lower() for text in plain]
        for kind, asked, gold in (
            ("as written", plain, topics),
            ("lower case", lower, topics),
            ("one typo", typo, [topics[i] for i in some]),
        ):
            right, alone, rate = score(linker, asked, gold)
            table.add_row(f"{hop}-hop, {kind}", f"{100 * right:.2f}", f"{100 * alone:.2f}", f"{rate:,.0f}")
            if args.show:
                show(linker, asked, gold, args.show)
    Console().print(table)


def show(linker: EntityLinker, asked: list[str], topics: list[str], num: int) -> None:
    """The first questions that are linked wrongly, for reading."""
    for text, topic in zip(asked, topics, strict=True):
        (question,) = linker.link([Question("", text)])
        if [t.candidates[0].text for t in question.topics if t.candidates] != [topic] and num:
            num -= 1
            Console().print(
                f"{text!r}: {topic!r} but {[(t.text, [c.text for c in t.candidates]) for t in question.topics]}"
            )


if __name__ == "__main__":
    main()
