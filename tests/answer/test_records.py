"""An answer as a record: stable fields, on one line."""

from kgqa.answer.records import answer_record, retrieved_record
from kgqa.types import (
    Answer,
    Candidate,
    Passage,
    Provenance,
    Question,
    RankedFact,
    RankedPassage,
    Step,
    Topic,
)

ADA = Candidate("Ada", "urn:kgqa:entity:Ada", 1 / 3)
STEP = Step(
    "urn:kgqa:entity:Ada", "urn:kgqa:relation:born%20in", '"1815"', Provenance("doc", "Ada was born.", (3, 16)), True
)


def answer(number: int = 0) -> Answer:
    question = Question(f"q{number}", "When?\u2028<b>\x1b[31m")
    return Answer(
        question, (Topic("Ada", (0, 3), (ADA,)), Topic("Nobody", (4, 5))), (ADA,), False, "", ((STEP,),), "SELECT"
    )


def test_fields_and_their_order_are_stable():
    record = answer_record(answer())
    fields = ["id", "question", "topics", "answers", "abstained", "reason", "paths", "sparql", "explanations"]
    fields += ["passages", "operation", "understood"]
    assert list(record) == fields
    assert record["topics"] == [
        {"text": "Ada", "iri": ADA.iri, "score": 0.333333},
        {"text": "Nobody", "iri": "", "score": 0.0},
    ]
    (step,) = record["paths"][0]
    assert {"head", "relation", "tail", "doc_id", "sentence", "start", "end", "confidence", "extractor"} <= set(step)
    assert record["explanations"] == ['Ada was born in "1815".']
    assert (step["relation_text"], step["start"], step["end"], step["inverse"]) == ("born in", 3, 16, True)


def test_passages_of_an_abstention_stand_beside_the_stable_fields():
    question = Question("q", "Who?")
    found = RankedPassage(Passage("doc", (3, 9), "a text"), 1 / 61)
    record = answer_record(Answer(question, (), (), True, "no such entity", passages=(found,)))
    assert (record["abstained"], record["answers"]) == (True, [])
    assert record["passages"] == [{"doc_id": "doc", "start": 3, "end": 9, "text": "a text", "score": 0.016393}]


def test_what_was_retrieved_has_its_fields():
    found = RankedPassage(Passage("doc", (3, 9), "a text"), 0.5)
    record = retrieved_record(Question("q", "Who?"), [found], [RankedFact(STEP, 0.25)])
    assert list(record) == ["id", "question", "passages", "facts"]
    (fact,) = record["facts"]
    assert (fact["head_text"], fact["sentence"], fact["score"]) == ("Ada", "Ada was born.", 0.25)
