"""Questions that ask for an operation: answered with the operations and as if about paths, and all proofs run.

    python -m benchmarks.operations KB CHECKPOINT data/sample/questions/operations_dev.jsonl [more questions ...]

A right answer is the whole set, or the number, yes or no. Questions of the other files show what the operations cost
where none is asked for.
"""

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

from kgqa import Answerer, KnowledgeBase
from kgqa.answer.metrics import score
from kgqa.answer.questions import read_questions
from kgqa.types import Answer, Question


def main(kb: str, checkpoint: str, *files: str) -> None:
    """One table a file."""
    console = Console()
    with KnowledgeBase.open(kb) as base:
        answerer = Answerer.open(base, checkpoint)
        for file in files:
            questions = list(read_questions(Path(file)))
            answers = {}
            for name in ("paths alone", "operations"):
                answerer.operations = name == "operations"
                answers[name] = list(answerer.answer(questions))
            console.print(Path(file).name, _table(questions, answers, answerer))
            proofs = [_proved(base, answer) for answer in answers["operations"] if answer.sparql]
            console.print(f"{sum(proofs)} of {len(proofs)} queries give exactly the answer")


def _table(questions: list[Question], answers: dict[str, list[Answer]], answerer: Answerer) -> Table:
    table = Table("kind", "n", *answers)
    kinds = Counter(kind for question in questions for kind in (question.kind, "all"))
    right = {name: Counter(_right(found, answerer)) for name, found in answers.items()}
    for kind in sorted(kinds, key=lambda kind: kind == "all"):
        table.add_row(kind, str(kinds[kind]), *(f"{right[name][kind] / kinds[kind]:.3f}" for name in answers))
    return table


def _right(answers: list[Answer], answerer: Answerer) -> Iterator[str]:
    """The kinds of the questions that were answered right."""
    for answer in answers:
        one = score(answer, names_of=answerer.names_of)
        if one.exact_match or one.num_abstained:
            yield from (answer.question.kind, "all")


def _proved(base: KnowledgeBase, answer: Answer) -> bool:
    return {term for (term,) in base.query(answer.sparql)} == {found.iri for found in answer.answers}


if __name__ == "__main__":
    main(*sys.argv[1:])
