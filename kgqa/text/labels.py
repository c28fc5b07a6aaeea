"""What a document's names name: votes of their own words, of what is said beside them, and of the recogniser."""

from collections import Counter
from collections.abc import Sequence

from kgqa.text.clauses import introduced
from kgqa.text.lexicon import Lexicon
from kgqa.text.mentions import Spot
from kgqa.text.names import called, form_label
from kgqa.text.nlp import Parse

_FORM_VOTE, _CONTEXT_VOTE, _GIVEN_NAME_VOTE, _NER_VOTE, _SURE_VOTES = 8, 3, 2, 1, 2
"""A name's own words say surest what it names, then what is said beside it ("X, a school"), then the recogniser."""


def settle_labels(paragraphs: Sequence[tuple[Parse, list[Spot]]], title: str, lex: Lexicon) -> None:
    """One label for one name in a document, by votes (in place; ties by alphabet); doubtful capitals are dropped."""
    votes: dict[str, Counter[str]] = {}
    inside: set[str] = set()
    surnames: set[str] = set()
    for parse, spots in paragraphs:
        for spot in spots:
            if spot.kind == "name":
                vote = votes.setdefault(spot.text, Counter())
                form = form_label(spot.text.split(), lex)
                for label, weight in ((form, _FORM_VOTE), _context_vote(parse, spot, lex), (spot.label, _NER_VOTE)):
                    vote[label] += weight
                if spot.text.lower() in lex.given_names - lex.also_places:
                    vote["PERSON"] += _GIVEN_NAME_VOTE
                if form == "PERSON":
                    surnames.add(spot.text.split()[-1])
                if spot.start != parse.sentences[spot.sentence][0]:
                    inside.add(spot.text)
    concept = title.split()[-1] if " " in title and title.split()[-1].islower() else ""
    for name, vote in votes.items():
        if name.lower() == concept:  # "Fission" in the document "Nuclear fission"
            vote["SCIENCE"] += _FORM_VOTE
        if name in surnames:
            vote["PERSON"] += _FORM_VOTE
        vote.pop("", None)
        vote.pop("MISC", None)
    labels = {name: min(vote, key=lambda label: (-vote[label], label)) for name, vote in votes.items() if vote}
    unsure = {name for name, label in labels.items() if votes[name][label] < _SURE_VOTES}
    for parse, spots in paragraphs:
        for spot in spots:
            if spot.kind == "name":
                spot.sure = spot.text not in unsure
                spot.label = labels.get(spot.text, "MISC")
                if spot.label == "WORK" and spot.start and parse.words[spot.start - 1] in {"The", "A", "An"}:
                    _widen(parse, spot)
        spots[:] = [spot for spot in spots if not _doubtful(spot, inside)]


def _widen(parse: Parse, spot: Spot) -> None:
    """A title keeps its article."""
    spot.start -= 1
    spot.span = parse.span(spot.start, spot.end)
    spot.text = f"{parse.words[spot.start]} {spot.text}"


def _doubtful(spot: Spot, inside: set[str]) -> bool:
    """A word that is capitalised only because it begins sentences."""
    return spot.kind == "name" and spot.label == "MISC" and " " not in spot.text and spot.text not in inside


def _context_vote(parse: Parse, spot: Spot, lex: Lexicon) -> tuple[str, int]:
    """What the words beside a name call it: "the element X", "X, a school", "X was a physicist"; "" if nothing."""
    before = spot.start - 1
    if before >= 0 and parse.lower[before] in lex.noun_label and parse.pos[before] == "NOUN":
        label = lex.noun_label[parse.lower[before]]
        return label, _FORM_VOTE + 1 if label == "WORK" else _CONTEXT_VOTE  # "her book Madame Curie"
    label = called(parse, spot.start, spot.end, lex)
    if (
        not label
        and before >= 0
        and parse.lower[before] == "the"
        and spot.end - spot.start == 1
        and spot.label == "LOC"
    ):
        return "ORG", _NER_VOTE + 1  # "the Sorbonne": towns have no article
    if label == "PERSON" and introduced(parse, spot.start) in {"in", "at", "near", "to", "from"}:
        return "", 0  # "born in Ulm, the son of a merchant"
    return label, _CONTEXT_VOTE
