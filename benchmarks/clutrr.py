"""CLUTRR: what two people of a story are to each other, by rules learned from stories of two and three steps.

    python -m benchmarks.clutrr [--data ARCHIVE] [--text [--train N] [--dev N]]

The gold graph of each story is given, or with --text only its text, which the extractor reads with the patterns of
kinship beside this file. Rules are learned from the graphs of the training stories with the asked relation as one more
fact, in one graph of them all; then each test story's relations are composed. Reported is the share of right relations
by the number of steps. Nothing is drawn: every fact is learned from.

Of what was read a name is what the noun right before it says. Whether the one who is asked for is a man or a woman the
nouns tell that name him, or "his" and "her"; which nouns are said of men, the training stories tell. Where nothing
joins the two, the commonest relation is guessed.
"""

import argparse
import ast
import csv
import io
import os
import re
import tarfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from kgqa.graph.subgraph import triple_table
from kgqa.ids import name_of
from kgqa.reason.composition import compose, composition_table
from kgqa.reason.rules import learn_rules
from kgqa.reason.surroundings import Surroundings
from kgqa.text.extract import Extractor
from kgqa.text.lexicon import lexicon
from kgqa.text.patterns import load_patterns
from kgqa.types import Document, Fact

ARCHIVE = Path(os.environ.get("KGQA_DATA", "../shared/data")) / "clutrr" / "clutrr_089907f8.tar.gz"
PATTERNS = Path(__file__).parent / "kinship.toml"
STEPS = range(2, 11)
_TITLES = frozenset({
    "Aunt", "Uncle", "Grandma", "Grandpa", "Grandmother", "Grandfather", "Mom", "Dad", "Brother", "Sister",
})  # fmt: skip


class Story(NamedTuple):
    """People as numbers, what joins them, and what is asked."""

    facts: list[tuple[int, str, int]]
    asked: tuple[int, int]
    relation: str
    names: list[str]
    genders: list[str]
    text: str


class Read(NamedTuple):
    """What the extractor made of a story."""

    facts: list[tuple[str, str, str]]
    genders: dict[str, str]
    """m or f, as far as "his" and "her" tell."""


def stories(archive: tarfile.TarFile, name: str) -> list[Story]:
    """The stories of one file of the archive."""
    (member,) = [member for member in archive.getmembers() if member.name.endswith(name)]
    file = archive.extractfile(member)
    assert file is not None
    return [_story(row) for row in csv.DictReader(io.TextIOWrapper(file, encoding="utf-8", newline=""))]


def _story(row: dict[str, str]) -> Story:
    ends, relations = ast.literal_eval(row["story_edges"]), ast.literal_eval(row["edge_types"])
    facts = [(head, relation, tail) for (head, tail), relation in zip(ends, relations, strict=True)]
    names, genders = zip(*(one.split(":") for one in row["genders"].split(",")), strict=True)
    # Names stand in brackets; two of them side by side are of two sentences, whose full stop the file lacks.
    text = row["story"].replace("] [", "]. [")
    text = re.sub(r"\b([A-Z]\w+) (?=\[)", _title, text).replace("[", "").replace("]", "")
    text = re.sub(r" '(?=[a-z]{2})", "'s ", text)  # "Ann 'son"
    asked = ast.literal_eval(row["query_edge"])
    return Story(facts, asked, row["target"], list(names), [gender[0] for gender in genders], text)


def _title(found: re.Match[str]) -> str:
    """ "her Aunt [Kim]": what is not in brackets is no name."""
    return found[0].lower() if found[1] in _TITLES else found[0]


def main() -> None:
    """Learn, compose, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=ARCHIVE)
    parser.add_argument("--text", action="store_true", help="read the stories; else their gold graphs are given")
    parser.add_argument("--train", type=int, default=3000, help="training stories that are read")
    parser.add_argument("--dev", type=int, default=0, help="score so many other training stories, not the test ones")
    args = parser.parse_args()
    with tarfile.open(args.data) as archive:
        train = stories(archive, "1.2,1.3_train.csv")
        tests = {str(steps): stories(archive, f"1.{steps}_test.csv") for steps in STEPS} if not args.dev else {}
    if args.text:
        if args.dev:
            train, tests = train[: -args.dev], {"dev": train[-args.dev :]}
        from_text(train, tests, args.train)
    else:
        from_graphs(train, tests)


def from_graphs(train: Sequence[Story], tests: dict[str, list[Story]]) -> None:
    """Of the gold graphs."""
    composed = Composed(with_asked(train))
    right = {
        steps: np.mean([composed.likeliest(story.facts, story.asked) == story.relation for story in asked])
        for steps, asked in tests.items()
    }
    _print(composed, right)


def with_asked(train: Sequence[Story]) -> list[tuple[str, str, str]]:
    """The graphs of all stories as one, what is asked among their facts."""
    return [
        (f"{number}/{head}", relation, f"{number}/{tail}")
        for number, story in enumerate(train)
        for head, relation, tail in [*story.facts, (story.asked[0], story.relation, story.asked[1])]
    ]


def from_text(train: Sequence[Story], tests: dict[str, list[Story]], num_read: int) -> None:
    """Of the texts; what was read is told in the words of the gold graphs, whose rules are composed."""
    extractor, kin = Extractor(patterns=PATTERNS), _nouns()
    said_of = _said_of(train)
    meant = _meant(train[:num_read], read(extractor, kin, train[:num_read]), said_of)
    usual = Counter(story.relation for story in train)
    composed = Composed(with_asked(train))
    right, joined = {}, {}
    for steps, asked in tests.items():
        answers = [
            _answer(composed, found, _asked(story), said_of, meant, usual)
            for story, found in zip(asked, read(extractor, kin, asked), strict=True)
        ]
        right[steps] = np.mean([said == story.relation for (said, _), story in zip(answers, asked, strict=True)])
        joined[steps] = np.mean([is_joined for _, is_joined in answers])
    _print(composed, right, joined)


Meant = dict[tuple[str, bool, str], str]
"""What was read, whether it is looked at the other way round, whom it leads to (m or f): what gold graphs call it."""


def _meant(train: Sequence[Story], reads: Sequence[Read], said_of: dict[str, str]) -> Meant:
    counts: dict[tuple[str, bool, str], Counter[str]] = defaultdict(Counter)
    for story, found in zip(train, reads, strict=True):
        gold = {(story.names[head], story.names[tail]): relation for head, relation, tail in story.facts}
        for head, relation, tail in found.facts:
            for inverse, ends in ((False, (head, tail)), (True, (tail, head))):
                if ends in gold:
                    counts[relation, inverse, said_of[gold[ends]]][gold[ends]] += 1
    best = {key: (*count.most_common(1)[0], count.total()) for key, count in counts.items()}
    return {key: relation for key, (relation, count, total) in best.items() if count >= max(5, 0.6 * total)}


def _in_gold_words(found: Read, said_of: dict[str, str], meant: Meant) -> list[tuple[str, str, str]]:
    """Each fact that was read, both ways, of who may be a man or a woman as both; "^": an inverse without a word."""
    return [
        (*ends, meant.get((said, inverse, gender), f"^{said}" if inverse else said))
        for head, said, tail in found.facts
        for inverse, ends in ((False, (head, tail)), (True, (tail, head)))
        for gender in (_gender(ends[1], found, said_of) or "mf")
    ]


def read(extractor: Extractor, kin: dict[str, str], asked: Sequence[Story]) -> list[Read]:
    """The facts that the extractor reads of each story."""
    documents = [Document(str(number), story.text) for number, story in enumerate(asked)]
    return [
        _read(story.text, kin, extraction.facts)
        for story, extraction in zip(asked, extractor.extract(documents), strict=True)
    ]


def _read(text: str, kin: dict[str, str], facts: Iterable[Fact]) -> Read:
    best: dict[tuple[str, tuple[int, int], tuple[int, int] | None], Fact] = {}
    genders: dict[str, str] = {}
    for fact in facts:
        where = fact.provenance
        before = re.findall(r"[\w-]+", text[: where.tail_span[0]])[-1:]
        relation = _relation(fact)
        if before and kin.get(before[0].lower(), relation) != relation:
            continue  # "her son Dan and her mother Ann": Dan is no mother
        theirs = "their" in text[where.head_span[1] : where.tail_span[0]].split()
        place = (fact.relation, where.tail_span, where.head_span if theirs else None)  # "his" is one man's
        if place not in best or where.confidence > best[place].provenance.confidence:
            best[place] = fact
    for fact in best.values():
        between = text[fact.provenance.head_span[1] : fact.provenance.tail_span[0]].split()
        if owner := {"his": "m", "her": "f"}.get(next((word for word in between if word in ("his", "her")), "")):
            genders.setdefault(fact.head_text, owner)
    return Read(sorted({(fact.head_text, _relation(fact), fact.tail_text) for fact in best.values()}), genders)


def _answer(
    composed: "Composed",
    found: Read,
    asked: tuple[str, str],
    said_of: dict[str, str],
    meant: Meant,
    usual: Counter[str],
) -> tuple[str, bool]:
    """The likeliest relation, and whether anything joins the two at all."""
    people = sorted({name for head, _, tail in found.facts for name in (head, tail)} | set(asked))
    at = {name: number for number, name in enumerate(people)}
    facts = [(at[head], relation, at[tail]) for head, tail, relation in _in_gold_words(found, said_of, meant)]
    where = at[asked[0]], at[asked[1]]
    shares = composed.shares_of(facts, where, len(people), both_ways=False)
    if not any(shares.values()):
        shares = composed.shares_of(facts, where, len(people))
    gender = _gender(asked[1], found, said_of)
    fitting = [relation for relation in usual if not gender or said_of[relation] == gender]
    said = max(fitting, key=lambda relation: (shares.get(relation, 0.0), usual[relation]))
    return said, shares.get(said, 0.0) > 0


def _gender(name: str, found: Read, said_of: dict[str, str]) -> str:
    """m, f, or nothing."""
    called = Counter(said_of[relation] for _, relation, tail in found.facts if tail == name and relation in said_of)
    if called:
        return called.most_common(1)[0][0]
    return found.genders.get(name) or lexicon().gender.get(name.lower(), "")


def _said_of(train: Sequence[Story]) -> dict[str, str]:
    """Of whom each relation is said: m or f."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for story in train:
        for _, relation, tail in [*story.facts, (story.asked[0], story.relation, story.asked[1])]:
            counts[relation][story.genders[tail]] += 1
    return {relation: count.most_common(1)[0][0] for relation, count in counts.items()}


def _nouns() -> dict[str, str]:
    """Nouns of kinship, each with its relation."""
    return {
        noun: relation.name.replace("_", "-")
        for relation in load_patterns(PATTERNS)
        for pattern in relation.patterns
        if pattern.kind == "noun"
        for noun in pattern.triggers
    }


def _relation(fact: Fact) -> str:
    return name_of(fact.relation).replace("_", "-")


def _asked(story: Story) -> tuple[str, str]:
    return story.names[story.asked[0]], story.names[story.asked[1]]


class Composed:
    """Rules of two steps, learned from a graph."""

    def __init__(self, facts: Sequence[tuple[str, str, str]]) -> None:
        graph = triple_table(facts, {})
        self.relations = graph.relation_terms
        named = [*self.relations, *(f"^{relation}" for relation in self.relations)]
        self._number_of = {relation: number for number, relation in enumerate(named)}
        started = time.perf_counter()
        rules = learn_rules(Surroundings(graph), max_length=2, least=0.001, num_facts=len(facts), num_heads=len(facts))
        self.seconds, self.num_rules = time.perf_counter() - started, len(rules)
        self._table = composition_table(rules, len(self.relations))

    def shares_of(
        self, facts: Iterable[tuple[int, str, int]], asked: tuple[int, int], num_people: int, *, both_ways: bool = True
    ) -> dict[str, float]:
        """How likely each relation is between the two who are asked about."""
        known = [(head, self._number_of[one], tail) for head, one, tail in facts if one in self._number_of]
        shares = compose(known, self._table, num_people, both_ways=both_ways)[asked]
        return dict(zip(self.relations, shares.tolist(), strict=False))

    def likeliest(self, facts: Sequence[tuple[int, str, int]], asked: tuple[int, int]) -> str:
        """The relation of most weight."""
        shares = self.shares_of(facts, asked, 1 + max(max(head, tail) for head, _, tail in facts))
        return max(shares, key=lambda relation: shares[relation])


def _print(composed: Composed, *rows: dict[str, float]) -> None:
    table = Table("rules", "learned in, s", "", *rows[0], "mean of 4 to 10")
    for name, row in zip(("right", "joined"), rows, strict=False):
        longer = [value for steps, value in row.items() if steps.isdigit() and int(steps) >= 4]
        cells = (f"{value:.3f}" for value in (*row.values(), float(np.mean(longer)) if longer else float("nan")))
        table.add_row(str(composed.num_rules), f"{composed.seconds:.1f}", name, *cells)
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
