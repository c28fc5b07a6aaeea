"""Entity linking: what is named is found, what is not named is not, and doubt stays visible as probabilities."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kgqa.answer.context import Context
from kgqa.answer.linking import EntityLinker
from kgqa.answer.names import NameTable, key_of, tokenise
from kgqa.answer.nearest import NearestNames
from kgqa.errors import StoreError
from kgqa.graph.subgraph import triple_table
from kgqa.ids import entity_iri, relation_iri, vector_id
from kgqa.memory.hashing import HashingEmbedder
from kgqa.memory.long_term import LongTermMemory, MemoryRefs, apply_delta
from kgqa.types import Candidate, Question, Topic

NAMES = [
    "Peter Fonda", "Jane Fonda", "Jane", "The Godfather", "It", "Which", "Movie", "Fall", "actors", "Drama", "drama",
    "Marie Curie", "Polonium", "krypton", "London", "New York", "York", "Physics and Philosophy", "What Is Life?",
    "André Téchiné", "Some Mother's Son", "J. J. Thomson", "Moulin Rouge", "Moulin Rouge!", "The Bridge", "bridge",
    "Nobel Prize in Physics", "University of Copenhagen", "$", "1984", "千と千尋の神隠し", "Fast & Furious",
]  # fmt: skip
RELATIONS = ["directed by", "starred actors", "written by", "born in"]


@pytest.fixture(scope="module")
def linker() -> EntityLinker:
    aliases = [(name, entity_iri(name)) for name in NAMES] + [("Maria Skłodowska", entity_iri("Marie Curie"))]
    return EntityLinker.from_aliases(aliases, relation_texts=RELATIONS)


def link(linker: EntityLinker, text: str, *topics: Topic) -> list[tuple[str, list[str]]]:
    """[(topic's text, its candidates' names)], after checking what holds for every topic."""
    (question,) = linker.link([Question("q", text, topics)])
    end = 0
    for topic in question.topics:
        assert topic.text == text[slice(*topic.span)]
        assert end <= topic.span[0] < topic.span[1]
        end = topic.span[1]
        scores = [candidate.score for candidate in topic.candidates]
        assert scores == sorted(scores, reverse=True)
        assert not scores or sum(scores) == pytest.approx(1)
        assert len({candidate.iri for candidate in topic.candidates}) == len(scores)
    return [(topic.text, [candidate.text for candidate in topic.candidates]) for topic in question.topics]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("what films did Peter Fonda act in", [("Peter Fonda", ["Peter Fonda"])]),
        ("what films did peter fonda act in", [("peter fonda", ["Peter Fonda"])]),
        ("Who directed The Godfather?", [("The Godfather", ["The Godfather"])]),
        ("who directed godfather", [("godfather", ["The Godfather"])]),
        ("films by Andre Techine", [("Andre Techine", ["André Téchiné"])]),
        ("films by ANDRÉ TÉCHINÉ", [("ANDRÉ TÉCHINÉ", ["André Téchiné"])]),
        ("Who was Marie Curie's husband?", [("Marie Curie", ["Marie Curie"])]),
        ("Where was Maria Sklodowska born?", [("Maria Sklodowska", ["Maria Skłodowska"])]),
        ("who wrote Some Mother's Son", [("Some Mother's Son", ["Some Mother's Son"])]),
        ("The writer of What Is Life? comes from what city?", [("What Is Life?", ["What Is Life?"])]),
        ("who taught J. J. Thomson", [("J. J. Thomson", ["J. J. Thomson"])]),
        ("who made Fast and Furious", [("Fast and Furious", ["Fast & Furious"])]),
        ("Who made 千と千尋の神隠し?", [("千と千尋の神隠し", ["千と千尋の神隠し"])]),
        ("who starred in $", [("$", ["$"])]),
        ("New York is where?", [("New York", ["New York"])]),
    ],
)
def test_names_are_found_as_they_stand_and_normalised(linker, text, found):
    assert link(linker, text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("which actors starred in the movie Fall", ["Fall"]),
        ("which actors did the movies of Jane Fonda fall under", ["Jane Fonda"]),
        ("who directed it and which movie did Peter Fonda write", ["Peter Fonda"]),
        ("who directed It", ["It"]),
        ("which films are about drama", ["drama"]),
        ("Who discovered krypton and was born in London?", ["krypton", "London"]),
        ("Is Physics and Philosophy older than The Godfather?", ["Physics and Philosophy", "The Godfather"]),
        ("did Jane Fonda or Peter Fonda live in York", ["Jane Fonda", "Peter Fonda", "York"]),
        ("who directed it", []),
        ("", []),
        ("?!", []),
        ("which movie did they fall for", []),
    ],
)
def test_longer_and_rarer_names_win_and_words_of_the_question_are_not_eaten(linker, text, found):
    assert [name for name, _ in link(linker, text)] == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("what films did Pter Fonda act in", ("Pter Fonda", "Peter Fonda")),
        ("what films did Peter Fodna act in", ("Peter Fodna", "Peter Fonda")),
        ("what films did PeterFonda act in", ("PeterFonda", "Peter Fonda")),
        ("what films did Pe ter Fonda act in", ("Pe ter Fonda", "Peter Fonda")),
        ("what films did Pete rFonda act in", ("Pete rFonda", "Peter Fonda")),
        ("what films did peter fomda act in", ("peter fomda", "Peter Fonda")),
        ("who directed The Godfathr", ("The Godfathr", "The Godfather")),
        ("who discovered poloniun", ("poloniun", "Polonium")),
        ("who won the Noble Prize in Physics", ("Noble Prize in Physics", "Nobel Prize in Physics")),
        ("who worked at the Universty of Copenhagen", ("Universty of Copenhagen", "University of Copenhagen")),
        ("who wrote Physics adn Philosophy", ("Physics adn Philosophy", "Physics and Philosophy")),
        ("who wrote Some Mothers Son", ("Some Mothers Son", "Some Mother's Son")),
    ],
)
def test_one_typo_is_forgiven(linker, text, found):
    ((surface, names),) = link(linker, text)
    assert (surface, names[0]) == found


def test_every_typo_that_leaves_a_word_long_enough_is_mended():
    """Against brute force: all tokens of the vocabulary within one edit are found, for every kind of edit."""
    rng = random.Random(0)
    words = sorted({"".join(rng.choices("abcde", k=rng.randint(1, 7))) for _ in range(400)} - {"the"})
    table = NameTable([(word, word) for word in words])

    def edits(word: str) -> set[str]:
        splits = [(word[:i], word[i:]) for i in range(len(word) + 1)]
        dropped = {a + b[1:] for a, b in splits if b}
        swapped = {a + b[1] + b[0] + b[2:] for a, b in splits if len(b) > 1}
        changed = {a + c + b[1:] for a, b in splits if b for c in "abcde"}
        added = {a + c + b for a, b in splits for c in "abcde"}
        return dropped | swapped | changed | added

    for word in words:
        for typo in sorted(edits(word))[::5]:
            expected = edits(typo) & set(words) - {typo}
            assert set(table.mended(typo)) - {"the"} == expected


def test_numbers_are_not_mended(linker):
    assert link(linker, "what was written in 1985") == []
    assert [names for _, names in link(linker, "what was written in 1984")] == [["1984"]]


def test_twins_share_the_probability_and_what_is_written_gets_most(linker):
    for text, least in (("Drama", 0.8), ("drama", 0.6)):  # who writes no capitals may mean any
        (question,) = linker.link([Question("q", f"what is {text}")])
        (topic,) = question.topics
        assert topic.candidates[0].text == text
        assert {candidate.text for candidate in topic.candidates} == {"Drama", "drama"}
        assert topic.candidates[0].score > least
    assert link(linker, "who directed Moulin Rouge!")[0] == ("Moulin Rouge!", ["Moulin Rouge!", "Moulin Rouge"])
    assert link(linker, "who directed Moulin Rouge")[0] == ("Moulin Rouge", ["Moulin Rouge", "Moulin Rouge!"])
    assert link(linker, "who directed The Bridge")[0] == ("The Bridge", ["The Bridge", "bridge"])
    assert link(linker, "who built the bridge")[0][1][0] == "bridge"


def test_who_is_not_known_is_returned_without_candidates(linker):
    assert link(linker, "What country is the town of Grimsholm part of?") == [("Grimsholm", [])]
    assert link(linker, "who directed Zork Blurb with Peter Fonda") == [
        ("Zork Blurb", []),
        ("Peter Fonda", ["Peter Fonda"]),
    ]
    assert link(linker, 'who wrote "zork blurb"') == [("zork blurb", [])]
    assert link(linker, "who wrote The Zork Fonda Blurb") == [("Zork Fonda Blurb", [])]
    assert link(linker, "Which alumni of London studied in York?") == [("London", ["London"]), ("York", ["York"])]
    assert link(linker, "Where should I go?") == []


def test_a_longer_or_shorter_word_is_another_word(linker):
    """`Londons` and `Drams` are not typos of names: with one letter more at its end a word is inflected."""
    assert [names for _, names in link(linker, "who liked Londons or Poloniums")] == [[]]


def test_given_topics_are_resolved_and_nothing_else_is_searched_for(linker):
    text = "what did Jane Fonda say of pter fonda, Grimsholm and X"
    spans = {name: (text.index(name), text.index(name) + len(name)) for name in ("pter fonda", "Grimsholm", "X")}
    given_topic = Topic("X", spans["X"], (Candidate("X", "urn:x", 1.0),))
    topics = [Topic(name, spans[name]) for name in ("pter fonda", "Grimsholm")]
    assert link(linker, text, *topics, given_topic) == [
        ("pter fonda", ["Peter Fonda"]),
        ("Grimsholm", []),
        ("X", ["X"]),
    ]


ALPHABET = st.sampled_from([*"aBç &'.?\"-2千\u0301\ud800", "the ", "Peter ", "Fonda ", "It ", "of "])


@given(st.lists(ALPHABET, max_size=12).map("".join))
@settings(deadline=None, max_examples=200)
def test_any_text_gives_well_formed_topics(linker, text):
    link(linker, text)


@given(st.lists(st.text(min_size=1, max_size=12), max_size=8), st.randoms())
@settings(deadline=None)
def test_the_order_of_aliases_does_not_matter(names, rng):
    aliases = [(name, entity_iri(name)) for name in [*names, *NAMES]]
    shuffled = aliases * 2
    rng.shuffle(shuffled)
    one, two = EntityLinker.from_aliases(aliases), EntityLinker.from_aliases(iter(shuffled))
    questions = [Question("q", f"who is {name} to Pter Fonda and Drama") for name in names]
    assert one.link(questions) == two.link(questions)


@given(st.text(max_size=20))
def test_tokens_stand_where_they_say(text):
    for token in tokenise(text):
        assert text[token.start : token.end].strip() == text[token.start : token.end] != ""
    assert key_of(f"The {text}") == key_of(text) or not tokenise(text)


def test_no_names_at_all():
    assert link(EntityLinker.from_aliases([]), "who knows Peter Fonda") == [("Peter Fonda", [])]


@pytest.fixture
def memory(tmp_path):
    embedder = HashingEmbedder()
    names = ["International Business Machines Corporation", "Peter Fonda", "Copenhagen"]
    refs = apply_delta(
        tmp_path,
        MemoryRefs(embedder.width, embedder.name),
        generation="gen-000001",
        add_ids=[vector_id(name) for name in names],
        add_vectors=embedder.embed(names),
        add_items=[(entity_iri(name), name) for name in names],
    )
    return LongTermMemory.open(tmp_path, refs)


def test_vectors_serve_what_no_name_explains(memory):
    linker = EntityLinker.from_aliases(
        [("Copenhagen", entity_iri("Copenhagen"))], nearest=NearestNames(memory, HashingEmbedder())
    )
    found = link(linker, "who founded the International Businesses Machine Corporation in Copenhagen or Grimsholm")
    assert found == [
        ("International Businesses Machine Corporation", ["International Business Machines Corporation"]),
        ("Copenhagen", ["Copenhagen"]),
        ("Grimsholm", []),
    ]


@pytest.mark.parametrize(("least", "found"), [(0.5, ["International Business Machines Corporation"]), (0.95, [])])
def test_how_near_is_near_enough_is_the_embedder_s_matter(memory, least, found):
    class Embedder(HashingEmbedder):
        same_from = least

    linker = EntityLinker.from_aliases([], nearest=NearestNames(memory, Embedder()))
    assert link(linker, "who founded the Corporation of Business Machines")[-1][1] == found


def test_a_name_with_many_slips_is_found_by_its_spelling_and_its_twin_comes_second(tmp_path):
    embedder, names = HashingEmbedder(), ["Wilhelmina Featherstone", "Wilhelmina Feathershore", "Featherstone"]
    refs = apply_delta(
        tmp_path, MemoryRefs(embedder.width, embedder.name), generation="gen-000001", add_ids=range(len(names)),
        add_vectors=embedder.embed(names), add_items=[(entity_iri(name), name) for name in names],
    )  # fmt: skip
    nearest = NearestNames(LongTermMemory.open(tmp_path, refs), embedder)
    found, nobody = nearest.candidates(["Wilhelmyna Featherstoen", "Grimsholm"])
    assert [candidate.text for candidate in found] == names[:2]
    assert sum(candidate.score for candidate in found) == pytest.approx(1)
    assert nobody == ()
    assert nearest.candidates([]) == []


def test_a_memory_of_another_embedder_is_refused(memory):
    with pytest.raises(StoreError, match=r"hashing-v1-256.*hashing-v1-64"):
        NearestNames(memory, HashingEmbedder(64))


FACTS = [
    ("Fonda Island", "starred actors", "Lily Tomlin"), ("Fonda Island", "has tags", "lily tomlin"),
    ("Mercury", "instance of", "planet"), ("mercury", "instance of", "chemical element"),
    ("Mercury", "orbits", "Sun"), ("mercury", "found in", "Sun"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("what films did lily tomlin act in", ["Lily Tomlin", "lily tomlin"]),
        ("which films are tagged lily tomlin", ["lily tomlin", "Lily Tomlin"]),
        ("what films did Lily Tomlin act in", ["Lily Tomlin", "lily tomlin"]),
        ("which planets are like mercury", ["Mercury", "mercury"]),
        ("which elements are like mercury", ["mercury", "Mercury"]),
        ("mercury", ["mercury", "Mercury"]),
    ],
)
def test_of_one_name_that_entity_is_meant_whose_surroundings_the_question_speaks_of(text, found):
    linker = EntityLinker.from_aliases([("x", "urn:x")]).over(
        ((name, entity_iri(name)) for name in {end for head, _, tail in FACTS for end in (head, tail)}),
        triple_table(((entity_iri(h), relation_iri(r), entity_iri(t)) for h, r, t in FACTS), {}),
    )
    assert [names for name, names in link(linker, text) if len(names) > 1] == [found]


def test_given_candidates_and_entities_that_have_no_facts_stay_as_they_are():
    table = triple_table([(entity_iri("a"), relation_iri("starred"), entity_iri("Drama"))], {})
    linker = EntityLinker.from_aliases([(name, entity_iri(name)) for name in ("A1", "a1")], context=Context(table))
    given_topic = Topic("Drama", (12, 17), (Candidate("drama", "urn:1", 0.5), Candidate("Drama", "urn:2", 0.5)))
    (question,) = linker.link([Question("q", "who starred Drama", (given_topic,))])
    assert question.topics == (given_topic,)
    assert link(linker, "who starred in A1") == [("A1", ["A1", "a1"])]
