"""Files of the long-term memory, checked before they are trusted."""

from pathlib import Path

from kgqa.artifacts import sha256_file
from kgqa.errors import StoreError

REMEDY = "restore it from a copy, or run pipelines/index.py again"


def check_size(path: Path, num_bytes: int) -> None:
    """Raises StoreError when the file is missing or cut short."""
    try:
        found = path.stat().st_size
    except OSError as error:
        raise StoreError(f"{path} is missing ({error}); {REMEDY}") from error
    if found != num_bytes:
        raise StoreError(f"{path} has {found} bytes, {num_bytes} were written; {REMEDY}")


def check_hash(path: Path, sha256: str) -> None:
    """Raises StoreError when the file's bytes are not the ones that were written."""
    found = sha256_file(path)
    if found != sha256:
        raise StoreError(f"{path} is damaged: its sha256 is {found[:12]}..., written was {sha256[:12]}...; {REMEDY}")
