"""What a date or a number in a question means as bounds of a value: before 1900, in the 1920s, at least 3."""

from kgqa.answer import cues
from kgqa.graph.algebra import Test
from kgqa.graph.values import date_number


def date_tests(found: dict[str, str | None]) -> tuple[Test, ...]:
    """Of the groups of `cues.DATES`."""
    if found["decade"]:
        year = int(found["decade"])
        return (">=", float(date_number(year))), ("<=", float(_last_of(year + 9)))
    if found["first"] and found["last"]:
        first, last = cues.read_date(found["first"]), cues.read_date(found["last"])
        return (">=", float(date_number(*first))), ("<=", float(_last_of(*last)))
    date, side = cues.read_date(found["date"] or ""), (found["side"] or "").lower()
    if "before" in side or side.startswith(("earlier", "prior")):
        return (("<=", float(_last_of(*date))) if side.startswith("in") else ("<", float(date_number(*date))),)
    if side.startswith(("until", "up")):
        return (("<=", float(_last_of(*date))),)
    return ((">=", float(date_number(*date))) if side.startswith(("since", "in")) else (">", float(_last_of(*date))),)


def _last_of(year: int, month: int = 0, day: int = 0) -> int:
    """What no day of a year, a month or a day is worth more than."""
    return date_number(year, month or 99, day or 99)


def number_tests(found: dict[str, str | None]) -> tuple[Test, ...]:
    """Of the groups of `cues.NUMBERS`."""
    side = " ".join((found["side"] or "").lower().split())
    less = side.startswith(("less", "fewer", "under", "below"))
    sign = {"at least": ">=", "at most": "<="}.get(side) or ("<" if less else ">")
    return ((sign, float((found["number"] or "").replace(",", ""))),)
