"""Runs to make pages of: answers as the answerer gives them, through the functions that a real run is written with."""

from contextlib import nullcontext
from functools import partial
from pathlib import Path

from kgqa.answer.batch import answer_batch, answer_lines
from kgqa.engine.local import LocalEngine
from kgqa.runs import RunFolder
from kgqa.types import Answer, Candidate, Passage, Provenance, Question, RankedPassage, Step, Topic

E, R = "urn:kgqa:entity:", "urn:kgqa:relation:"
HOSTILE = (
    "<script>document.title='owned'</script>",
    '"><img src=x onerror=alert(1)>',
    "</style></script></title><b>",
    "javascript:alert(1)",
    "{{ 7 * 7 }} {% raw %} {#",
    "\x1b[31mred\x00\u202egnp.exe",
    "&lt;i&gt; ]]> -->",
)


def step(head: str, relation: str, tail: str, *, inverse: bool = False, given: bool = False) -> Step:
    """A fact between entities of these names."""
    extractor = "given" if given else "pattern:test"
    found = Provenance(f"doc of {head}", f"{head} {relation} {tail}.", (3, 40), extractor=extractor, confidence=0.75)
    return Step(E + head, R + relation, E + tail, found, inverse)


def answered(
    number: int, text: str, names: list[str], *, score: float = 0.9, gold: tuple[str, ...] | None = None, kind: str = ""
) -> Answer:
    """An answer two hops from `topic`, each of its names by a path of its own."""
    paths = tuple(
        (step("topic", "knows", f"via {name}"), step(name, "made by", f"via {name}", inverse=True)) for name in names
    )
    return Answer(
        Question(f"id-{number}", text, answers=gold, kind=kind),
        (Topic("topic", (0, 5), (Candidate("topic", E + "topic", 1.0),)),),
        tuple(Candidate(name, E + name, score) for name in names),
        abstained=False,
        reason="",
        paths=paths,
        sparql=f"SELECT ?x WHERE {{\n  ?x <{R}made%20by> ?y\n}}",
        seconds=number / 1000,
    )


def refused(number: int, text: str, reason: str, *, gold: tuple[str, ...] | None = None, kind: str = "") -> Answer:
    """An abstention that would have said `w`."""
    withheld = (Candidate("w", E + "w", 0.25),)
    question = Question(f"id-{number}", text, answers=gold, kind=kind)
    near = (RankedPassage(Passage(f"doc near {text}", (70, 90), f"near {text}"), 0.5),)
    topics = (Topic("nobody", (0, 0)),)
    return Answer(question, topics, (), abstained=True, reason=reason, withheld=withheld, passages=near)


class Said:
    """An answerer that has its answers already."""

    def __init__(self, answers: list[Answer]) -> None:
        self.answers = answers

    def answer(self, questions: object) -> list[Answer]:
        return self.answers

    def text_of(self, term: str) -> str:
        return term.removeprefix(E).removeprefix(R)

    def names_of(self, term: str) -> tuple[str, ...]:
        return ()


def make_run(folder: Path, answers: list[Answer], *, status: str = "done", stage: str = "answer") -> Path:
    """The folder of a run that gave these answers."""
    try:
        with RunFolder(
            folder, stage=stage, config="name: test\n", overrides=["kb=k", f"questions={HOSTILE[0]}"], seed=0
        ) as run:
            summary = answer_batch(
                LocalEngine(), lambda: nullcontext(partial(answer_lines, Said(answers))),
                [answer.question for answer in answers], folder / "answers.jsonl",
                scores=folder / "scores.jsonl", batch_size=len(answers),
            )  # fmt: skip
            run.record({"out": str(folder / "answers.jsonl"), "generation": "gen-000001", **summary.metrics()})
            if status != "done":
                raise RuntimeError
    except RuntimeError:
        pass
    return folder


def mixed(num_questions: int = 12, *, wrong: int = 3) -> list[Answer]:
    """Right, wrong and withheld answers of two kinds; the first `wrong` of them go wrong."""
    answers: list[Answer] = []
    for number in range(num_questions):
        kind = ("1-hop", "2-hop")[number % 2]
        if number % 6 == 5:
            answers.append(refused(number, f"Who is {number}?", "no such entity", gold=(), kind="unanswerable"))
        elif number % 6 == 4:
            answers.append(refused(number, f"What is {number}?", "not in the knowledge base", gold=("w",), kind=kind))
        else:
            gold = ("other",) if number < wrong else (f"a{number}", f"b{number}")
            names = [f"a{number}", f"b{number}"]
            answers.append(
                answered(
                    number, f"Which are {number}?", names, score=0.5 + number / 2 / num_questions, gold=gold, kind=kind
                )
            )
    return answers
