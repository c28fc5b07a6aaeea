"""Write the sample's question and dialogue files from the authoring tables and the gold world.

Reads ../world.tsv, ../entities.tsv, questions.tsv, questions_more.tsv (train and dev only) and dialogues.tsv; writes
../questions/{train,dev,test}.jsonl and ../dialogues.jsonl. Nothing is written unless every row is sound; every mistake
is reported with its line.

Path syntax: ``Polonium <discovered >born_in``. ``>r`` walks from head to tail, ``<r`` from tail to head, ``~r``
both ways (for the symmetric spouse_of and collaborated_with). Paths joined by `` & `` must all hold. A trailing
``-topic`` takes the topics themselves out of the answers. An intersection's hops are those of its longest path.
"""

from __future__ import annotations

import json
import re
import sys
from collections import defaultdict
from itertools import chain
from pathlib import Path
from typing import Any

Row = dict[str, Any]
HERE = Path(__file__).resolve().parent
SPLITS = ("train", "dev", "test")
REASONS = ("no such entity", "no such relation", "not in the knowledge base")
MAX_ANSWERS = 12
BRANCH = re.compile(r"(?P<topic>\S.*?)(?P<steps>(?: [<>~]\w+)+)")


def rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    """The rows of a tab-separated file with their line numbers."""
    header, *lines = (line.split("\t") for line in path.read_text(encoding="utf-8").splitlines())
    for number, cells in enumerate(lines, 2):
        if len(cells) != len(header):
            sys.exit(f"{path.name}:{number}: {len(cells)} columns, not {len(header)}")
    return [(number, dict(zip(header, cells, strict=True))) for number, cells in enumerate(lines, 2)]


class World:
    """The gold facts, and every name an entity goes by."""

    def __init__(self, folder: Path) -> None:
        self.edges: dict[tuple[str, str], set[str]] = defaultdict(set)
        self.relations: set[str] = set()
        entities = [row for _, row in rows(folder / "entities.tsv")]
        self.names = {row["entity"]: [row["entity"], *filter(None, row["aliases"].split("|"))] for row in entities}
        for _, row in rows(folder / "world.tsv"):
            self.relations.add(relation := row["relation"])
            for sign, start, end in ((">", row["head"], row["tail"]), ("<", row["tail"], row["head"])):
                self.names.setdefault(start, [start])  # years
                self.edges[start, sign + relation].add(end)
                self.edges[start, "~" + relation].add(end)
        self.surfaces = {name.casefold() for names in self.names.values() for name in names}

    def follow(self, path: str) -> tuple[list[str], list[str], int]:
        """The answers, topics and hops of a path; ValueError if it is malformed."""
        found: list[tuple[set[str], str, int]] = []
        for part in path.removesuffix(" -topic").split(" & "):
            match = BRANCH.fullmatch(part)
            topic, steps = (match["topic"], match["steps"].split()) if match else ("", [])
            if topic not in self.names or not {step[1:] for step in steps} <= self.relations:
                raise ValueError(f"malformed path, unknown entity or unknown relation: {part!r}")
            nodes = {topic}
            for step in steps:
                nodes = {end for node in nodes for end in self.edges.get((node, step), ())}
            found.append((nodes, topic, len(steps)))
        ends, topics, hops = zip(*found, strict=True)
        answers = set.intersection(*ends) - set(topics if path.endswith(" -topic") else ())
        return sorted(answers), list(topics), max(hops)


def wording(text: str, surfaces: list[str]) -> str:
    """The question with its topics replaced by a placeholder, without case and punctuation."""
    for surface in sorted(surfaces, key=len, reverse=True):
        text = re.sub(re.escape(surface), " topicx ", text, flags=re.IGNORECASE)
    return " ".join(re.findall(r"\w+", text.casefold()))


def question(world: World, row: dict[str, str]) -> Row:
    """One row of questions.tsv as the object to write, without its id; ValueError if it is unsound."""
    text, kind, reason = row["question"], row["kind"], row["reason"]
    topics: list[dict[str, str | None]] = []
    for item in filter(None, row["topics"].split("|")):
        name, _, surface = item.partition("=")
        surface = surface or name
        known = {other.casefold() for other in world.names.get(name, [])} if name else world.surfaces
        if surface not in text or (surface.casefold() in known) != bool(name):
            raise ValueError(f"{surface!r} is not in the question, or not a name of {name or 'something unknown'}")
        topics.append({"text": surface, "name": name or None})
    names = [topic["name"] for topic in topics]
    sound = (kind == "unanswerable") == (reason in REASONS) and (reason == REASONS[0]) == (None in names)
    if row["split"] not in SPLITS or not topics or not sound:
        raise ValueError(f"split, kind, reason or topics: {row['split']!r}, {kind!r}, {reason!r}, {names}")
    answers, starts, hops = world.follow(row["path"]) if row["path"] else ([], names, 0)
    fits = kind in ("unanswerable", "intersection" if " & " in row["path"] else f"{hops}-hop")
    if not fits or (not row["path"]) != (reason in REASONS[:2]) or set(starts) != set(names):
        raise ValueError(f"kind {kind!r}, path and topics disagree: {row['path']!r}")
    if int(row["hops"]) != hops or len(answers) > MAX_ANSWERS or bool(answers) == (kind == "unanswerable"):
        raise ValueError(f"{len(answers)} answers, {hops} hops for kind {kind!r}, hops {row['hops']}")
    made = {"question": text, "answers": answers, "hops": hops, "kind": kind, "topics": topics, "path": row["path"]}
    return made | ({"reason": reason} if reason else {})


def dialogue_turn(world: World, row: dict[str, str]) -> tuple[Row, list[str]]:
    """One row of dialogues.tsv as the turn to write, and the topics' surfaces; ValueError if it is unsound."""
    text, (answers, starts, _) = row["standalone"], world.follow(row["path"])
    surfaces = [[name for name in world.names[topic] if name.casefold() in text.casefold()] for topic in starts]
    sound = row["split"] in {*SPLITS} & {*row["dialogue"].split("-")} and 0 < len(answers) <= MAX_ANSWERS
    if not sound or not all(surfaces):
        raise ValueError(f"bad split, {len(answers)} answers, or a topic's name not in the standalone: {starts}")
    return {"question": row["question"], "standalone": text, "answers": answers, "path": row["path"]}, list(
        chain(*surfaces)
    )


def main() -> None:
    """Check everything, then write everything; exit with the mistakes if there are any."""
    world, errors = World(HERE.parent), []
    seen: dict[str, tuple[str, str]] = {}  # wording -> its split and place
    out: dict[str, list[Row]] = {split: [] for split in SPLITS}
    turns: dict[tuple[str, str], list[Row]] = defaultdict(list)
    texts: set[str] = set()
    tables = ("questions.tsv", "questions_more.tsv", "dialogues.tsv")
    for table, number, row in [(t, *line) for t in tables for line in rows(HERE / t)]:
        place, split = f"{table}:{number}", row["split"]
        try:
            if table != "dialogues.tsv":
                made = question(world, row)
                text, surfaces = row["question"], [str(topic["text"]) for topic in made["topics"]]
                if text.casefold() in texts:
                    raise ValueError(f"the question is there twice: {text!r}")
                texts.add(text.casefold())
                out[split].append({"id": f"{split}-{len(out[split]) + 1:04d}"} | made)
            else:
                text, (made, surfaces) = row["standalone"], dialogue_turn(world, row)
                turns[row["dialogue"], split].append(made)
            other, where = seen.setdefault(wording(text, surfaces), (split, place))
            if other != split and "test" in (other, split):
                raise ValueError(f"the wording is also that of {where}: {text!r}")
        except (ValueError, KeyError) as error:
            errors.append(f"{place}: {error}")
    errors += [f"{name}: {len(found)} turns" for (name, _), found in turns.items() if not 3 <= len(found) <= 6]
    if errors:
        sys.exit("\n".join(errors))
    files = {f"questions/{split}.jsonl": objects for split, objects in out.items()}
    files["dialogues.jsonl"] = [{"id": name, "split": split, "turns": t} for (name, split), t in turns.items()]
    (HERE.parent / "questions").mkdir(exist_ok=True)
    for file, objects in files.items():
        text = "".join(json.dumps(made, ensure_ascii=False) + "\n" for made in objects)
        (HERE.parent / file).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
