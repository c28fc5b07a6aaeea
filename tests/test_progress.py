"""How far work is: with rate and time left, on a terminal and in a log."""

import io
import logging
import sys

import pytest

from kgqa import progress as module
from kgqa.progress import progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_gets_a_bar_with_count_and_rate(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    with progress("answering", 1000) as advance:
        for _ in range(4):
            advance(250)
    shown = terminal.getvalue()
    assert "answering" in shown
    assert "1000/1000" in shown


def test_elsewhere_the_log_says_it_now_and_then(monkeypatch, caplog):
    clock = iter([0.0, 30.0, 60.0, 90.0, 120.0])
    monkeypatch.setattr(module.time, "monotonic", lambda: next(clock))
    with caplog.at_level(logging.INFO), progress("answering", 1000) as advance:
        for _ in range(4):
            advance(100)
    first, second = caplog.messages
    assert first == "answering: 200 of 1,000, 240 s left, 3.3 a second"
    assert second == "answering: 400 of 1,000, 180 s left, 3.3 a second"


@pytest.mark.parametrize("total", [None, 3])
def test_a_wrong_or_unknown_total_does_no_harm(monkeypatch, caplog, total):
    monkeypatch.setattr(module, "EVERY", 0.0)
    with caplog.at_level(logging.INFO), progress("answering", total) as advance:
        advance(5)
    (message,) = caplog.messages
    assert message.startswith("answering: 5")
    assert ("0 s left" in message) == (total is not None)
