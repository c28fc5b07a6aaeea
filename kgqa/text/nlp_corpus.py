"""Which data trains and which data scores the shipped English pipeline, under one entity scheme.

The sets name different things. Where a set leaves unnamed what another names, its silence would teach "not an entity";
so such words are marked unknown in that set (`EntitySpan.label is None`), and the entity recogniser learns nothing
from them. The lexicon that finds them is the training part of CrossNER, the set with the richest labels.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tarfile import open as open_tar

from kgqa.errors import InputError
from kgqa.text.gum import gum_names
from kgqa.text.treebank import EntitySpan, NamedSentence, ParsedSentence, read_conllu, read_iob

ENTITY_LABELS = ("PERSON", "ORG", "LOC", "WORK", "AWARD", "EVENT", "SCIENCE", "MISC")
CROSSNER_DOMAINS = ("science", "literature", "politics", "music", "ai")
CROSSNER_LABELS = {
    label: ours
    for ours, labels in {
        "PERSON": "person scientist researcher writer politician musicalartist",
        "ORG": "organisation university politicalparty band",
        "LOC": "location country",
        "WORK": "book poem album song academicjournal magazine",
        "AWARD": "award",
        "EVENT": "event election conference",
        "SCIENCE": "astronomicalobject chemicalelement chemicalcompound protein enzyme theory discipline field"
        " algorithm task metrics",
        "MISC": "misc product programlang musicgenre literarygenre musicalinstrument",
    }.items()
    for label in labels.split()
}
WIKIGOLD_LABELS = {"PER": "PERSON", "ORG": "ORG", "LOC": "LOC"}
UNNAMED_IN_WIKIGOLD = frozenset({"SCIENCE", "MISC"})
UNNAMED_IN_GUM = frozenset({"SCIENCE", "MISC", "AWARD", "EVENT", "WORK"})
WIKIGOLD_TRAIN_BLOCKS = 116  # of 145 articles: the last fifth is never trained on
HELD_BACK = 5  # the last of so many parts of CrossNER's dev files chooses the checkpoint
CUE_WORDS = {
    "AWARD": {"award", "awards", "prize", "medal"},
    "EVENT": {"war", "battle", "festival", "cup", "championship", "championships", "olympics", "revolution"},
}

Lexicon = Mapping[tuple[str, ...], str]


def parsed_groups(path: Path, *, max_sentences: int = 10) -> Iterator[list[ParsedSentence]]:
    """Sentences of a treebank by paragraph, at most `max_sentences` together: the parser learns to part them."""
    group: list[ParsedSentence] = []
    for sentence in read_conllu(path):
        if group and (sentence.starts_paragraph or len(group) == max_sentences):
            yield group
            group = []
        group.append(sentence)
    if group:
        yield group


def crossner(path: Path, split: str) -> list[NamedSentence]:
    """The sentences of all five domains; split is `train`, `dev_train` (four fifths of dev) or `dev_held_back`.

    Raises InputError when the archive lacks a domain.
    """
    sentences: list[NamedSentence] = []
    for domain in CROSSNER_DOMAINS:
        part = list(read_iob(_member_lines(path, f"ner_data/{domain}/{split.partition('_')[0]}.txt")))
        cut = len(part) - len(part) // HELD_BACK
        chosen = {"train": part, "dev_train": part[:cut], "dev_held_back": part[cut:]}[split]
        sentences.extend(relabel(sentence, CROSSNER_LABELS) for sentence in chosen)
    return sentences


def _member_lines(path: Path, member: str) -> list[str]:
    if not path.is_file():
        raise InputError(f"{path}: no such file; set KGQA_DATA to the folder that holds the data sets")
    with open_tar(path) as archive:
        if member not in archive.getnames() or (stream := archive.extractfile(member)) is None:
            raise InputError(f"{path}: no {member} in it; fetch CrossNER again")
        return stream.read().decode("utf-8").splitlines()


def relabel(sentence: NamedSentence, labels: Mapping[str, str]) -> NamedSentence:
    """The sentence in our scheme; a label that `labels` does not map becomes unknown."""
    return replace(
        sentence, entities=tuple(replace(e, label=labels.get(e.label) if e.label else None) for e in sentence.entities)
    )


def wikigold(path: Path, *, held_back: bool) -> list[NamedSentence]:
    """Wikigold in its own labels: the articles that may train, or the last fifth of them, kept for scoring."""
    return [s for s in read_iob(path) if (s.block >= WIKIGOLD_TRAIN_BLOCKS) == held_back]


def build_lexicon(sentences: Iterable[NamedSentence]) -> Lexicon:
    """Lower-cased names to the label they carry in at least four of five places."""
    counts: defaultdict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    for sentence in sentences:
        for entity in sentence.entities:
            if entity.label is not None:
                counts[_key(sentence.words[entity.start : entity.end])][entity.label] += 1
    commonest = {key: counter.most_common(1)[0] for key, counter in counts.items()}
    return {key: label for key, (label, n) in commonest.items() if n >= 0.8 * counts[key].total()}


def _key(words: Sequence[str]) -> tuple[str, ...]:
    return tuple(word.lower() for word in words)


def resolve_misc(sentence: NamedSentence, lexicon: Lexicon) -> NamedSentence:
    """Split Wikigold's MISC, which holds works, awards and events too: by lexicon, by cue word, else unknown."""

    def label(entity: EntitySpan) -> str | None:
        key = _key(sentence.words[entity.start : entity.end])
        cues = [ours for ours, words in CUE_WORDS.items() if words.intersection(key)]
        return lexicon.get(key) or (cues[0] if cues else None)

    mapped = relabel(sentence, WIKIGOLD_LABELS)
    return replace(mapped, entities=tuple(e if e.label else replace(e, label=label(e)) for e in mapped.entities))


def mark_unknown(sentence: NamedSentence, lexicon: Lexicon, unnamed: frozenset[str]) -> NamedSentence:
    """Mark as unknown the words outside entities that the lexicon knows under a label this set never uses."""
    taken = {i for e in sentence.entities for i in range(e.start, e.end)}
    longest = max(map(len, lexicon), default=0)
    found: list[EntitySpan] = []
    for start in range(len(sentence.words)):
        for end in range(min(start + longest, len(sentence.words)), start, -1):
            span = range(start, end)
            if taken.isdisjoint(span) and lexicon.get(_key(sentence.words[start:end])) in unnamed:
                found.append(EntitySpan(start, end, None))
                taken.update(span)
                break
    return replace(sentence, entities=tuple(sorted((*sentence.entities, *found), key=lambda e: e.start)))


def training_lexicon(ner_folder: Path) -> Lexicon:
    """The lexicon of what CrossNER may train."""
    return build_lexicon(_rich_names(ner_folder))


def _rich_names(ner_folder: Path) -> list[NamedSentence]:
    path = ner_folder / "crossner.tar.gz"
    return crossner(path, "train") + crossner(path, "dev_train")


def training_names(ner_folder: Path, lexicon: Lexicon) -> list[list[NamedSentence]]:
    """Every entity sentence that may train, in our scheme, by set (CrossNER, Wikigold)."""
    articles = [resolve_misc(s, lexicon) for s in wikigold(ner_folder / "wikigold.conll.gz", held_back=False)]
    return [_rich_names(ner_folder), [mark_unknown(s, lexicon, UNNAMED_IN_WIKIGOLD) for s in articles]]


def guarded_gum_names(sentence: ParsedSentence, lexicon: Lexicon) -> tuple[EntitySpan, ...]:
    """GUM's persons, organisations and places; what else CrossNER would name is unknown."""
    named = NamedSentence(sentence.words, gum_names(sentence), block=0)
    return mark_unknown(named, lexicon, UNNAMED_IN_GUM).entities


def in_runs(
    sentences: Sequence[NamedSentence], rng: random.Random, *, longest: int = 4
) -> Iterator[list[NamedSentence]]:
    """Consecutive sentences in runs of 1 to `longest`, so that a name after a full stop is seen in training."""
    start = 0
    while start < len(sentences):
        end = start + rng.randint(1, longest)
        yield list(sentences[start:end])
        start = end
