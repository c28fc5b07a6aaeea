"""What a memory consists of, as a value that a generation of the knowledge base holds."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from kgqa.errors import StoreError


@dataclass(frozen=True, slots=True)
class FileRef:
    """A segment or a file of dead ids: its name in the memory's directory, its hash, its number of rows."""

    name: str
    sha256: str
    """Of the file, or of a segment's manifest.json, which holds the hashes of the segment's files."""
    count: int

    @property
    def number(self) -> int:
        """The generation that wrote it: 12 for seg-000012 and dead-000012.npy."""
        return generation_number(self.name)


@dataclass(frozen=True, slots=True)
class MemoryRefs:
    """Which files make up a memory. Two deltas never share one: what is committed is never changed."""

    width: int
    embedder: str
    """Identity of the embedder that made the vectors; vectors of another one are never compared with them."""
    segments: tuple[FileRef, ...] = ()
    dead: tuple[FileRef, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """A value for `json.dumps`; `from_json` undoes it."""
        return {
            "width": self.width,
            "embedder": self.embedder,
            "segments": [asdict(ref) for ref in self.segments],
            "dead": [asdict(ref) for ref in self.dead],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "MemoryRefs":
        """Raises StoreError when a field is missing, unknown or of the wrong type."""
        try:
            segments, dead = (tuple(FileRef(**ref) for ref in data[kind]) for kind in ("segments", "dead"))
            return cls(int(data["width"]), str(data["embedder"]), segments, dead)
        except (KeyError, TypeError, ValueError) as error:
            raise StoreError(f"a generation names its memory wrongly ({error!r}) in {str(data)[:200]}") from error


def generation_number(name: str) -> int:
    """The number at the end of `gen-000012`, `seg-000012` or `dead-000012.npy`; StoreError when there is none."""
    match = re.search(r"(\d+)(?:\.npy)?$", name)
    if match is None:
        raise StoreError(f"{name!r} ends in no generation number; names look like gen-000012")
    return int(match.group(1))
