"""The command `kgqa`: help, unknown stages, and that it stays cheap to ask."""

import json
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import rich
from rich.progress import Progress

from kgqa.cli import STAGES, ConsoleHandler, JsonFormatter, PrintableFormatter, main, printable, say

ROOT = Path(__file__).parents[1]


def test_help_names_every_stage(capsys):
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(f"\n  {name} " in shown for name in STAGES)


def test_without_arguments_it_shows_help_and_refuses(capsys):
    assert main([]) == 2
    assert "usage" in capsys.readouterr().out


def test_an_unknown_stage_is_refused(capsys):
    assert main(["extrct"]) == 2
    assert "no stage 'extrct'" in capsys.readouterr().err


@pytest.mark.parametrize("name", STAGES)
def test_every_stage_has_a_help_page_with_an_example(name, capsys):
    assert main([name, "--help"]) == 0
    assert f"kgqa {name} " in capsys.readouterr().out


def test_log_lines_and_the_progress_bars_of_other_libraries_live_together(capsys):
    """Lightning's bar configures rich's console for itself; doing so once more would take it from under the bar."""
    rich.reconfigure(force_terminal=True)
    handler = ConsoleHandler()
    with Progress(console=rich.get_console()) as bar:
        bar.add_task("training")
        handler.handle(logging.LogRecord("kgqa", logging.WARNING, "", 0, "a line [red] of %s", ("log",), None))
    rich.reconfigure()
    assert "warning: a line [red] of log" in capsys.readouterr().out


COMPLETIONS = {
    "kgqa ans": {"answer"},
    "kgqa ": set(STAGES),
    "kgqa answer engine=": {"engine=local", "engine=ray"},
    "kgqa answer kb=x answer.batch": {"answer.batch_size="},
    "kgqa nothing_like_it": set(),
}


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes_stages_keys_and_choices(tmp_path):
    program = tmp_path / "kgqa"
    program.write_text(f"#!{sys.executable}\nimport sys\nfrom kgqa.cli import main\nsys.exit(main())\n")
    program.chmod(0o755)
    lines = "\n".join(
        f"COMP_LINE='{line}'; COMP_CWORD={line.count(' ')}; COMPREPLY=(); hydra_bash_completion; echo ${{COMPREPLY[@]}}"
        for line in COMPLETIONS
    )
    shown = subprocess.run(
        ["bash", "-c", f'eval "$(kgqa -sc install=bash)"\n{lines}'], capture_output=True, text=True, check=True,
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert [set(line.split()) for line in shown.stdout.splitlines()] == list(COMPLETIONS.values()), shown.stderr


STEERING = ["\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "\x9b2J", "a\rb", "a\x08b", "\u202eturned\u2066", "\ud800"]


@pytest.mark.parametrize("text", STEERING)
def test_what_is_said_cannot_steer_a_terminal(capsys, text):
    say(f"before {text}\tafter\nnext")
    ConsoleHandler().handle(logging.LogRecord("kgqa", logging.INFO, "", 0, "%s", (text,), None))
    shown = capsys.readouterr().err
    assert not set(shown) & set("\x1b\x9b\x07\r\x08\u202e\u2066\ud800")
    assert "before " in shown
    assert "\tafter\nnext" in shown
    record = logging.LogRecord("kgqa", logging.INFO, "", 0, "%s", (text,), None)
    assert PrintableFormatter().format(record) == printable(text)
    assert json.loads(JsonFormatter().format(record))["message"] == text
    assert JsonFormatter().format(record).isascii()


def test_plain_text_is_said_as_it_is():
    assert printable("Gödel's \t„Über“ 日本 \U0001f600\n") == "Gödel's \t„Über“ 日本 \U0001f600\n"


def test_importing_kgqa_loads_nothing_heavy():
    code = (
        "import sys, kgqa, kgqa.cli; print(*{'torch', 'faiss', 'spacy', 'rdflib', 'hydra', 'rich'} & set(sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == ""
