"""Names that are given: people, places, works of one's own, found in every document where a recogniser misses them.

They come from a file, which is a part of the extractor's identity, and not from the knowledge base itself, whose names
depend on what was read before (docs/decisions/0013-given-names.md). spaCy's PhraseMatcher looks for all of them at
once, so that what a paragraph costs hardly follows their number.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from spacy.language import Language
from spacy.matcher import PhraseMatcher
from spacy.tokens import Doc

from kgqa.errors import ConfigError
from kgqa.text.entities import Entity
from kgqa.text.lexicon import Lexicon
from kgqa.text.mentions import Spot, add_known_names
from kgqa.text.names import is_common
from kgqa.text.nlp import LABELS, Parse, readable, tokens_of

Words = tuple[str, ...]
_NAME_POS = frozenset({"PROPN", "X", "NOUN", "ADJ"})


@dataclass(frozen=True, slots=True)
class GivenName:
    """A line of the file."""

    name: str
    label: str = ""
    """What it names, one of `nlp.LABELS`; "" where it is not said."""
    entity: str = ""
    """What is meant, where this is another name of it."""


def read_names(path: Path) -> list[GivenName]:
    """Lines of a name, its label and its entity, parted by tabs, of which the last two may be left out; and lines
    `head|relation|tail` of given facts, which have two names. Empty lines and those that begin with # say nothing.

    Raises ConfigError naming the line that is none of these, or that the file cannot be read.
    """
    try:
        lines = path.read_text("utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"extract.names={path} cannot be read ({error}); give a text file of names in UTF-8"
        ) from error
    return [
        name
        for number, line in enumerate(lines, start=1)
        if line.strip() and not line.startswith("#")
        for name in _read(line.rstrip("\r"), f"{path}:{number}")
    ]


def _read(line: str, place: str) -> Iterator[GivenName]:
    if line.count("|") == 2 and "\t" not in line:
        yield from (GivenName(name.strip()) for name in line.split("|")[::2] if name.strip())
        return
    name, label, entity, *more = [*(part.strip() for part in line.split("\t")), "", ""][: max(3, line.count("\t") + 1)]
    if not name or more or (label and label not in LABELS):
        raise ConfigError(
            f"{place}: {line!r} is no line of names; write a name, then if you like a tab and one of "
            f"{', '.join(sorted(LABELS))}, then a tab and the entity that it is another name of"
        )
    yield GivenName(name, label, entity)


class GivenNames:
    """Names ready to be looked for."""

    def __init__(self, names: Sequence[GivenName], pipeline: Language) -> None:
        self._vocab = pipeline.vocab
        self._label: dict[Words, str] = {}
        self._entity: dict[str, str] = {}
        for given in dict.fromkeys(names):
            words = tokens_of(pipeline, given.name)
            if words and _is_telling(words):
                self._label[words] = self._label.get(words) or given.label
                self._entity[_shown(given.name)] = _shown(given.entity or given.name)
        self._matcher = PhraseMatcher(pipeline.vocab)
        self._matcher.add("given", [Doc(self._vocab, words=list(words)) for words in self._label])

    def __len__(self) -> int:
        return len(self._label)

    def inside(self, parse: Parse, lex: Lexicon) -> dict[Words, str]:
        """Those that occur in a paragraph, with their labels, "" where none was given."""
        matches = self._matcher(Doc(self._vocab, words=parse.words))
        found = ((start, end) for _, start, end in matches if end > start + 1 or _is_name(parse, start, lex))
        return {words: self._label[words] for start, end in found if (words := tuple(parse.words[start:end]))}

    def mark(self, parse: Parse, text: str, spots: list[Spot], lex: Lexicon) -> list[Spot]:
        """The spots of a paragraph with these names among them, the longest first."""
        names = {words: label or "MISC" for words, label in self.inside(parse, lex).items()}
        return add_known_names(parse, text, spots, names) if names else spots

    def label(self, parse: Parse, spots: Sequence[Spot]) -> None:
        """Gives spots the labels that were given with their names (in place)."""
        for spot in spots:
            if spot.kind == "name" and (label := self._label.get(tuple(parse.words[spot.start : spot.end]))):
                spot.label, spot.sure = label, True

    def settle(self, entities: Sequence[Entity]) -> None:
        """Entities that a document calls by one of these names get the name that was given (in place)."""
        for entity in entities:
            known = (self._entity[name] for name in (entity.name, *entity.names) if name in self._entity)
            entity.name = next(known, entity.name)


def _shown(name: str) -> str:
    return " ".join(readable(name).split())


def _is_telling(words: Words) -> bool:
    """Whether it can be told from other words: a single one in small letters cannot, nor can a number."""
    return len(words) > 1 or words[0][:1].isupper()


def _is_name(parse: Parse, token: int, lex: Lexicon) -> bool:
    """Whether a single word is a name where it stands: a film may be called It."""
    first = token == parse.sentences[parse.sentence_of[token]][0]
    return parse.pos[token] in ({"PROPN"} if first else _NAME_POS) and not is_common(parse, token, lex)
