"""What `make` promises before anything is installed."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]


def make(*arguments):
    return subprocess.run(["make", "-C", str(ROOT), *arguments], capture_output=True, text=True)


def test_help_names_every_target():
    (phony,) = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    shown = make("help").stdout
    assert all(f"make {target}" in shown for target in phony.split() if target != "help")


def test_an_old_python_is_refused_before_anything_is_made(tmp_path):
    old = tmp_path / "python"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && { echo Python 3.9.2; exit 0; }\nexit 1\n')
    old.chmod(0o755)
    environment = tmp_path / "environment"
    result = make(f"PYTHON={old}", f"VENV={environment}", str(environment / ".created"))
    assert result.returncode != 0
    assert "needs Python 3.11 or newer" in result.stdout
    assert "Python 3.9.2" in result.stdout
    assert not environment.exists()


def test_slow_tests_have_a_ray_to_run_with():
    assert "ray" in make("--dry-run", "--always-make", "slow").stdout


def test_continuous_integration_runs_the_tests():
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    assert "make test" in script.read_text()
