"""Who may import whom: the contracts in pyproject.toml are kept, and none of them overlooks a module."""

import tomllib
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).parents[1]
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
MODULES = {f"kgqa.{path.stem}" for path in ROOT.glob("kgqa/[a-z]*.py")} | {
    f"kgqa.{path.parent.name}" for path in ROOT.glob("kgqa/*/__init__.py")
}
BORDERS = {
    "rdflib": {"kgqa.graph"},
    "faiss": {"kgqa.memory"},
    "spacy": {"kgqa.text"},
    "hydra": {"kgqa.config"},
    "pytorch_lightning": {"kgqa.reason.training", "kgqa.reason.data"},
}


def test_the_contracts_are_kept(monkeypatch):
    monkeypatch.chdir(ROOT)
    assert lint_imports(no_cache=True, no_logo=True) == 0


def test_every_module_has_a_layer():
    named = {part for row in CONTRACTS[0]["layers"] for part in row.replace("|", " ").replace(":", " ").split()}
    assert named == MODULES | {"pipelines"}


@pytest.mark.parametrize("library", BORDERS)
def test_a_library_is_kept_out_of_every_other_module(library):
    (contract,) = [found for found in CONTRACTS if library in found.get("forbidden_modules", ())]
    modules = MODULES
    if library == "pytorch_lightning":
        parts = {f"kgqa.reason.{path.stem}" for path in ROOT.glob("kgqa/reason/[a-z]*.py")}
        modules = (MODULES - {"kgqa.reason"}) | parts
    assert set(contract["source_modules"]) - {"pipelines"} == modules - BORDERS[library]
