"""A spaCy component that looks at every name once more, whole: it may be of another type, or none.

The entity recogniser decides what a name is at its first word, knowing what stands up to four words away. Here a small
network sees the first and the last word of the name, the mean of all, two words to each side, and its length. It comes
after the recogniser in the shipped pipeline; train_name_types.py trains it (docs/decisions/0015).
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file
from spacy.language import Language
from spacy.tokens import Doc, Span

from kgqa.errors import ModelError
from kgqa.text.relation_net import Floats, Ints

NAME = "kgqa_name_types"
BESIDE = 2
"""Words to each side that are seen."""
LONGEST = 8
"""Words, from which on all lengths are alike."""
_FILE = "weights.safetensors"


def padded(docs: Iterable[Doc]) -> tuple[Floats, Ints]:
    """The tok2vec rows of documents with `BESIDE` rows of zeros before each and after the last, `[T, width]`, and the
    place of each document's first word there, `[docs]`."""
    rows, places, length = [], [], 0
    for doc in docs:
        rows += [np.zeros((BESIDE, doc.tensor.shape[1]), np.float32), doc.tensor]
        places.append(length + BESIDE)
        length += BESIDE + len(doc)
    return np.concatenate([*rows, np.zeros_like(rows[0])]), np.array(places)


def features(rows: Floats, starts: Ints, ends: Ints) -> Floats:
    """What is seen of names `[starts, ends)` among `rows` of `padded`: `[N, F]`, F = (3 + 2 BESIDE) width + LONGEST."""
    length = ends - starts
    total = np.zeros((len(starts), rows.shape[1]), np.float32)
    for place in range(length.max(initial=0)):
        total += np.where((place < length)[:, None], rows[np.minimum(starts + place, ends - 1)], 0)
    mean = total / length[:, None].astype(np.float32)
    beside = [rows[where] for step in range(BESIDE) for where in (starts - 1 - step, ends + step)]
    size = np.eye(LONGEST, dtype=np.float32)[np.minimum(length, LONGEST) - 1]
    return np.concatenate([rows[starts], rows[ends - 1], mean, *beside, size], axis=1)


class NameTypes:
    """`labels`: the types, `""` for no name first. `weights`: `hidden.weight` `[H, F]`, `hidden.bias`, `output.weight`
    `[labels, H]`, `output.bias`; of a rectified layer and one more."""

    def __init__(self, labels: Sequence[str], weights: Mapping[str, Floats]) -> None:
        self._labels = tuple(labels)
        self.weights = dict(weights)

    def __call__(self, doc: Doc) -> Doc:
        """Sets the likeliest type of each of the document's names; those that are none are taken out."""
        names = doc.ents
        if not names:
            return doc
        if not self.weights:
            raise ModelError(f"{NAME} has no weights; train them with train_extractor parts=[names]")
        rows, (first,) = padded([doc])
        bounds = np.array([(name.start, name.end) for name in names]) + first
        types = self.scores(features(rows, bounds[:, 0], bounds[:, 1])).argmax(axis=1)
        doc.ents = [
            Span(doc, name.start, name.end, label=label)
            for name, label in zip(names, (self._labels[place] for place in types), strict=True)
            if label
        ]
        return doc

    def scores(self, seen: Floats) -> Floats:
        """`[N, labels]` for `features` `[N, F]`, before any softmax."""
        w = self.weights
        hidden = np.maximum(seen @ w["hidden.weight"].T + w["hidden.bias"], 0)
        result: Floats = hidden @ w["output.weight"].T + w["output.bias"]
        return result

    def to_disk(self, path: Path, *, exclude: Iterable[str] = ()) -> None:
        """Writes the weights into the folder `path`; the labels are in the pipeline's configuration."""
        path.mkdir(exist_ok=True)
        save_file(self.weights, path / _FILE)

    def from_disk(self, path: Path, *, exclude: Iterable[str] = ()) -> "NameTypes":
        """Reads what `to_disk` wrote."""
        self.weights = load_file(path / _FILE)
        return self


@Language.factory(NAME, assigns=["doc.ents"], requires=["doc.tensor", "doc.ents"])  # type: ignore[untyped-decorator]
def make_name_types(nlp: Language, name: str, labels: list[str]) -> NameTypes:
    """The component of this name in a pipeline's configuration; its weights come with `from_disk`."""
    return NameTypes(labels, {})
