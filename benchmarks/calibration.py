"""How far the probabilities of a checkpoint hold, and what abstaining gains.

    python -m benchmarks.calibration KB CHECKPOINT QUESTIONS...

For each file of questions with gold: the confidence as it is and the calibrated probability, over all its questions
and over a mix of which a fifth has no answer. And, where its questions say why they have none (data/sample does), how
often the right reason is given.
"""

import json
import random
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from kgqa import Answerer, KnowledgeBase
from kgqa.answer.calibration import Calibration, judge
from kgqa.answer.questions import read_questions
from kgqa.answer.selective import error_at, selective_report
from kgqa.types import Answer

SHARE = 0.2


def main(kb: str, checkpoint: str, *files: str) -> None:
    """Answer every file once, nothing calibrated, and measure."""
    names = ("ece", "aurc", "error@100%", "error@90%", "error of 90% answerable", "refused@95%")
    table = Table("questions", "n", "score", *names)
    with KnowledgeBase.open(kb) as base:
        answerer = Answerer.open(base, checkpoint)
        calibration, answerer.calibration = answerer.calibration, Calibration()
        reasons: Counter[tuple[str, str]] = Counter()
        for file in files:
            answers = list(answerer.answer(read_questions(Path(file))))
            reasons += _reasons(Path(file), answers)
            for name, part in (("all", answers), ("mix", _mix(answers))):
                judged = judge(part, answerer.names_of)
                for score, values in (
                    ("confidence", judged.confidence),
                    ("calibrated", calibration(judged.confidence)),
                ):
                    probability, right, answerable = judged.of_questions(values)
                    report = selective_report(probability, right, answerable)
                    report["error of 90% answerable"] = _error_of_answerable(0.9, probability, right, answerable)
                    cells = [f"{report[name]:.3f}" if name in report else "-" for name in names]
                    table.add_row(f"{Path(file).name}, {name}", str(len(part)), score, *cells)
    console = Console(width=140)
    console.print(table)
    for (wanted, said), number in sorted(reasons.items()):
        console.print(f"{wanted}: said {said} {number} times")


def _mix(answers: Sequence[Answer]) -> list[Answer]:
    """As many of the answers as give a mix of which `SHARE` has no answer, drawn with seed 0."""
    known = [answer for answer in answers if answer.question.answers is not None]
    without = [answer for answer in known if not answer.question.answers]
    with_answer = [answer for answer in known if answer.question.answers]
    rest = round(len(without) * (1 - SHARE) / SHARE)
    return [*without, *random.Random(0).sample(with_answer, min(rest, len(with_answer)))]


def _error_of_answerable(share: float, probability: np.ndarray, right: np.ndarray, answerable: np.ndarray) -> float:
    """The error of what is answered by the threshold that lets `share` of the answerable questions pass."""
    threshold = np.quantile(probability[answerable], 1 - share, method="lower")
    return error_at(1.0, probability[probability >= threshold], right[probability >= threshold])


def _reasons(path: Path, answers: Sequence[Answer]) -> Counter[tuple[str, str]]:
    """(why a question has no answer, what was said), of the questions that were abstained from."""
    with path.open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    wanted = {row.get("id"): row["reason"] for row in rows if "reason" in row}
    return Counter(
        (wanted[answer.question.question_id], answer.reason.partition(":")[0])
        for answer in answers
        if answer.abstained and answer.question.question_id in wanted
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
