"""Write the sample's question and dialogue files from the authoring tables and the gold world.

    python3 data/sample/authoring/build_questions.py

Reads ../world.tsv, ../entities.tsv, questions.tsv and dialogues.tsv; writes ../questions/{train,dev,test}.jsonl
and ../dialogues.jsonl. Nothing is written unless every row is sound; each mistake is reported with its line.

Path syntax: ``Polonium <discovered >born_in``. ``>r`` walks from head to tail, ``<r`` from tail to head, ``~r``
both ways (for the symmetric spouse_of and collaborated_with). Paths joined by `` & `` must all hold. A trailing
``-topic`` takes the topics themselves out of the answers. An intersection's hops are those of its longest path.
"""

from __future__ import annotations

import json
import re
import sys
from collections import defaultdict
from pathlib import Path

HERE = Path(__file__).resolve().parent
SPLITS = ("train", "dev", "test")
REASONS = ("no such entity", "no such relation", "not in the knowledge base")
MAX_ANSWERS = 12
BRANCH = re.compile(r"(?P<topic>\S.*?)(?P<steps>(?: [<>~]\w+)+)")


def rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    """The rows of a tab-separated file with their line numbers."""
    header, *lines = (line.split("\t") for line in path.read_text(encoding="utf-8").splitlines())
    return [(number, dict(zip(header, cells, strict=True))) for number, cells in enumerate(lines, 2)]


class World:
    """The gold facts, and every name an entity goes by."""

    def __init__(self, folder: Path) -> None:
        self.edges: dict[tuple[str, str], set[str]] = defaultdict(set)
        self.relations: set[str] = set()
        self.names: dict[str, list[str]] = {}
        for _, row in rows(folder / "entities.tsv"):
            self.names[row["entity"]] = [row["entity"], *filter(None, row["aliases"].split("|"))]
        for _, row in rows(folder / "world.tsv"):
            head, relation, tail = row["head"], row["relation"], row["tail"]
            self.relations.add(relation)
            for name in (head, tail):
                self.names.setdefault(name, [name])  # years
            for sign, start, end in ((">", head, tail), ("<", tail, head)):
                self.edges[start, sign + relation].add(end)
                self.edges[start, "~" + relation].add(end)
        self.surfaces = {name.casefold() for names in self.names.values() for name in names}

    def follow(self, path: str) -> tuple[list[str], list[str], int]:
        """The answers, topics and hops of a path; ValueError if it is malformed."""
        topics: list[str] = []
        hops: list[int] = []
        found: list[set[str]] = []
        for part in path.removesuffix(" -topic").split(" & "):
            match = BRANCH.fullmatch(part)
            if match is None:
                raise ValueError(f"malformed path: {part!r}")
            topic, steps = match["topic"], match["steps"].split()
            if topic not in self.names or not {step[1:] for step in steps} <= self.relations:
                raise ValueError(f"unknown entity or relation: {part!r}")
            nodes = {topic}
            for step in steps:
                nodes = {end for node in nodes for end in self.edges.get((node, step), ())}
            topics.append(topic)
            hops.append(len(steps))
            found.append(nodes)
        answers = set.intersection(*found) - set(topics if path.endswith(" -topic") else ())
        return sorted(answers), topics, max(hops)


def wording(text: str, surfaces: list[str]) -> str:
    """The question with its topics replaced by a placeholder, without case and punctuation."""
    for surface in sorted(surfaces, key=len, reverse=True):
        text = re.sub(re.escape(surface), " topicx ", text, flags=re.IGNORECASE)
    return " ".join(re.findall(r"\w+", text.casefold()))


def question(world: World, row: dict[str, str]) -> dict[str, object]:
    """One row of questions.tsv as the object to write, without its id; ValueError if it is unsound."""
    text, kind, reason = row["question"], row["kind"], row["reason"]
    topics: list[dict[str, str | None]] = []
    for item in filter(None, row["topics"].split("|")):
        name, _, surface = item.partition("=")
        surface = surface or name
        if surface not in text:
            raise ValueError(f"surface not in question: {surface!r}")
        if name and surface.casefold() not in [n.casefold() for n in world.names.get(name, [])]:
            raise ValueError(f"{surface!r} is no name of {name!r}")
        if not name and surface.casefold() in world.surfaces:
            raise ValueError(f"{surface!r} is a known entity")
        topics.append({"text": surface, "name": name or None})
    names = [topic["name"] for topic in topics]
    sound = (kind == "unanswerable") == (reason in REASONS) and (reason == REASONS[0]) == (None in names)
    if row["split"] not in SPLITS or not topics or not sound:
        raise ValueError(f"split, kind, reason or topics: {row['split']!r}, {kind!r}, {reason!r}, {names}")
    answers, starts, hops = world.follow(row["path"]) if row["path"] else ([], names, 0)
    if (not row["path"]) != (reason in REASONS[:2]) or set(starts) != set(names):
        raise ValueError(f"path and topics disagree: {row['path']!r}")
    if kind not in ("unanswerable", "intersection" if " & " in row["path"] else f"{hops}-hop"):
        raise ValueError(f"path is not of kind {kind!r}")
    if int(row["hops"]) != hops or len(answers) > MAX_ANSWERS or bool(answers) == (kind == "unanswerable"):
        raise ValueError(f"{len(answers)} answers, {hops} hops for kind {kind!r}, hops {row['hops']}")
    done = {"question": text, "answers": answers, "hops": hops, "kind": kind, "topics": topics, "path": row["path"]}
    return done | ({"reason": reason} if reason else {})


def write(path: Path, objects: list[dict[str, object]]) -> None:
    """One JSON object a line."""
    path.write_text("".join(json.dumps(o, ensure_ascii=False) + "\n" for o in objects), encoding="utf-8")


def main() -> int:
    """Check everything, then write everything; 1 if anything is wrong."""
    world, errors = World(HERE.parent), []
    seen: dict[str, tuple[str, str]] = {}  # wording -> its split and place
    out: dict[str, list[dict[str, object]]] = {split: [] for split in SPLITS}
    dialogues: dict[str, dict[str, str]] = {}
    turns: dict[str, list[dict[str, object]]] = defaultdict(list)

    def check_leak(split: str, place: str, text: str, surfaces: list[str]) -> None:
        key = wording(text, surfaces)
        other, where = seen.setdefault(key, (split, place))
        if other != split and "test" in (other, split):
            raise ValueError(f"the wording is also that of {where}: {key!r}")

    for number, row in rows(HERE / "questions.tsv"):
        place, split = f"questions.tsv:{number}", row["split"]
        try:
            made = question(world, row)
            check_leak(split, place, row["question"], [topic["text"] for topic in made["topics"]])
            if any(row["question"].casefold() == str(other["question"]).casefold() for o in out.values() for other in o):
                raise ValueError("the question is there twice")
            out[split].append({"id": f"{split}-{len(out[split]) + 1:04d}"} | made)
        except (ValueError, KeyError, TypeError) as error:
            errors.append(f"{place}: {error}")
    for number, row in rows(HERE / "dialogues.tsv"):
        place, split, text = f"dialogues.tsv:{number}", row["split"], row["standalone"]
        try:
            answers, starts, _ = world.follow(row["path"])
            surfaces = [s for t in starts for s in world.names[t] if s.casefold() in text.casefold()]
            missing = [t for t in starts if not any(s in surfaces for s in world.names[t])]
            dialogue = dialogues.setdefault(row["dialogue"], {"id": row["dialogue"], "split": split})
            if missing or not 0 < len(answers) <= MAX_ANSWERS or split not in SPLITS or dialogue["split"] != split:
                raise ValueError(f"split, {len(answers)} answers, or topics not in the standalone: {missing}")
            check_leak(split, place, text, surfaces)
            turn = {"question": row["question"], "standalone": text, "answers": answers, "path": row["path"]}
            turns[row["dialogue"]].append(turn)
        except (ValueError, KeyError) as error:
            errors.append(f"{place}: {error}")
    errors += [f"{name}: {len(found)} turns" for name, found in turns.items() if not 3 <= len(found) <= 6]
    if errors:
        print(*errors, sep="\n", file=sys.stderr)
        return 1
    (HERE.parent / "questions").mkdir(exist_ok=True)
    for split in SPLITS:
        write(HERE.parent / "questions" / f"{split}.jsonl", out[split])
    write(HERE.parent / "dialogues.jsonl", [d | {"turns": turns[name]} for name, d in dialogues.items()])
    return 0


if __name__ == "__main__":
    sys.exit(main())
