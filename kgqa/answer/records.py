"""An answer as a record with stable fields, a line of JSON lines."""

from collections.abc import Callable, Sequence
from typing import Any

from kgqa.answer.explain import explain
from kgqa.answer.metrics import Scores
from kgqa.ids import name_of
from kgqa.types import Answer, Candidate, Provenance, Question, RankedFact, RankedPassage, Step, Topic

TextOf = Callable[[str], str]
"""What a term is called."""


def answer_record(answer: Answer, text_of: TextOf = name_of) -> dict[str, Any]:
    """The line of one answer; its fields keep their names (data/README.md)."""
    return {
        "id": answer.question.question_id,
        "question": answer.question.text,
        "topics": [_topic(topic) for topic in answer.topics],
        "answers": [_candidate(candidate) for candidate in answer.answers],
        "abstained": answer.abstained,
        "reason": answer.reason,
        "paths": [[_step(step, text_of) for step in path] for path in answer.paths],
        "sparql": answer.sparql,
        "explanations": [explain(path, text_of) for path in answer.paths],
        "passages": [_passage(found) for found in answer.passages],
        "operation": answer.operation,
        "understood": answer.understood,
    }


def retrieved_record(
    question: Question, passages: Sequence[RankedPassage], facts: Sequence[RankedFact], text_of: TextOf = name_of
) -> dict[str, Any]:
    """The line of what was retrieved for one question; its fields keep their names (data/README.md)."""
    return {
        "id": question.question_id,
        "question": question.text,
        "passages": [_passage(found) for found in passages],
        "facts": [{**_step(found.step, text_of), "score": _round(found.score)} for found in facts],
    }


def score_record(answer: Answer, one: Scores, right: Sequence[bool]) -> dict[str, Any]:
    """The line beside it of what the answer is worth; `right`: which of the answers found, given or withheld, are.

    Without gold nothing is known of it but how sure it is and what it took.
    """
    record: dict[str, Any] = {
        "id": answer.question.question_id,
        "kind": answer.question.kind,
        "probability": _round(answer.found[0].score) if answer.found else 0.0,
        "withheld": [candidate.text for candidate in answer.withheld],
        "seconds": _round(answer.seconds),
        "abstained": answer.abstained,
    }
    gold = answer.question.answers
    if gold is not None:
        record |= {"gold": list(gold), "right": list(right), "hits@1": one.hits_at_1, "f1": one.f1}
        record |= {"exact_match": one.exact_match}
    return record


def _topic(topic: Topic) -> dict[str, Any]:
    """The entity that a mention is taken for; an unknown one keeps its text, with no IRI and score 0."""
    best = topic.candidates[0] if topic.candidates else Candidate("", "", 0.0)
    return {"text": topic.text, "iri": best.iri, "score": _round(best.score)}


def _candidate(candidate: Candidate) -> dict[str, Any]:
    return {"text": candidate.text, "iri": candidate.iri, "score": _round(candidate.score)}


def _step(step: Step, text_of: TextOf) -> dict[str, Any]:
    found = step.provenance or Provenance(doc_id="")
    start, end = found.span
    return {
        "head": step.head,
        "relation": step.relation,
        "tail": step.tail,
        "head_text": text_of(step.head),
        "relation_text": text_of(step.relation),
        "tail_text": text_of(step.tail),
        "inverse": step.inverse,
        "doc_id": found.doc_id,
        "sentence": found.sentence,
        "start": start,
        "end": end,
        "extractor": found.extractor,
        "confidence": _round(found.confidence),
    }


def _passage(found: RankedPassage) -> dict[str, Any]:
    start, end = found.passage.span
    return {
        "doc_id": found.passage.doc_id,
        "start": start,
        "end": end,
        "text": found.passage.text,
        "score": _round(found.score),
    }


def _round(score: float) -> float:
    """Six digits: enough for every use, and the same on machines that differ in the last bit."""
    return round(score, 6)
