"""Operations over sets of entities: what a question asks for beyond the end of a path, each with its SPARQL.

    Count(Filter(Path(...), Key(born in the year), (("<", 19000000),)))     how many of them were born before 1900

An expression is a value: `kgqa.answer.evaluate` computes it over the graph's arrays, `query` writes it as SPARQL, and
both give the same terms. Sets are made of paths and of known terms; a count, a yes or no and a comparison stand
outermost and give one literal.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count

from kgqa.graph.queries import Choice, PathBranch, reached
from kgqa.graph.terms import XSD, token
from kgqa.graph.values import Kind, value_pattern
from kgqa.ids import ASSERTED

Test = tuple[str, float]
"""A comparison of a value, `<`, `<=`, `>` or `>=`, with a bound."""


@dataclass(frozen=True, slots=True)
class Key:
    """The values that entities are compared by: what these hops lead to, as far as it is of that kind."""

    hops: tuple[tuple[Choice, ...], ...]
    """No hops: the entities are values themselves."""
    kind: Kind


@dataclass(frozen=True, slots=True)
class Path:
    """What all branches reach."""

    branches: tuple[PathBranch, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """These terms."""

    terms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class And:
    """What is in every part; at least one."""

    parts: tuple["Set", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """What is in any part; at least one."""

    parts: tuple["Set", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """What is in `of` and not in `without`."""

    of: "Set"
    without: "Set"


@dataclass(frozen=True, slots=True)
class Filter:
    """Those of which one value passes all tests."""

    of: "Set"
    key: Key
    tests: tuple[Test, ...]


@dataclass(frozen=True, slots=True)
class ArgMin:
    """Those with the smallest value of all; what has no value is none of them."""

    of: "Set"
    key: Key


@dataclass(frozen=True, slots=True)
class ArgMax:
    """Those with the largest value of all."""

    of: "Set"
    key: Key


@dataclass(frozen=True, slots=True)
class Count:
    """How many there are."""

    of: "Set"


@dataclass(frozen=True, slots=True)
class Ask:
    """Whether there is any."""

    of: "Set"


@dataclass(frozen=True, slots=True)
class Compare:
    """Whether the smallest value of `left` is smaller (`<`) or larger (`>`) than that of `right`; both have one."""

    left: "Set"
    right: "Set"
    key: Key
    sign: str


Set = Path | Known | And | Or | Not | Filter | ArgMin | ArgMax
Expression = Set | Count | Ask | Compare


def query(expression: Expression) -> str:
    """SELECT ?answer: the set, each term once; or the one literal. A comparison without a value has no row."""
    names = (f"x{number}" for number in count())
    match expression:
        case Count(of):
            return f"SELECT (COUNT(DISTINCT ?x) AS ?answer) WHERE {{ {_in_graph(_group(of, 'x', names))} }}"
        case Ask(of):
            return f"SELECT (COUNT(?x) > 0 AS ?answer) WHERE {{ {_in_graph(_group(of, 'x', names))} }}"
        case Compare(left, right, key, sign):
            sides = (_least(left, key, "l", names), _least(right, key, "r", names))
            known = "FILTER(BOUND(?l) && BOUND(?r))"
            return f"SELECT (?l {sign} ?r AS ?answer) WHERE {{ {_in_graph(' '.join(sides))} {known} }}"
        case _:
            return f"SELECT DISTINCT ?answer WHERE {{ {_in_graph(_group(expression, 'answer', names))} }}"


def _in_graph(pattern: str) -> str:
    return f"GRAPH <{ASSERTED}> {{\n{pattern}\n}}"


def _group(part: Set, variable: str, names: Iterator[str]) -> str:
    """A group that binds `variable` to each member, once."""
    match part:
        case Path(branches):
            groups = " ".join(reached(branch, len(branch.hops), variable, names) for branch in branches)
            return _distinct(variable, groups)
        case Known(terms):
            return f"{{ VALUES ?{variable} {{ {' '.join(map(token, dict.fromkeys(terms)))} }} }}"
        case And(parts):
            return _distinct(variable, " ".join(_group(one, variable, names) for one in parts))
        case Or(parts):
            return _distinct(variable, " UNION ".join(f"{{ {_group(one, variable, names)} }}" for one in parts))
        case Not(of, without):
            kept, out = _group(of, variable, names), _group(without, variable, names)
            return _distinct(variable, f"{kept} MINUS {{ {out} }}")
        case Filter(of, key, tests):
            value = next(names)
            passed = " && ".join(f"?{value} {sign} {_number(bound)}" for sign, bound in tests)
            return _distinct(variable, f"{_valued(of, key, variable, value, names)} FILTER({passed})")
        case ArgMin(of, key) | ArgMax(of, key):
            value, best = next(names), next(names)
            extreme = _least(of, key, best, names, function="MIN" if isinstance(part, ArgMin) else "MAX")
            here = _valued(of, key, variable, value, names)
            return _distinct(variable, f"{here} {extreme} FILTER(?{value} = ?{best})")


def _distinct(variable: str, pattern: str) -> str:
    return f"{{ SELECT DISTINCT ?{variable} WHERE {{ {pattern} }} }}"


def _least(of: Set, key: Key, variable: str, names: Iterator[str], *, function: str = "MIN") -> str:
    """A group that binds `variable` to the smallest value of all members, or the largest."""
    member, value = next(names), next(names)
    return f"{{ SELECT ({function}(?{value}) AS ?{variable}) WHERE {{ {_valued(of, key, member, value, names)} }} }}"


def _valued(of: Set, key: Key, member: str, value: str, names: Iterator[str]) -> str:
    """Patterns that bind `value` to each value of each `member`, inside a group of their own."""
    end = member if not key.hops else next(names)
    walked, here = "", member
    for number, hop in enumerate(key.hops, start=1):
        there = end if number == len(key.hops) else next(names)
        ways = (f"?{there} {token(r)} ?{here}" if inverse else f"?{here} {token(r)} ?{there}" for r, inverse in hop)
        walked += " UNION ".join(f"{{ {way} }}" for way in ways) + " "
        here = there
    return f"{{ {_group(of, member, names)} {walked}{value_pattern(key.kind, end, value)} }}"


def _number(bound: float) -> str:
    return f'"{bound!r}"^^<{XSD}double>'


def formula(expression: Expression, text_of: Callable[[str], str]) -> str:
    """The operation for people: `count(path where born in the year < 1900)`; "" for a path alone."""
    return "" if isinstance(expression, Path) else _formula(expression, text_of)


def _formula(part: Expression, text_of: Callable[[str], str]) -> str:
    def of(inner: Expression) -> str:
        return _formula(inner, text_of)

    match part:
        case Path():
            return "path"
        case Known(terms):
            return "{" + ", ".join(map(text_of, terms[:3])) + (", ..." if len(terms) > 3 else "") + "}"
        case And(parts):
            return "(" + " and ".join(map(of, parts)) + ")"
        case Or(parts):
            return "(" + " or ".join(map(of, parts)) + ")"
        case Not(kept, out):
            return f"({of(kept)} but not {of(out)})"
        case Filter(inner, key, tests):
            by = _key(key, text_of)
            return f"({of(inner)} where {' and '.join(f'{by} {sign} {_shown(bound, key)}' for sign, bound in tests)})"
        case ArgMin(inner, key) | ArgMax(inner, key):
            return f"{'smallest' if isinstance(part, ArgMin) else 'largest'} {_key(key, text_of)} of {of(inner)}"
        case Count(inner):
            return f"count {of(inner)}"
        case Ask(inner):
            return f"any {of(inner)}"
        case Compare(left, right, key, sign):
            by = _key(key, text_of)
            return f"{by} of {of(left)} {sign} {by} of {of(right)}"


def _key(key: Key, text_of: Callable[[str], str]) -> str:
    return ", ".join("/".join(text_of(relation) for relation, _ in hop) for hop in key.hops) or "value"


def _shown(bound: float, key: Key) -> str:
    """A bound as people write it: a year where nothing more was said of a date."""
    if key.kind == "number":
        return f"{bound:g}"
    year, rest = divmod(int(bound), 10000)
    month, day = divmod(rest, 100)
    return f"{year}" + (f"-{month:02d}" if month not in (0, 99) else "") + (f"-{day:02d}" if day not in (0, 99) else "")
