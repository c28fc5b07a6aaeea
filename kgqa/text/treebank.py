"""Readers of annotated text: CoNLL-U treebanks and IOB entity files, as plain values and as spaCy documents.

A reader streams and refuses: a malformed line is an error that names the file and the line, never a shorter corpus.
"""

import gzip
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO, cast

from spacy.tokens import Doc, DocBin, Span
from spacy.vocab import Vocab

from kgqa.errors import InputError

NUM_COLUMNS = 10
NO_SPACE_BEFORE = re.compile(r"^([.,;:!?%)\]}]|'s|n't|'(re|ve|ll|d|m)|''|’s)$", re.IGNORECASE)
NO_SPACE_AFTER = frozenset("([{$£€`")


@dataclass(frozen=True)
class ParsedSentence:
    """One treebank sentence; every list has one element a token, and `heads` are positions in the sentence."""

    words: tuple[str, ...]
    spaces: tuple[bool, ...]
    tags: tuple[str, ...]
    pos: tuple[str, ...]
    lemmas: tuple[str, ...]
    heads: tuple[int, ...]
    deps: tuple[str, ...]
    misc: tuple[str, ...]
    starts_paragraph: bool
    starts_document: bool = False


@dataclass(frozen=True)
class EntitySpan:
    """Tokens `start` up to, not including, `end` carry `label`; the label None says: something, unknown what."""

    start: int
    end: int
    label: str | None


@dataclass(frozen=True)
class NamedSentence:
    """One sentence of an entity corpus: its tokens and its entities in order; `block` counts the file's documents."""

    words: tuple[str, ...]
    entities: tuple[EntitySpan, ...]
    block: int


def open_text(path: Path) -> TextIO:
    """Open a text file, gzipped or not, for reading in UTF-8.

    Raises InputError when there is no such file.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; set KGQA_DATA to the folder that holds the data sets")
    return gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8")


def read_conllu(path: Path) -> Iterator[ParsedSentence]:
    """Stream the sentences of a CoNLL-U file (.gz or plain).

    Raises InputError, naming file and line, for a row that is not ten columns, an id out of order or a wrong head.
    """
    rows: list[tuple[int, list[str]]] = []
    starts_paragraph = starts_document = False
    with open_text(path) as lines:
        for number, line in enumerate(lines, start=1):
            line = line.rstrip("\n")
            if line.startswith("#"):
                starts_document |= line.startswith("# newdoc")
                starts_paragraph |= line.startswith(("# newpar", "# newdoc"))
            elif line:
                rows.append((number, _split_row(path, number, line)))
            elif rows:
                yield _sentence(path, rows, starts_paragraph, starts_document)
                rows, starts_paragraph, starts_document = [], False, False
    if rows:
        yield _sentence(path, rows, starts_paragraph, starts_document)


def _split_row(path: Path, number: int, line: str) -> list[str]:
    columns = line.split("\t")
    if len(columns) != NUM_COLUMNS:
        raise InputError(
            f"{path}:{number}: {len(columns)} columns in {line[:60]!r}, CoNLL-U has {NUM_COLUMNS}, separated by tabs; "
            "repair the line or fetch the file again"
        )
    return columns


def _sentence(
    path: Path, rows: Sequence[tuple[int, list[str]]], starts_paragraph: bool, starts_document: bool
) -> ParsedSentence:
    """Rows to a sentence. Multiword ranges (`2-3`) only say where spaces are; empty nodes (`8.1`) are left out."""
    tokens = [(number, row) for number, row in rows if "-" not in row[0] and "." not in row[0]]
    for position, (number, row) in enumerate(tokens, start=1):
        if row[0] != str(position):
            raise InputError(f"{path}:{number}: token id {row[0]!r} where {position} was due; repair the numbering")
    columns = list(zip(*(row for _, row in tokens), strict=True))
    heads = tuple(_head(path, number, row, len(tokens)) for number, row in tokens)
    return ParsedSentence(
        words=columns[1],
        spaces=_spaces(path, rows, len(tokens)),
        tags=columns[4],
        pos=columns[3],
        lemmas=tuple("" if lemma == "_" != word else lemma for word, lemma in zip(columns[1], columns[2], strict=True)),
        heads=heads,
        deps=tuple("ROOT" if head == i else dep for i, (head, dep) in enumerate(zip(heads, columns[7], strict=True))),
        misc=columns[9],
        starts_paragraph=starts_paragraph,
        starts_document=starts_document,
    )


def _head(path: Path, number: int, row: list[str], length: int) -> int:
    """Position of the head; a root heads itself, as in spaCy."""
    if not row[6].isdigit() or int(row[6]) > length:
        raise InputError(f"{path}:{number}: head {row[6]!r} of {row[1]!r} is not in 0..{length}; repair the line")
    return (int(row[6]) or int(row[0])) - 1


def _spaces(path: Path, rows: Sequence[tuple[int, list[str]]], length: int) -> tuple[bool, ...]:
    spaces = [True] * length
    inside_until, space_after_range = 0, True
    for number, row in rows:
        space = "SpaceAfter=No" not in row[9]
        if "-" in row[0]:
            last = row[0].partition("-")[2]
            if not last.isdigit() or int(last) > length:
                raise InputError(f"{path}:{number}: the range {row[0]!r} ends outside the sentence; repair the line")
            inside_until, space_after_range = int(last), space
        elif "." not in row[0]:
            position = int(row[0])
            spaces[position - 1] = space if position > inside_until else position == inside_until and space_after_range
    return tuple(spaces)


def read_iob(
    path_or_lines: Path | Iterable[str], *, word_column: int = 0, label_column: int = -1
) -> Iterator[NamedSentence]:
    """Stream the sentences of an IOB1 or IOB2 file: columns parted by a tab or a space, a blank line ends a sentence.

    Lines that start with `# ` and rows with fewer columns than a tagged token are comments or breaks;
    `-DOCSTART-` or a `# newdoc` comment begins the next block. Raises InputError for a label that is not O, B-X or I-X.
    """
    if isinstance(path_or_lines, Path):
        with open_text(path_or_lines) as lines:
            yield from _iob_sentences(lines, str(path_or_lines), word_column, label_column)
    else:
        yield from _iob_sentences(path_or_lines, "<lines>", word_column, label_column)


def _iob_sentences(lines: Iterable[str], name: str, word_column: int, label_column: int) -> Iterator[NamedSentence]:
    words: list[str] = []
    labels: list[str] = []
    block = 0
    for number, line in enumerate(lines, start=1):
        columns = line.rstrip("\n").split("\t" if "\t" in line else " ")
        is_comment = line.startswith("# ")
        is_boundary = columns[0] == "-DOCSTART-" or line.startswith("# newdoc")
        if (is_comment or is_boundary or not line.strip()) and words:
            yield NamedSentence(tuple(words), tuple(entity_spans(labels)), block)
            words, labels = [], []
        block += is_boundary
        if not (is_comment or is_boundary) and line.strip():
            words.append(columns[word_column])
            labels.append(_iob_label(name, number, columns, label_column))
    if words:
        yield NamedSentence(tuple(words), tuple(entity_spans(labels)), block)


def _iob_label(name: str, number: int, columns: list[str], label_column: int) -> str:
    label = columns[label_column] if len(columns) > max(label_column, 1) else ""
    if label != "O" and not re.match(r"[BI]-.", label):
        shown = " ".join(columns)[:60]
        raise InputError(f"{name}:{number}: label {label!r} in {shown!r} is not O, B-X or I-X; repair the line")
    return label


def entity_spans(labels: Sequence[str]) -> Iterator[EntitySpan]:
    """Spans of a label sequence in IOB1 or IOB2 (an I- that nothing of its kind precedes begins a span)."""
    start, kind = 0, "O"
    for position, label in enumerate([*labels, "O"]):
        prefix, _, name = label.partition("-")
        if kind != "O" and (prefix != "I" or name != kind):
            yield EntitySpan(start, position, kind)
            kind = "O"
        if prefix != "O" and kind == "O":
            start, kind = position, name


def guess_spaces(words: Sequence[str]) -> list[bool]:
    """Whether a space follows each word, for corpora that keep none: English typography, straight quotes in pairs."""
    spaces = [
        word not in NO_SPACE_AFTER and not NO_SPACE_BEFORE.match(following)
        for word, following in zip(words, [*words[1:], "."], strict=True)
    ]
    quotes = [position for position, word in enumerate(words) if word == '"']
    for opening, closing in zip(quotes[::2], quotes[1::2], strict=False):
        spaces[opening] = spaces[closing - 1] = False
    return spaces


def parsed_doc(
    vocab: Vocab, sentences: Sequence[ParsedSentence], names: Sequence[Sequence[EntitySpan]] | None = None
) -> Doc:
    """Join sentences to one document with tags, lemmas and trees; without trees where `deps` are empty.

    `names` holds the entities of each sentence; without it every entity of the document is marked as unknown.
    """
    heads: list[int] = []
    for sentence in sentences:
        offset = len(heads)
        heads.extend(offset + head for head in sentence.heads)
    deps = [dep for s in sentences for dep in s.deps]
    has_trees = any(deps)
    doc = Doc(
        vocab,
        words=[word for s in sentences for word in s.words],
        spaces=[space for s in sentences for space in (*s.spaces[:-1], True)],
        tags=[tag for s in sentences for tag in s.tags],
        pos=[pos for s in sentences for pos in s.pos],
        lemmas=[lemma for s in sentences for lemma in s.lemmas],
        heads=heads if has_trees else None,
        deps=deps if has_trees else None,
    )
    if names is not None:
        set_entities(doc, [len(s.words) for s in sentences], names)
    return cast(Doc, doc)


def named_doc(vocab: Vocab, sentences: Sequence[NamedSentence]) -> Doc:
    """Join sentences to a document with entities and nothing else; spans without a label are marked as unknown."""
    words = [word for s in sentences for word in s.words]
    doc = Doc(vocab, words=words, spaces=[space for s in sentences for space in guess_spaces(s.words)])
    set_entities(doc, [len(s.words) for s in sentences], [s.entities for s in sentences])
    return cast(Doc, doc)


def set_entities(doc: Doc, lengths: Sequence[int], names: Sequence[Sequence[EntitySpan]]) -> None:
    """Set the entities of a document made of sentences of `lengths` tokens; every other token is outside."""
    known: list[Span] = []
    unknown: list[Span] = []
    offset = 0
    for length, entities in zip(lengths, names, strict=True):
        for e in entities:
            span = Span(doc, offset + e.start, offset + e.end, label=e.label or "")
            (unknown if e.label is None else known).append(span)
        offset += length
    doc.set_ents(known, missing=unknown, default="outside")


def write_docs(docs: Iterable[Doc], path: Path) -> tuple[int, int]:
    """Write documents in spaCy's binary format; return how many documents and how many words."""
    path.parent.mkdir(parents=True, exist_ok=True)
    docbin = DocBin(docs=docs, store_user_data=False)
    docbin.to_disk(path)
    return len(docbin), sum(len(words) for words in docbin.tokens)
