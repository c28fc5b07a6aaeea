"""What a run leaves behind: its resolved configuration, its metrics, and a manifest that says how it ended."""

import json
import platform
import resource
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from kgqa.artifacts import code_version, write_json
from kgqa.ids import digest

_PACKAGES = ("kgqa", "torch", "numpy", "spacy", "rdflib", "pyoxigraph", "faiss-gpu", "faiss-cpu", "pytorch-lightning")


class RunFolder:
    """The folder of one run, as a context manager; the manifest is written at the start and again at the end.

    `status` is `running`, `done`, `failed` or `interrupted`; one that stays `running` was killed.
    """

    def __init__(self, path: Path, *, stage: str, config: str, overrides: Sequence[str], seed: int | None) -> None:
        self.path = path
        self._started = time.monotonic()
        self._manifest: dict[str, Any] = {
            "stage": stage,
            "status": "running",
            "started": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "overrides": list(overrides),
            "config_sha256": digest(config),
            "seed": seed,
            "code": code_version(),
            "python": platform.python_version(),
            "platform": platform.platform(),
            "packages": installed(),
        }
        path.mkdir(parents=True, exist_ok=True)
        (path / "config.yaml").write_text(config, encoding="utf-8")
        self._write()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            status = "done"
        else:
            status = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
            self._manifest["error"] = f"{type(error).__name__}: {error}"
        self._manifest |= {"status": status, "seconds": round(time.monotonic() - self._started, 3)}
        self._manifest["peak_memory_mib"] = _peak_memory_mib()
        self._write()

    def record(self, metrics: Mapping[str, Any]) -> None:
        """Add a line to metrics.jsonl and the same figures to the manifest."""
        append_metrics(self.path, metrics)
        self._manifest["metrics"] = self._manifest.get("metrics", {}) | dict(metrics)

    def _write(self) -> None:
        write_json(self.path / "manifest.json", self._manifest)


def append_metrics(run_folder: Path, metrics: Mapping[str, Any]) -> None:
    """Add one line of figures to a run's metrics.jsonl, with the time (UTC) they were known."""
    row = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), **metrics}
    with (run_folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(row, ensure_ascii=False) + "\n")


def installed() -> dict[str, str]:
    """The versions of the packages that results depend on, those that are installed."""
    versions: dict[str, str] = {}
    for name in _PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def _peak_memory_mib() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // (1024 * 1024 if sys.platform == "darwin" else 1024)
