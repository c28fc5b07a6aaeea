"""Names of persons, organisations and places, and chains of coreference, from GUM's entity layer.

GUM marks every noun phrase, nested, with the tokens of its shortest form (`minspan`). A phrase whose head is a proper
noun is a name; its shortest form is the name's extent. Names of other kinds, and capitalised words outside names, stay
unknown (`label is None`): GUM has no kind for works or awards that would fit ours.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from kgqa.text.treebank import EntitySpan, ParsedSentence, read_conllu
from kgqa.types import Span

GUM_LABELS = {"person": "PERSON", "organization": "ORG", "place": "LOC"}
MARK = re.compile(r"\((?P<opens>\d+)-(?P<kind>[a-z]+)-(?P<rest>[^()]*)(?P<closed>\))?|(?P<closes>\d+)\)")
MINSPAN_FIELD = 3  # infstat-salience-centering-minspan-link-identity
TITLES = frozenset(
    {"Mr", "Mr.", "Mrs", "Mrs.", "Ms", "Ms.", "Dr", "Dr.", "Prof.", "Professor", "Sir", "Dame", "Lord", "Lady"}
    | {"President", "Premier", "Judge", "King", "Queen", "Tsar"}
)
JOINERS = frozenset({"-", "–", "of", "the", "and", "'s", "&", "de", "der", "von", "van"})


def gum_names(sentence: ParsedSentence) -> tuple[EntitySpan, ...]:
    """Longest names first where they overlap; then every capitalised adjective or proper noun left over as unknown."""
    candidates = sorted(_names(sentence), key=lambda e: (e.start - e.end, e.label is None))
    taken: set[int] = set()
    kept: list[EntitySpan] = []
    for entity in candidates:
        if taken.isdisjoint(range(entity.start, entity.end)):
            kept.append(entity)
            taken.update(range(entity.start, entity.end))
    for i, (word, tag) in enumerate(zip(sentence.words, sentence.tags, strict=True)):
        if i not in taken and (tag.startswith("NNP") or (tag == "JJ" and word[0].isupper())):
            kept.append(EntitySpan(i, i + 1, None))
    return tuple(sorted(kept, key=lambda e: e.start))


def _names(sentence: ParsedSentence) -> Iterator[EntitySpan]:
    for start, end, kind, rest, _ in _mentions(sentence):
        inside = range(start, end)
        head = next((i for i in inside if sentence.heads[i] == i or sentence.heads[i] not in inside), start)
        fields = rest.split("-")
        if sentence.tags[head].startswith("NNP") and len(fields) > MINSPAN_FIELD:
            tokens = [start + int(i) - 1 for i in fields[MINSPAN_FIELD].split(",") if i.isdigit()]
            is_people = kind == "person" and sentence.tags[head] == "NNPS"  # Thais, Muslims
            yield from _extent(sentence, tokens, None if is_people else GUM_LABELS.get(kind))


def _mentions(sentence: ParsedSentence) -> Iterator[tuple[int, int, str, str, str]]:
    """(first token, last token + 1, kind, other fields, chain) of each mention that begins and ends in the sentence."""
    open_marks: defaultdict[str, list[tuple[int, str, str]]] = defaultdict(list)
    for i, misc in enumerate(sentence.misc):
        layer = next((field[len("Entity=") :] for field in misc.split("|") if field.startswith("Entity=")), "")
        for mark in MARK.finditer(layer):
            if mark["closes"]:
                if open_marks[mark["closes"]]:
                    start, kind, rest = open_marks[mark["closes"]].pop()
                    yield start, i + 1, kind, rest, mark["closes"]
            elif mark["closed"]:
                yield i, i + 1, mark["kind"], mark["rest"], mark["opens"]
            else:
                open_marks[mark["opens"]].append((i, mark["kind"], mark["rest"]))


def _extent(sentence: ParsedSentence, tokens: list[int], label: str | None) -> Iterator[EntitySpan]:
    """The run of minspan tokens, across at most two joining words at a time, without a leading title."""
    tokens = [i for i in tokens if i < len(sentence.words)]
    while tokens and label == "PERSON" and sentence.words[tokens[0]] in TITLES:
        tokens = tokens[1:]
    if not tokens or not sentence.tags[tokens[0]].startswith("NNP"):
        return
    end = tokens[0] + 1
    for i in tokens[1:]:
        if i - end > 2 or any(word not in JOINERS for word in sentence.words[end:i]):
            break
        if label == "PERSON" and {"of", "and"}.intersection(sentence.words[end:i]):
            break
        end = i + 1
    yield EntitySpan(tokens[0], end, label)


@dataclass(slots=True)
class ChainedText:
    """A document's text and, by chain, its mentions: what each takes up, and its head alone."""

    text: str = ""
    chains: defaultdict[str, list[tuple[Span, Span]]] = field(default_factory=lambda: defaultdict(list))


def chained_texts(path: Path) -> Iterator[ChainedText]:
    """The documents of a GUM file, a blank line between paragraphs."""
    document = ChainedText()
    for sentence in read_conllu(path):
        if sentence.starts_document and document.text:
            yield document
            document = ChainedText()
        elif sentence.starts_paragraph:
            document.text = document.text.rstrip() + "\n\n" * bool(document.text)
        _append(document, sentence)
    if document.text:
        yield document


def _append(document: ChainedText, sentence: ParsedSentence) -> None:
    spans: list[Span] = []
    for word, space in zip(sentence.words, sentence.spaces, strict=True):
        spans.append((len(document.text), len(document.text) + len(word)))
        document.text += word + " " * space
    document.text += " " * (not document.text[-1:].isspace())
    for start, end, _, _, chain in _mentions(sentence):
        inside = range(start, end)
        head = next((i for i in inside if sentence.heads[i] == i or sentence.heads[i] not in inside), start)
        document.chains[chain].append(((spans[start][0], spans[end - 1][1]), spans[head]))
