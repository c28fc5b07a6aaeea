"""Generations: the committed states of a knowledge base, each a file that names all that a reader of it opens.

A knowledge base changes in one place only: the line in `CURRENT`. Everything that a generation names is written, synced
and hashed before that line is swapped, and nothing that a generation names is ever written again. A file of a
generation holds its own digest, so that a tampered one is seen.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from kgqa.artifacts import code_version, read_json, write_atomic, write_json
from kgqa.errors import StoreError
from kgqa.ids import digest
from kgqa.lock import hold

FORMAT = 2
"""The format of a knowledge base that this code writes; it reads this one and older ones.

2: facts can be overruled by a policy, which a writer of format 1 would assert again.
"""

_GENERATION = re.compile(r"gen-(\d{6,})")


@dataclass(frozen=True)
class Generation:
    """One committed state of a knowledge base; names all that a reader of it opens."""

    number: int
    stage: str
    """The command that wrote it: extract, index or expand."""
    created: str
    """UTC time in ISO 8601; for people only, the order is that of the numbers."""
    snapshot: str
    """The folder of the graph under graph/snapshots/; an index run keeps that of the generation before."""
    snapshot_files: Mapping[str, str]
    """Each file of the snapshot and its sha256."""
    batches: Mapping[str, str] = field(default_factory=dict)
    """Each folder under extract/ and the sha256 of its manifest."""
    memory: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """For each kind of vector, the segments and dead ids (kgqa.memory.long_term.MemoryRefs as JSON)."""
    embedder: str | None = None
    """Identity of what made the vectors; None when nothing was indexed yet."""
    indexed: bool = False
    """Whether the vectors are in step with the graph."""
    counts: Mapping[str, int] = field(default_factory=dict)
    manifest: Mapping[str, Any] = field(default_factory=dict)
    """Code version, configuration digest and seed of the run that wrote it."""
    conflict: Mapping[str, Any] | None = None
    """What conflicts are decided by (kgqa.conflicts.Policy as JSON); None where nobody looked for any yet."""
    format: int = FORMAT

    @property
    def name(self) -> str:
        return generation_name(self.number)

    @property
    def graph_state(self) -> str:
        """Tells this graph from every other one, of other knowledge bases too: its snapshot's name and digest."""
        return f"{self.snapshot} {_digest(self.snapshot_files)[:16]}"


def generation_name(number: int) -> str:
    return f"gen-{number:06d}"


def generation_names(kb: Path) -> list[str]:
    """The generations that have a file, oldest first; the last ones may not be committed."""
    names = [path.stem for path in (kb / "generations").glob("gen-*.json") if _GENERATION.fullmatch(path.stem)]
    return sorted(names, key=lambda name: int(name[4:]))


def current_generation(kb: Path) -> str | None:
    """The committed generation's name, None for a folder where nothing was ever committed.

    Raises StoreError when there are generations but `CURRENT` is missing or does not name one.
    """
    try:
        name = (kb / "CURRENT").read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        names = generation_names(kb)
        if len(names) < 2:  # one alone is a first build that was interrupted
            return None
        name = f"missing, though {names[-1]} exists"
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"cannot read {kb / 'CURRENT'}: {error}") from error
    if not _GENERATION.fullmatch(name):
        raise StoreError(f"{kb / 'CURRENT'} is {name!r}; {_last_good(kb, '')}")
    return name


def read_generation(kb: Path, name: str) -> Generation:
    """The generation `name`; StoreError when it is missing, damaged, changed afterwards, or of a newer format."""
    path = kb / "generations" / f"{name}.json"
    if not path.is_file():
        raise StoreError(f"{kb} has no generation {name}; {_last_good(kb, name)}")
    try:
        fields = read_json(path)
        found = int(fields.get("format", 0))
    except (StoreError, TypeError, ValueError) as error:
        raise StoreError(f"{path} is damaged ({error}); {_last_good(kb, name)}") from error
    if found > FORMAT:
        raise StoreError(
            f"{kb} has format {found}, this kgqa ({code_version()}) reads up to {FORMAT}; "
            "install the kgqa that wrote it, or build again"
        )
    written = fields.pop("sha256", None)  # absent in what kgqa before 0.2 wrote
    if written is not None and written != _digest(fields):
        raise StoreError(f"{path} was changed after it was written; {_last_good(kb, name)}")
    try:
        return Generation(**fields)
    except TypeError as error:
        raise StoreError(f"{path} is damaged ({error}); {_last_good(kb, name)}") from error


def hold_generation(kb: Path, name: str | None = None) -> tuple[Generation, IO[str]] | None:
    """The generation `name`, or the current one, which is not pruned while the file is open; None where there is none.

    Raises StoreError as `read_generation` does.
    """
    while True:
        found = name or current_generation(kb)
        if found is None:
            return None
        held = hold(kb / "generations" / f"{found}.json")
        if held is None and found not in (name, current_generation(kb)):
            continue  # a writer went on and pruned it meanwhile
        try:
            state = read_generation(kb, found)
        except StoreError:
            if held:
                held.close()
            raise
        if held:
            return state, held


def _digest(fields: Mapping[str, Any]) -> str:
    return digest(json.dumps(fields, ensure_ascii=False, sort_keys=True))


def _last_good(kb: Path, bad: str) -> str:
    others = [name for name in generation_names(kb) if name != bad]
    if not others:
        return "no other generation is kept; build again"
    return f"open it with generation={others[-1]}, or go back to that for good: kgqa rollback kb={kb} to={others[-1]}"


def write_generation(kb: Path, generation: Generation) -> None:
    """Writes the generation's file; it counts only once `commit_generation` has named it."""
    fields = asdict(generation)
    write_json(kb / "generations" / f"{generation.name}.json", fields | {"sha256": _digest(fields)})


def commit_generation(kb: Path, generation: Generation) -> None:
    """The commit point: swaps `CURRENT`."""
    write_atomic(kb / "CURRENT", f"{generation.name}\n".encode())
