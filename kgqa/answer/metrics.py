"""How good answers are, as counters that add: stream over a run, or sum the parts of many."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, fields
from typing import Self

from kgqa.types import Answer, Candidate

NamesOf = Callable[[str], Collection[str]]
"""Every name a term goes by, so that gold "Breslau" is met by the node called "Wrocław"."""


@dataclass(frozen=True)
class Scores:
    """Sums over questions whose gold is known; `report` makes rates of them. `Scores()` is the zero of `+`."""

    num_answerable: int = 0
    num_answered: int = 0
    """Answerable questions that got an answer, right or wrong."""
    num_unanswerable: int = 0
    num_abstained: int = 0
    """Unanswerable questions that were abstained from."""
    hits_at_1: float = 0.0
    hits_at_10: float = 0.0
    reciprocal_rank: float = 0.0
    precision: float = 0.0
    recall: float = 0.0
    f1: float = 0.0
    exact_match: float = 0.0

    def __add__(self, other: Self) -> "Scores":
        return Scores(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(Scores)})

    def report(self) -> dict[str, float]:
        """Rates in [0, 1] by name, where there is a denominator; abstaining from an answerable question is wrong."""
        rates: dict[str, float] = {"questions": self.num_answerable + self.num_unanswerable}
        if self.num_answerable:
            n = self.num_answerable
            rates |= {"hits@1": self.hits_at_1 / n, "hits@10": self.hits_at_10 / n, "mrr": self.reciprocal_rank / n}
            rates |= {"precision": self.precision / n, "recall": self.recall / n, "f1": self.f1 / n}
            rates |= {"exact_match": self.exact_match / n, "answered": self.num_answered / n}
        if self.num_unanswerable:
            rates["abstained"] = self.num_abstained / self.num_unanswerable
        return rates


def score(answer: Answer, *, names_of: NamesOf = lambda term: ()) -> Scores:
    """The counters of one answer against its question's gold; all zero where no gold is known.

    An answer meets a gold string that is its term, its text, or another of its names. Set precision and recall are of
    the whole answer set; the ranks of hits and of the reciprocal rank are those of the list as given, best first.
    """
    gold = answer.question.answers
    if gold is None:
        return Scores()
    if not gold:
        return Scores(num_unanswerable=1, num_abstained=int(answer.abstained))
    if answer.abstained or not answer.answers:
        return Scores(num_answerable=1)
    wanted = set(gold)
    met = [_names(candidate, names_of) & wanted for candidate in answer.answers]
    rank = next((place for place, names in enumerate(met, start=1) if names), None)
    precision = sum(1 for names in met if names) / len(met)
    recall = len(set().union(*met)) / len(wanted)
    return Scores(
        num_answerable=1,
        num_answered=1,
        hits_at_1=float(rank == 1),
        hits_at_10=float(rank is not None and rank <= 10),
        reciprocal_rank=1 / rank if rank else 0.0,
        precision=precision,
        recall=recall,
        f1=2 * precision * recall / (precision + recall) if rank else 0.0,
        exact_match=float(precision == 1 and recall == 1),
    )


def right_answers(answer: Answer, names_of: NamesOf) -> list[bool]:
    """Which of the answers found, given or withheld, meet the question's gold."""
    gold = set(answer.question.answers or ())
    return [not gold.isdisjoint(_names(candidate, names_of)) for candidate in answer.found]


def _names(candidate: Candidate, names_of: NamesOf) -> set[str]:
    return {candidate.iri, candidate.text, *names_of(candidate.iri)}
