"""Turns of conversations in a batch: they stay together, and are answered in their order."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from kgqa.errors import InputError
from kgqa.types import Answer, Question

if TYPE_CHECKING:  # the process that hands out batches needs no model
    from kgqa.answer.answerer import Answerer


def batches(questions: Iterable[Question], size: int) -> Iterator[list[Question]]:
    """Batches of at least `size` questions, the last one apart; no conversation is in two of them.

    Raises InputError where a conversation goes on after another question came in between.
    """
    batch: list[Question] = []
    ended: set[int] = set()  # hashes, so that millions of conversations fit
    session = ""
    for question in questions:
        if question.session != session:
            if session:
                ended.add(hash(session))
            session = question.session
            if session and hash(session) in ended:
                raise InputError(
                    f"question {question.question_id} goes on with session {session!r} after others came in between; "
                    "sort the questions by session, or set answer.session=false"
                )
            if len(batch) >= size:
                yield batch
                batch = []
        batch.append(question)
        if not session and len(batch) >= size:
            yield batch
            batch = []
    if batch:
        yield batch


def answers_in_turn(answerer: "Answerer", questions: Sequence[Question]) -> Iterator[Answer]:
    """The answers of a batch in its order; each conversation's questions are answered in the order of their turns."""
    for session, group in groupby(questions, key=lambda question: question.session):
        if session:
            yield from _conversation(answerer, session, list(group))
        else:
            yield from answerer.answer(group)


def _conversation(answerer: "Answerer", session_id: str, questions: Sequence[Question]) -> list[Answer]:
    from kgqa.answer.session import Dialogue

    dialogue = Dialogue(answerer)
    session = dialogue.start(session_id)
    answers: dict[int, Answer] = {}
    order = sorted(range(len(questions)), key=lambda n: n if (turn := questions[n].turn) is None else turn)
    for number in order:
        answers[number], session = dialogue.ask(session, questions[number])
    return [answers[number] for number in range(len(questions))]
