"""What referring words say of what they stand for: kind, number and gender."""

import pytest

from kgqa.answer.references import readings_of
from kgqa.answer.referents import (
    INSTITUTION,
    PERSON,
    PLACE,
    THING,
    TIME,
    Referent,
    Sense,
    fit,
    gender_asked,
    kind_asked,
    of_name,
    of_names,
    of_noun,
)
from kgqa.answer.referring import MENTION
from kgqa.types import Candidate, Question, Topic


def referent(*texts: str, kind: str = "", gender: str = "") -> Referent:
    return Referent("-".join(texts), texts, texts, kind, 1, gender=gender)


def mention(text: str):
    found = MENTION.search(text)
    assert found
    return found


@pytest.mark.parametrize(
    ("noun", "sense"),
    [
        ("man", Sense(PERSON, "m")),
        ("cities", Sense(PLACE, "", several=True)),
        ("people", Sense(PERSON, "", several=True)),
        ("wife", Sense(PERSON, "f")),
        ("laboratory", Sense(INSTITUTION)),
        ("year", Sense(TIME)),
        ("novel", Sense(THING)),
        ("blorp", Sense()),
    ],
)
def test_nouns(noun, sense):
    assert of_noun(noun) == sense


def test_names():
    assert of_name("Marie Curie") == Sense(PERSON, "f")
    assert of_name("Columbia University") == Sense(INSTITUTION)
    assert of_name("France") == Sense(PLACE)
    assert of_name("Marie") == Sense()  # a place, a ship, a person
    assert of_names(["Marie Curie", "Pierre Curie"]).kind == PERSON
    assert of_names(["Marie Curie", "France"]).kind == ""


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("Who was it?", PERSON),
        ("When did she die?", TIME),
        ("In which cities is that?", PLACE),
        ("Which of them was first?", ""),
        ("What did he find?", THING),
        ("Name them.", ""),
    ],
)
def test_what_is_asked_for(question, kind):
    assert kind_asked(question) == kind


def test_the_gender_of_who_is_asked_for():
    assert gender_asked("Who was the husband of Marie Curie?") == "m"
    assert gender_asked("And her daughter?") == "f"
    assert gender_asked("Where did his wife die?") == ""


def test_a_word_fits_what_it_can_stand_for_better():
    man, woman = referent("Otto", kind=PERSON, gender="m"), referent("Lise", kind=PERSON, gender="f")
    lab, city = referent("Lab", kind=INSTITUTION), referent("Kiel", kind=PLACE)
    both = referent("Otto", "Lise", kind=PERSON)
    year = referent("1901", kind=TIME)
    for text, better, worse in [
        ("When did he die?", man, woman),
        ("When did she die?", woman, man),
        ("Where did that man die?", man, woman),
        ("Who worked there?", lab, man),
        ("Where is it?", lab, man),
        ("What did they find?", both, man),
        ("When did he die?", man, both),
        ("Who died in that city?", city, man),
        ("When was that published?", lab, man),
        ("What did they find?", both, city),
        ("Who was born in that year?", year, man),
    ]:
        assert fit(mention(text), better) > fit(mention(text), worse), text


def question(text: str, *names: str) -> Question:
    spans = [(text.index(name), text.index(name) + len(name)) for name in names]
    topics = tuple(Topic(n, span, (Candidate(n, n, 1.0),)) for n, span in zip(names, spans, strict=True))
    return Question("1", text, topics)


def best(turn: str, last: Question | None, *held: tuple[Referent, float], centre: tuple[str, ...] = ()) -> str:
    readings = readings_of(question(turn), last, held, centre=centre)
    return max(readings, key=lambda reading: reading.weight).question.text


def test_what_two_share_is_what_the_last_question_asked_of_one():
    last = question("Which prizes did Max win?", "Max")
    held = (referent("Max", kind=PERSON), 1.0), (referent("Otto", kind=PERSON), 0.8)
    assert best("Which ones do they share?", last, *held) == "Which prizes did both Max and Otto win?"


def test_that_points_at_what_is_new_where_a_pronoun_goes_on():
    last = question("Who taught Otto?", "Otto")
    otto, max_ = referent("Otto", kind=PERSON, gender="m"), referent("Max", kind=PERSON, gender="m")
    held = (max_, 1.0), (otto, 0.8)
    assert best("And who taught him?", last, *held, centre=("Otto",)) == "who taught Otto?"
    assert best("And who taught that man?", last, *held, centre=("Otto",)) == "who taught Max?"


def test_some_are_asked_for_of_several():
    held = (referent("Otto", kind=PERSON), 1.0), (referent("Max", "Lise", kind=PERSON), 0.2)
    assert best("Which of them died in 1901?", None, *held) == "Which of Max and Lise died in 1901?"


def test_the_city_is_the_one_that_was_spoken_of():
    held = (referent("Otto", kind=PERSON), 1.0), (referent("Kiel", kind=PLACE), 0.9)
    texts = [reading.question.text for reading in readings_of(question("Who built the city?"), None, held)]
    assert "Who built Kiel?" in texts


def test_his_in_turn_asks_the_same_again():
    last = question("Max's mentor?", "Max")
    assert best("And his, in turn?", last, (referent("Otto", kind=PERSON), 1.0)) == "Otto's mentor?"
