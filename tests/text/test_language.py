"""Documents in another language are told from English ones; what is neither is let through."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kgqa.text.language import ENGLISH, is_foreign, language_of
from kgqa.text.reader import Skipped, read_documents

SAMPLE = Path(__file__).parents[2] / "data" / "sample" / "documents"

OTHERS = {
    "cs": "Fyzik se narodil v Praze, kde byl jeho otec lékařem, a studoval na univerzitě, která je nejstarší v zemi.",
    "da": "Fysikeren blev født i byen, og det var der, han skrev den bog, som han ikke er kendt for, efter krigen.",
    "de": "Der Physiker wurde in der Stadt geboren, die das Land nicht verlassen hat, und er ist mit dem Preis geehrt.",
    "es": "El físico nació en la ciudad de los vientos y fue conocido por su obra, que se publicó en el año.",
    "fi": "Hän oli fyysikko, joka syntyi kaupungissa ja jonka kirja on tunnettu, koska hän myös kirjoitti että se oli.",
    "fr": "Le physicien est né dans la ville et il a reçu le prix pour une découverte qui est connue par les savants.",
    "id": "Ia adalah seorang ahli yang lahir di kota itu dan dikenal dengan penemuan yang dibuat oleh dia.",
    "it": "Il fisico nacque nella città di cui si parla, e fu noto per una scoperta che gli valse il premio.",
    "nl": "De natuurkundige werd geboren in een stad van het land en hij kreeg de prijs voor zijn werk met een ander.",
    "pl": "Fizyk urodził się w mieście, które jest nad rzeką, i nie wiedział, że jego praca jest znana.",
    "pt": "O físico nasceu em uma cidade do norte e foi conhecido por uma obra que não se publicou em vida.",
    "sv": "Han föddes i staden och var den som skrev det verk som är känt, och som inte var till för alla.",
    "tr": "Fizikçi bu şehirde doğdu ve bir buluş ile tanındı; daha sonra çok önemli olan bir ödül için seçildi.",
    "other": "Физик родился в городе на реке и получил премию за открытие, которое он сделал вместе с женой.",
}


@pytest.mark.parametrize(("language", "text"), OTHERS.items(), ids=OTHERS)
def test_other_languages_are_known(language: str, text: str) -> None:
    assert language_of(text) == language
    assert is_foreign(text)


@pytest.mark.parametrize(
    "text",
    [
        "物理学者は京都で生まれ、東京で学び、のちに大学の教授となって多くの学生を教えたことで知られる。",
        "ولد الفيزيائي في المدينة ودرس في الجامعة ثم حصل على الجائزة عن اكتشافه المعروف",
    ],
)
def test_other_letters_are_another_language(text: str) -> None:
    assert language_of(text) == "other"


def test_the_sample_is_english() -> None:
    documents = list(read_documents(SAMPLE))
    assert documents
    assert {language_of(document.text) for document in documents} == {ENGLISH}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Niels Bohr",
        "😀" * 100,
        "| a | b |\n|---|---|\n| 1 | 2 |\n" * 20,
        "x = f(y)\nfor i in range(10):\n    print(i)\n" * 5,
        "Ångström, Łódź, São Paulo, Zürich, Malmö, Kraków, Århus, Besançon",
        "He wrote 'Der Zauberberg' and 'Die Buddenbrooks', which were read by all who had been at school.",
        "1 2 3 4 5 6 7 8 9 0 " * 50,
    ],
)
def test_what_is_not_surely_another_language_is_let_through(text: str) -> None:
    assert not is_foreign(text)


@given(st.text(max_size=300))
@settings(deadline=None)
def test_any_text_has_an_answer(text: str) -> None:
    assert language_of(text) in {"", *OTHERS, "en", "hu", "ro"}


def test_they_are_skipped_with_a_count_and_a_reason_unless_all_are_wanted(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Niels Bohr was born in Copenhagen and died there.", "utf-8")
    (tmp_path / "b.txt").write_text(OTHERS["de"], "utf-8")
    skipped: list[Skipped] = []
    assert [one.doc_id for one in read_documents(tmp_path, skipped=skipped, english=True)] == ["a"]
    assert [(Path(one.path).name, "in English" in one.reason) for one in skipped] == [("b.txt", True)]
    assert [one.doc_id for one in read_documents(tmp_path)] == ["a", "b"]
