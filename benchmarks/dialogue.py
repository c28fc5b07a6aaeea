"""Conversations: turns that leave out what was said before, against the same questions written out.

    python -m benchmarks.dialogue sample KB CHECKPOINT [split]
    python -m benchmarks.dialogue metaqa KB CHECKPOINT [number of dialogues]

`sample`: data/sample/dialogues.jsonl. `metaqa`: dialogues made from the graph of MetaQA (needs no other file): a
director is asked about, then the films are followed on, filtered and counted, the same is asked of another one, and the
first is gone back to. Each turn is answered as it stands, by the last turn alone, by the session's memory, and written
out; a right answer is the whole set.
"""

import json
import random
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from kgqa import Answerer, KnowledgeBase
from kgqa.answer.session import Dialogue
from kgqa.types import Answer, Question

SAMPLE = Path(__file__).parents[1] / "data" / "sample" / "dialogues.jsonl"
WAYS = ("as it stands", "last turn alone", "memory", "written out")


class Turn(NamedTuple):
    """What is asked, the same written out, the right answers, how many turns back what it refers to was spoken of."""

    asked: str
    written_out: str
    gold: frozenset[str]
    distance: int | None


def main(kind: str, kb: str, checkpoint: str, which: str = "") -> None:
    """Print the table."""
    console = Console()
    with KnowledgeBase.open(kb) as base:
        answerer = Answerer.open(base, checkpoint)
        dialogues = _sample(which or "test") if kind == "sample" else _metaqa(base, int(which or 1000))
        right: Counter[tuple[str, str]] = Counter()
        asked: Counter[str] = Counter()
        for turns in dialogues:
            _score(turns, answerer, right, asked)
    table = Table("turns", "n", *WAYS, "memory / written out")
    for name in sorted(asked, key=lambda name: (name == "all follow-ups", name)):
        rates = [right[name, way] / asked[name] for way in WAYS]
        table.add_row(
            name, str(asked[name]), *(f"{rate:.3f}" for rate in rates), f"{rates[2] / max(rates[3], 1e-9):.3f}"
        )
    console.print(table)


def _score(turns: list[Turn], answerer: Answerer, right: Counter[tuple[str, str]], asked: Counter[str]) -> None:
    dialogues = {"last turn alone": Dialogue(answerer, use_memory=False), "memory": Dialogue(answerer)}
    sessions = {way: dialogue.start() for way, dialogue in dialogues.items()}
    for number, turn in enumerate(turns):
        alone, written = answerer.answer([Question("1", turn.asked), Question("2", turn.written_out)])
        said = {"as it stands": alone, "written out": written}
        for way, dialogue in dialogues.items():
            said[way], sessions[way] = dialogue.ask(sessions[way], turn.asked)
        if number:
            distance = [] if turn.distance is None else [f"{turn.distance} back"]
            for name in ("all follow-ups", *distance):
                asked[name] += 1
                for way, answer in said.items():
                    right[name, way] += _said(answer) == turn.gold


def _said(answer: Answer) -> frozenset[str]:
    return frozenset(found.text for found in answer.answers)


def _sample(split: str) -> Iterator[list[Turn]]:
    for line in SAMPLE.read_text(encoding="utf-8").splitlines():
        dialogue = json.loads(line)
        if dialogue["split"] == split:
            yield [Turn(t["question"], t["standalone"], frozenset(t["answers"]), None) for t in dialogue["turns"]]


def _metaqa(base: KnowledgeBase, number: int) -> Iterator[list[Turn]]:
    """Dialogues about directors, their films and one more director; gold by walks over the graph's arrays."""
    films_of, of_film = _by_relation(base)
    rng = random.Random(0)
    names = sorted(name for name, films in films_of["directed by"].items() if 2 <= len(films) <= 8)
    for _ in range(number):
        one, other = rng.sample(names, 2)
        yield _dialogue(one, other, films_of, of_film, rng)


Relations = dict[str, dict[str, set[str]]]


def _by_relation(base: KnowledgeBase) -> tuple[Relations, Relations]:
    table = base.triples()
    films_of: Relations = {text: {} for text in table.relation_texts}
    of_film: Relations = {text: {} for text in table.relation_texts}
    for h, r, t in zip(table.heads.tolist(), table.relations.tolist(), table.tails.tolist(), strict=True):
        head, relation, tail = table.entity_texts[h], table.relation_texts[r], table.entity_texts[t]
        films_of[relation].setdefault(tail, set()).add(head)
        of_film[relation].setdefault(head, set()).add(tail)
    return films_of, of_film


def _dialogue(one: str, other: str, films_of: Relations, of_film: Relations, rng: random.Random) -> list[Turn]:
    films = films_of["directed by"][one]
    years = sorted(year for film in films for year in of_film["release year"].get(film, ()))
    year = years[len(years) // 2] if years else "1990"
    of_one, of_other = (_follow_ups(name, year, films_of, of_film) for name in (one, other))
    number, number_after = rng.sample([n for n in range(len(of_one)) if of_one[n].gold and of_other[n].gold], 2)
    second, others = of_one[number_after], films_of["directed by"][other]
    return [
        Turn(f"what movies did {one} direct?", f"what movies did {one} direct?", frozenset(films), 0),
        of_one[number],
        second._replace(asked=f"and {second.asked}", distance=2),
        of_other[number_after]._replace(asked=f"what about {other}?"),
        Turn(f"what movies did {other} direct?", f"what movies did {other} direct?", frozenset(others), 0),
        of_one[0]._replace(asked=f"back to {one}: who starred in the movies he directed?", distance=5),
    ]


def _follow_ups(director: str, year: str, films_of: Relations, of_film: Relations) -> list[Turn]:
    """What may be asked after a director's films were named."""
    films = films_of["directed by"][director]

    def ends(relation: str) -> frozenset[str]:
        return frozenset(end for film in films for end in of_film[relation].get(film, ()))

    before = frozenset(film for film in films if any(y < year for y in of_film["release year"].get(film, ())))
    rows = [
        ("who starred in them?", f"who starred in the movies directed by {director}", ends("starred actors")),
        ("who wrote them?", f"who wrote the movies directed by {director}", ends("written by")),
        ("when were they released?", f"when were the films directed by {director} released", ends("release year")),
        (
            f"which of them were made before {year}?",
            f"which films directed by {director} were made before {year}?",
            before,
        ),
        ("how many of them are there?", f"how many films did {director} direct?", frozenset({str(len(films))})),
    ]
    return [Turn(asked, written, gold, 1) for asked, written, gold in rows]


if __name__ == "__main__":
    main(*sys.argv[1:])
