"""Files that survive a crash: atomic writes, hashes, and manifests that say what an output was made from."""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import IO, Any

from kgqa.errors import StoreError


def sha256_file(path: Path) -> str:
    """The sha256 of a file's bytes in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync(path: Path) -> None:
    """Makes a file's bytes, or the names in a folder, durable; a renamed file can otherwise be lost with the power."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def atomic_file(path: Path) -> Iterator[IO[bytes]]:
    """A file to write: `path` holds what it held before until the block ends, then all that was written.

    Raises StoreError when the disk is full or cannot be written; an error inside the block leaves nothing behind.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        sync(path.parent)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror or error}; mend that, then run again") from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def write_atomic(path: Path, data: bytes) -> str:
    """Writes `data` so that `path` holds either what it held before or all of it; returns the sha256.

    Raises StoreError when the disk is full or cannot be written; nothing is left behind then.
    """
    with atomic_file(path) as file:
        file.write(data)
    return hashlib.sha256(data).hexdigest()


def write_lines(path: Path, lines: Iterable[str]) -> int:
    """Writes lines as they come, each ended by a line feed, so that `path` holds all of them or what it held before.

    Returns how many there were. Raises StoreError when the disk is full or cannot be written; nothing is left then.
    """
    num_lines = 0
    with atomic_file(path) as file:
        for line in lines:
            file.write(f"{line}\n".encode())
            num_lines += 1
    return num_lines


def write_json(path: Path, value: object) -> str:
    """Writes `value` as readable JSON, atomically; returns the sha256 of the file."""
    return write_atomic(path, (json.dumps(value, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode())


def read_json(path: Path) -> dict[str, Any]:
    """Reads a JSON object; StoreError when the file is missing, cut off or not an object."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise StoreError(f"cannot read {path}: {error}; restore it from a copy or build again") from error
    if not isinstance(value, dict):
        raise StoreError(f"{path} holds a {type(value).__name__}, not an object; restore it from a copy or build again")
    return value


@cache
def code_version() -> str:
    """`<version>+<12 digits of the sha256 of kgqa's sources>`: what a manifest records as the code that ran."""
    sources = hashlib.sha256()
    package = Path(__file__).parent
    for path in sorted(package.rglob("*.py")):
        sources.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes())
    try:
        release = version("kgqa")
    except PackageNotFoundError:  # run from a clone that is not installed
        release = "0"
    return f"{release}+{sources.hexdigest()[:12]}"


@dataclass(frozen=True)
class Manifest:
    """What a stage was made from. Two equal manifests give equal outputs; freshness is decided by nothing else."""

    stage: str
    inputs: Mapping[str, str] = field(default_factory=dict)
    """Name of each input and its sha256 (or the name of the generation that was read)."""
    config: str = ""
    """Digest of the resolved configuration that the stage depends on."""
    seed: int | None = None
    code: str = field(default_factory=code_version)
    outputs: Mapping[str, str] = field(default_factory=dict)
    """Path of each output relative to the manifest, and its sha256."""

    def write(self, path: Path) -> str:
        """Writes the manifest atomically; returns the sha256 of the file."""
        return write_json(path, asdict(self))

    def is_fresh(self, path: Path) -> bool:
        """Whether the manifest at `path` was made from the same, and its outputs are still what they were."""
        if not path.is_file():
            return False
        old = read_json(path)
        same = all(old.get(key) == value for key, value in asdict(self).items() if key != "outputs")
        outputs: Mapping[str, str] = old.get("outputs", {})
        return same and all(_is_intact(path.parent / name, sha) for name, sha in outputs.items())


def _is_intact(path: Path, sha256: str) -> bool:
    return path.is_file() and sha256_file(path) == sha256


def hash_folder(folder: Path, *, known: Mapping[str, str], known_folder: Path | None) -> dict[str, str]:
    """The sha256 of each file; a file that is the same inode as in `known_folder` keeps the hash that `known` has.

    Snapshots share their files by hard link, so that this reads only what is new.
    """
    return {
        path.name: known[path.name] if _same_file(path, known_folder, known) else sha256_file(path)
        for path in sorted(folder.iterdir())
        if path.is_file()
    }


def _same_file(path: Path, other: Path | None, known: Mapping[str, str]) -> bool:
    if other is None or path.name not in known:
        return False
    before = other / path.name
    return before.exists() and path.samefile(before)


def unreferenced(folder: Path, keep: set[str]) -> Iterator[Path]:
    """What lies in `folder` under a name that is not in `keep`: leavings of a run that did not commit."""
    if folder.is_dir():
        yield from (path for path in sorted(folder.iterdir()) if path.name not in keep)
