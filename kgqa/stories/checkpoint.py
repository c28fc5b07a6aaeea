"""A trained reader of stories on disk: `reader.safetensors` (weights) beside `reader.json` (sizes and lexicon)."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save

from kgqa.artifacts import read_json, write_atomic
from kgqa.errors import ModelError
from kgqa.stories.batches import Lexicon
from kgqa.stories.reader import StoryReader

WEIGHTS, SETTINGS = "reader.safetensors", "reader.json"


def build(sizes: Mapping[str, Any], lexicon: Lexicon) -> StoryReader:
    """A reader of these sizes (arguments of `StoryReader`) for the words and answers of a lexicon."""
    return StoryReader(len(lexicon.words) + 1, len(lexicon.answers) + 1, **sizes)


def save_reader(
    reader: StoryReader, folder: Path, *, sizes: Mapping[str, Any], lexicon: Lexicon, about: Mapping[str, Any]
) -> None:
    """Weights first, then the settings, which say that all is there."""
    write_atomic(folder / WEIGHTS, save({name: part.contiguous() for name, part in reader.state_dict().items()}))
    document = {"sizes": dict(sizes), "words": list(lexicon.words), "answers": list(lexicon.answers), **about}
    write_atomic(folder / SETTINGS, json.dumps(document, indent=1, ensure_ascii=False).encode())


def load_reader(folder: Path) -> tuple[StoryReader, Lexicon, dict[str, Any]]:
    """The reader, its lexicon, and what else its settings say; ModelError where there is none or a damaged one."""
    if not (folder / SETTINGS).is_file():
        raise ModelError(f"no reader of stories at {folder}; give what train task=babi wrote, checkpoints/best")
    document = read_json(folder / SETTINGS)
    try:
        lexicon = Lexicon(*({word: i for i, word in enumerate(document[key], 1)} for key in ("words", "answers")))
        reader = build(document["sizes"], lexicon)
        reader.load_state_dict(load_file(folder / WEIGHTS))
    except Exception as error:  # a missing key or file, other sizes, or safetensors' own error
        raise ModelError(f"{folder} does not hold a reader of this version: {error}; train again") from error
    return reader.eval(), lexicon, document
