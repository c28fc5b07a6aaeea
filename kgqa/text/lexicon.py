"""The word lists of lexicon.toml as sets, read once."""

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

LEXICON = Path(__file__).parent / "lexicon.toml"


@dataclass(frozen=True, slots=True)
class Lexicon:
    """What the rules know about English words; all keys are lower case but the countries' names."""

    name_words: dict[str, frozenset[str]]
    name_links: dict[str, frozenset[str]]
    noun_label: dict[str, str]
    gender: dict[str, str]
    """Noun, title or given name -> "f", "m", "p" (several people)."""
    given_names: frozenset[str]
    also_places: frozenset[str]
    """Given names that as often name a place."""
    countries: dict[str, str]
    """A country's name or alias -> its name."""
    concepts: frozenset[str]
    generic: frozenset[str]
    vague: frozenset[str]
    fields: frozenset[str]
    campuses: frozenset[str]
    possessive_names: frozenset[str]
    society: frozenset[str]
    partitive: frozenset[str]
    premises: frozenset[str]
    demonyms: frozenset[str]

    def types(self, label: str, name: str) -> frozenset[str]:
        """The types of patterns.toml that something of this label and name is of; MISC can be anything."""
        if label == "ORG":
            is_society = not self.society.isdisjoint(name.lower().replace("-", " ").split())
            return frozenset({"ORG", "SOCIETY" if is_society else "INSTITUTION"})
        if label == "LOC":
            is_country = name in self.countries or name.lower() == "country"
            return frozenset({"LOC", "COUNTRY" if is_country else "PLACE"})
        return frozenset({label})


@lru_cache(maxsize=1)
def lexicon() -> Lexicon:
    """The lists of the file beside this module."""
    with LEXICON.open("rb") as file:
        data = tomllib.load(file)
    words = {key: frozenset(text.split()) for key, text in data["words"].items()}
    genders = {key: frozenset(text.split()) for key, text in data["gender"].items()}
    gender = {word: key[0] for key, group in genders.items() for word in group}
    countries: dict[str, str] = {}
    for entry in data["countries"]["names"].split(";"):
        name, _, aliases = " ".join(entry.split()).partition("=")
        countries.update({alias: name for alias in (name, *aliases.split("|")) if alias})
    return Lexicon(
        name_words={label: frozenset(text.split()) for label, text in data["name_words"].items()},
        name_links={label: frozenset(text.split()) for label, text in data["name_links"].items()},
        noun_label={word: label for label, text in data["nouns"].items() for word in text.split()},
        gender=gender,
        given_names=genders["female_names"] | genders["male_names"],
        countries=countries,
        concepts=frozenset(" ".join(name.split()) for name in data["concepts"]["names"].split(";")),
        **words,
    )
