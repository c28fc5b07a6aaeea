"""Every command that the documents show is accepted: its keys exist and have the types they ask for."""

import re
import shlex
from pathlib import Path

import pytest

from kgqa.cli import HELP, STAGES
from kgqa.config import check_overrides

ROOT = Path(__file__).parents[1]
PAGES = {"kgqa --help": HELP} | {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("data/*.md")]
}
COMMAND = re.compile(rf"(?:kgqa|python -m pipelines\.)[ .]?({'|'.join(STAGES)})((?: +-?[\w./+~]+=[^\s`#]+| -m)+)")


def commands():
    for page, text in PAGES.items():
        for found in COMMAND.finditer(text):
            yield pytest.param(shlex.split(found[2]), id=f"{page}: {found[0]}")


@pytest.mark.parametrize("arguments", commands())
def test_a_command_that_is_shown_is_accepted(arguments):
    check_overrides([argument for argument in arguments if argument != "-m"], needs={})


def test_the_readme_shows_every_stage():
    assert all(f"kgqa {stage}" in PAGES["README.md"] for stage in STAGES)


def test_links_lead_to_files():
    for page in ("README.md", "CONTRIBUTING.md"):
        for target in re.findall(r"\]\(([^)#]+)\)", PAGES[page]):
            assert target.startswith("http") or (ROOT / target).exists(), f"{page}: {target}"
