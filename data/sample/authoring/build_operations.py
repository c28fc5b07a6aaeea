"""Write ../questions/operations_{dev,test}.jsonl from operations.tsv and the gold world.

An operation is JSON: a path as in questions.tsv, `["names", X, ...]`, `["and" | "or" | "not", SET, SET]`,
`["where", SET, RELATION, SIGN, YEAR]`, `["min" | "max", SET, RELATION]`, and outermost `["count", SET]`,
`["any", SET]` or `["less", X, Y, RELATION]`. Nothing is written unless every row is sound.
"""

from __future__ import annotations

import json
import operator
import sys
from typing import Any

from build_questions import HERE, World, rows

SIGNS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
KINDS = ("count", "yes or no", "comparison", "superlative", "filter", "or", "not")


def members(world: World, part: Any) -> set[str]:
    """The names in a set."""
    if isinstance(part, str):
        return set(world.follow(part)[0])
    name, *rest = part
    if name == "names":
        return {entity for entity in rest if entity in world.names}
    of = members(world, rest[0])
    if name == "where":
        return {one for one in of if any(SIGNS[rest[2]](year, rest[3]) for year in years(world, one, rest[1]))}
    if name in ("min", "max"):
        dated = [(year, one) for one in of for year in years(world, one, rest[1])]
        best = (min if name == "min" else max)(year for year, _ in dated)
        return {one for year, one in dated if year == best}
    other = members(world, rest[1])
    return {"and": of & other, "or": of | other, "not": of - other}[name]


def years(world: World, entity: str, relation: str) -> list[int]:
    """The years that a relation leads to."""
    return [int(year) for year in world.edges.get((entity, f">{relation}"), ())]


def answers(world: World, operation: Any) -> list[str]:
    """The gold answers of an operation."""
    name = operation[0]
    if name == "count":
        return [str(len(members(world, operation[1])))]
    if name == "any":
        return ["yes" if members(world, operation[1]) else "no"]
    if name == "less":
        left, right = (min(years(world, entity, operation[3])) for entity in operation[1:3])
        return ["yes" if left < right else "no"]
    return sorted(members(world, operation))


def main() -> None:
    """Check everything, then write everything; exit with the mistakes if there are any."""
    world, errors, seen = World(HERE.parent), [], set()
    out: dict[str, list[dict[str, Any]]] = {"dev": [], "test": []}
    for number, row in rows(HERE / "operations.tsv"):
        try:
            operation = json.loads(row["operation"])
            found = answers(world, operation)
            if not found or row["kind"] not in KINDS or row["question"] in seen:
                raise ValueError(f"{len(found)} answers, kind {row['kind']!r}, or a question that is there twice")
            seen.add(row["question"])
            made = {"question": row["question"], "answers": found, "kind": row["kind"], "operation": operation}
            out[row["split"]].append({"id": f"operation-{row['split']}-{len(out[row['split']]) + 1:03d}"} | made)
        except (ValueError, KeyError) as error:
            errors.append(f"operations.tsv:{number}: {error!r}")
    if errors:
        sys.exit("\n".join(errors))
    for split, objects in out.items():
        text = "".join(json.dumps(made, ensure_ascii=False) + "\n" for made in objects)
        (HERE.parent / "questions" / f"operations_{split}.jsonl").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
