"""A run as one HTML page that needs nothing else: no request, no library, every text of the data escaped.

Style and script stand in the page; its content security policy names them by their hashes and forbids all else, so that
even markup that came through would not run.
"""

import heapq
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from kgqa.answer.report.charts import calibration_chart, risk_chart
from kgqa.answer.report.figures import Comparison, Scores, compare, scores_by_kind
from kgqa.answer.report.question import Shown, shown
from kgqa.answer.report.run import Record, Run, Scored
from kgqa.answer.report.text import code, csp_hash, duration, percent, points, visible
from kgqa.answer.selective import selective_report
from kgqa.artifacts import write_atomic

if TYPE_CHECKING:  # a page without traces needs no model
    from kgqa.reason.trace import Trace

Tracer = Callable[[Sequence[Record]], Iterable[list["Trace"]]]
"""What the reasoner did at each of some answered questions."""

TEMPLATES = Path(__file__).parent / "templates"


def write_report(
    run: Run,
    out: Path,
    *,
    other: Run | None = None,
    most: int = 1_000,
    listed: int = 10,
    most_bytes: int = 5_000_000,
    tracer: Tracer | None = None,
) -> int:
    """Write the page of a run, held against another one over the same questions where there is one.

    At most `most` questions are shown one by one, those that went wrong and the doubtful ones before others, with their
    evidence as long as the page stays below `most_bytes`; all of them are in the figures. Lists of the slowest,
    doubtful and so on have `listed` entries; `tracer` gives what the reasoner did at each question that is shown.
    Returns the bytes written.
    """
    comparison = compare(run, other) if other else None
    order = [one.number for one in _by_interest(run, comparison, listed)[:most]]
    records = list(run.records(set(order)))
    traces = tracer([record for _, record in records]) if tracer else [[]] * len(records)
    here = {one.number: shown(one, record, found) for (one, record), found in zip(records, traces, strict=True)}
    scores, selective = scores_by_kind(run.judged), selective_report(*run.selective())
    environment = report_environment()
    questions = _rendered(environment, [here[number] for number in order], most_bytes)
    page = environment.get_template("report.html").render(
        run=run,
        about=_about(run),
        glance=_glance(run, scores, selective),
        scores=scores,
        selective=selective,
        charts=_charts(run),
        comparison=comparison,
        other_said=_other_said(comparison) if comparison else {},
        reasons=_reasons(run),
        lists=_lists(run.scored, set(order), listed),
        questions=[questions[number] for number in here],
        here=here,
        outcomes=sorted({question.status for question in here.values()}),
        kinds=sorted({question.scored.kind for question in here.values()} - {""}),
        style=Markup((TEMPLATES / "report.css").read_text(encoding="utf-8")),
        script=Markup((TEMPLATES / "report.js").read_text(encoding="utf-8")),
    )
    data = page.encode("utf-8")
    write_atomic(out, data)
    return len(data)


def _rendered(environment: Environment, questions: Sequence[Shown], most_bytes: int) -> dict[int, Markup]:
    """Each question as markup, by its number; without its evidence once there is no room for that.

    What the questions look like without is kept free for all of them, and a tenth for the rest of the page.
    """
    question = environment.get_template("parts.html").module.question  # type: ignore[attr-defined]
    brief = {one.scored.number: question(one, False) for one in questions}
    room = 0.9 * most_bytes - sum(len(markup.encode()) for markup in brief.values())
    rendered = dict(brief)
    for one in questions:
        whole = question(one, True)
        room -= len(whole.encode()) - len(brief[one.scored.number].encode())
        if room < 0:
            break
        rendered[one.scored.number] = whole
    return rendered


def _by_interest(run: Run, comparison: Comparison | None, num_slow: int) -> list[Scored]:
    """What differs from another run, the slowest, then what went wrong, then by doubt."""
    slow = heapq.nlargest(num_slow, run.scored, key=lambda one: one.seconds)
    first = {one.number for one in slow}
    first |= {a.number for a, _ in (comparison.lost + comparison.won)} if comparison else set()
    return sorted(run.scored, key=lambda one: (one.number not in first, one.right is not False, one.probability))


def _charts(run: Run) -> dict[str, Any]:
    probability, right, _ = run.selective()
    if not len(right):
        return {}
    return {"calibration": calibration_chart(probability, right), "risk": risk_chart(probability, right)}


def _about(run: Run) -> dict[str, str]:
    """What was run, and what it took."""
    manifest = run.manifest
    return {
        "Command": f"kgqa answer {' '.join(manifest['overrides'])}",
        "Generation": manifest["metrics"].get("generation", "not known"),
        "Started": manifest["started"],
        "Took": duration(manifest["seconds"]),
        "Memory": f"{manifest['peak_memory_mib']:,} MiB",
    }


def _glance(run: Run, scores: list[Scores], selective: dict[str, float]) -> list[tuple[str, str, str]]:
    """(name, value, note) of the few figures that say most."""
    num_given = sum(not one.abstained for one in run.scored)
    tiles = [("questions", f"{len(run.scored):,}", ""), ("answered", percent(num_given / max(len(run.scored), 1)), "")]
    if scores:
        asked, total = "of those that have an answer", scores[-1]
        tiles += [("first answer right", percent(total.hits.value), asked)] if total.hits else []
        tiles += [("set F1", percent(total.f1.value), asked)] if total.f1 else []
        tiles += [("abstained", percent(total.abstained.value), "of those that have none")] if total.abstained else []
        tiles.append(("calibration error", percent(selective["ece"]), "0 is best"))
    if run.scored:
        p50, p99 = np.percentile([one.seconds for one in run.scored], [50, 99]).tolist()
        tiles.append(("a question, median", duration(p50), f"99 % within {duration(p99)}"))
    return tiles


def _reasons(run: Run) -> dict[str, int]:
    """Abstentions by reason, most frequent first."""
    prefix = "abstained: "
    found = {name.removeprefix(prefix): n for name, n in run.manifest["metrics"].items() if name.startswith(prefix)}
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def _lists(scored: Sequence[Scored], chosen: set[int], length: int) -> dict[str, list[Scored]]:
    """Questions worth a look, of those that are shown, by heading."""
    here = [one for one in scored if one.number in chosen]
    given = [one for one in here if not one.abstained]
    wrong = [one for one in given if one.right is False]
    missed = [one for one in here if one.abstained and any(one.answers_right[:1])]
    return {
        "Sure, and wrong": sorted(wrong, key=lambda one: -one.probability)[:length],
        "Withheld, though right": sorted(missed, key=lambda one: -one.probability)[:length],
        "Most doubtful answers given": sorted(given, key=lambda one: one.probability)[:length],
        "Slowest": sorted(here, key=lambda one: -one.seconds)[:length],
    }


def _other_said(comparison: Comparison) -> dict[str, Record]:
    """What the other run said to the questions that one of the two got right alone, by id."""
    numbers = {b.number for _, b in comparison.lost + comparison.won + comparison.changed}
    return {one.question_id: record for one, record in comparison.other.records(numbers)}


def report_environment() -> Environment:
    """Templates that escape what they are given; their filters show texts and figures."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {
        "shown": visible,
        "percent": percent,
        "points": points,
        "code": code,
        "time": duration,
        "csp": csp_hash,
    }
    return environment
