"""Who may import whom: the contracts in pyproject.toml are kept, and the layers overlook no module."""

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
MODULES = {f"kgqa.{path.stem}" for path in ROOT.glob("kgqa/[a-z]*.py")} | {
    f"kgqa.{path.parent.name}" for path in ROOT.glob("kgqa/*/__init__.py")
}


def test_the_contracts_are_kept():
    # In a process of its own: the linter switches every logger off that exists when it starts.
    linter = Path(sys.executable).parent / "lint-imports"
    ran = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout


def test_every_module_has_a_layer():
    named = {part for row in CONTRACTS[0]["layers"] for part in row.replace("|", " ").replace(":", " ").split()}
    assert named == MODULES | {"pipelines"}
