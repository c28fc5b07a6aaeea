"""The wheel, installed apart from the clone, runs from any folder with the configuration that it carries."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Built from a copy of what setuptools reads, so that the clone stays clean."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        ["git", "ls-files", "-z", "-c", "-o", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        stdout=(folder / "files").open("wb"),
    )
    for name in (folder / "files").read_text().rstrip("\0").split("\0"):
        if (
            name.startswith(("kgqa/", "pipelines/", "conf/", "pyproject", "README", "LICENSE"))
            and (ROOT / name).exists()
        ):
            target = folder / "source" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((ROOT / name).read_bytes())
    build = [
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        str(folder),
        str(folder / "source"),
    ]
    subprocess.run(build, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> dict[str, str]:
    """The environment of a Python that finds the wheel's kgqa before any other."""
    folder = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), str(wheel)]
    subprocess.run(pip, check=True)
    return {**os.environ, "PYTHONPATH": str(folder)}


def kgqa(environment, folder, *arguments):
    command = [sys.executable, "-m", "kgqa.cli", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def test_it_carries_the_configuration_the_data_of_the_text_part_and_no_tests(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    for path in [
        *ROOT.glob("conf/**/*.yaml"),
        *ROOT.glob("kgqa/text/*.toml"),
        *ROOT.glob("kgqa/answer/report/templates/*"),
    ]:
        name = path.relative_to(ROOT).as_posix()
        assert (name if name.startswith("kgqa/") else f"kgqa/{name}") in names
    assert "kgqa/py.typed" in names
    assert "kgqa/text/models/en_kgqa/meta.json" in names
    assert not any("test" in name.split("/")[0] for name in names)


def test_stages_run_from_another_folder(installed, tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "marie-curie.txt").write_text("Marie Curie\n\nMarie Curie was born in Warsaw in 1867.\n")
    where = subprocess.run(
        [sys.executable, "-c", "import kgqa; print(kgqa.__file__)"],
        cwd=tmp_path, env=installed, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert str(ROOT) not in where.stdout
    built = kgqa(installed, tmp_path, "extract", "corpus.path=docs", "kb=kb")
    assert built.returncode == 0, built.stderr
    indexed = kgqa(installed, tmp_path, "index", "kb=kb", "embedder=hashing")
    assert indexed.returncode == 0, indexed.stderr
    assert list(tmp_path.glob("runs/default/extract-*/manifest.json"))
    refused = kgqa(installed, tmp_path, "answer", "kbb=kb")
    assert refused.returncode == 2
    assert "kbb: no such key; did you mean kb?" in refused.stderr
