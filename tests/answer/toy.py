"""An answerer without a knowledge base, for the tests of batches; in a module that worker processes can import."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from kgqa.answer.batch import answer_lines
from kgqa.types import Answer, Candidate, Provenance, Question, Step

FOUND = (Candidate("a", "urn:a", 0.75),)


class ToyAnswerer:
    """Answers `a` to everything but the questions that end in "nothing"; raises `error` at the `stop_at`-th."""

    text_of = staticmethod(str)
    names_of = staticmethod(lambda term: {"alias of a"})

    def __init__(self, stop_at: int = -1, error: type[BaseException] | BaseException | None = None) -> None:
        self.asked: list[str] = []
        self._stop_at, self._error = stop_at, error

    def answer(self, questions) -> Iterator[Answer]:
        for question in questions:
            if len(self.asked) == self._stop_at and self._error:
                raise self._error
            self.asked.append(question.question_id)
            if question.text.endswith("nothing"):
                yield Answer(question, (), (), True, "ambiguous: did you mean a or b", withheld=FOUND)
            else:
                step = Step("urn:b", "born in", "urn:a", Provenance("doc", f"About {question.text}.", (0, 9)))
                yield Answer(question, (), FOUND, False, "", ((step,),), "SELECT")


def questions(number: int) -> list[Question]:
    """Some with gold, some without an answer, all different."""
    return [
        Question(f"q{n}", f"{n} nothing" if n % 4 == 3 else f"=who is {n}?", answers=None if n % 3 else ("a",))
        for n in range(number)
    ]


@contextmanager
def toy_worker():
    yield partial(answer_lines, ToyAnswerer())


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """The system refuses to let a file grow beyond so many bytes, as a full disk would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
