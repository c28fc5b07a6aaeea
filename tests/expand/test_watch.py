"""A watched folder: what stands still is committed, what is being written waits, a bad moment costs nothing."""

import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from kgqa.conflicts import Policy
from kgqa.errors import ConfigError, InputError
from kgqa.expand.apply import Outcome, Settings, expand
from kgqa.expand.plan import Corpus
from kgqa.expand.watch import Watcher, until_stopped, watch
from kgqa.knowledge_base import KnowledgeBase
from kgqa.lock import writer_lock
from kgqa.types import Document
from tests import processes
from tests.expand import watched
from tests.expand.test_apply import asserted
from tests.expand.toy import ToyExtraction, ToyExtractor, fast_folder, settings


class Folder:
    """A watched folder with its knowledge base."""

    def __init__(self, path: Path, extractor: ToyExtractor | None = None) -> None:
        self.kb, self.inbox = path / "kb", path / "inbox"
        self.inbox.mkdir()
        self.extractor = extractor or ToyExtractor()
        self.watcher = Watcher(self.kb, Corpus(self.inbox), settings(extractor=self.extractor, index=False))

    def write(self, name: str, *lines: str) -> Path:
        path = self.inbox / name
        path.write_text("A text\n\n" + "\n".join(lines))
        return path

    def polls(self, times: int) -> list[Outcome]:
        return [outcome for _ in range(times) if (outcome := self.watcher.poll())]


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """In memory where that can be: most of a small delta's time is waiting for the disk."""
    with fast_folder() as name:
        yield Path(name)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_what_changes_is_committed_once_and_only_what_is_new_is_read(folder: Folder) -> None:
    folder.write("a.md", "A knows B")
    assert [outcome.generation for outcome in folder.polls(5)] == ["gen-000001"]
    folder.write("b.md", "B knows C")
    folder.write("given.tsv", "C\tknows\tD")
    assert [outcome.delta.added for outcome in folder.polls(5)] == [("b", "given.tsv")]
    (folder.inbox / "a.md").unlink()
    assert [outcome.delta.removed for outcome in folder.polls(5)] == [("a",)]
    assert folder.extractor.read == ["a", "b"]
    assert asserted(folder.kb) == {"B knows C"} | {"C knows D"}


def test_a_file_that_is_being_written_waits_and_the_others_do_not(folder: Folder) -> None:
    folder.write("a.md", "A knows B")
    with (folder.inbox / "long.md").open("w") as file:
        for number in range(4):
            file.write(f"A{number} knows B\n")
            file.flush()
            folder.polls(1)
    assert folder.extractor.read == ["a"]
    folder.polls(2)
    assert folder.extractor.read == ["a", "long"]
    assert len(asserted(folder.kb)) == 5


def test_a_file_that_is_rewritten_or_replaced_keeps_its_facts_meanwhile(folder: Folder) -> None:
    path = folder.write("a.md", "A knows B")
    folder.write("feed.jsonl").write_text('{"id": "x", "text": "X knows Y"}\n{"id": "y", "text": "Y knows X"}\n')
    folder.polls(2)
    path.unlink()
    (folder.inbox / "feed.jsonl").unlink()
    folder.write("b.md", "B knows C")
    folder.polls(1)
    folder.write("a.md", "A knows C")  # put back before it was found missing twice
    folder.write("feed.jsonl").write_text('{"id": "x", "text": "X knows Z"}\n')
    (outcome,) = folder.polls(1)
    assert (outcome.delta.added, outcome.delta.removed) == (("b",), ())
    assert {"A knows B", "X knows Y", "Y knows X"} < asserted(folder.kb)
    (outcome,) = folder.polls(3)
    assert (outcome.delta.changed, outcome.delta.removed) == (("a", "x"), ("y",))


def test_a_file_that_goes_while_another_is_committed_goes_with_the_next_delta(folder: Folder) -> None:
    path = folder.write("a.md", "A knows B")
    folder.polls(2)
    folder.write("b.md", "B knows C")
    folder.polls(1)
    path.unlink()
    deltas = [outcome.delta for outcome in folder.polls(3)]
    assert [(delta.added, delta.removed) for delta in deltas] == [(("b",), ()), ((), ("a",))]


class ArrivingExtractor(ToyExtractor):
    """While it reads, another file arrives, the first half of it."""

    inbox: Path

    def extract(self, documents: Iterable[Document]) -> Iterator[ToyExtraction]:
        (self.inbox / "late.md").write_text("Late\n\nL knows M\n")
        yield from super().extract(documents)


def test_what_arrives_while_a_delta_is_made_waits_for_the_next(tmp_path: Path) -> None:
    extractor = ArrivingExtractor()
    folder = Folder(tmp_path, extractor)
    extractor.inbox = folder.inbox
    folder.write("a.md", "A knows B")
    (outcome,) = folder.polls(2)
    assert (outcome.delta.added, extractor.read) == (("a",), ["a"])
    assert [outcome.delta.added for outcome in folder.polls(2)] == [("late",)]


def test_content_decides_not_the_clock(folder: Folder) -> None:
    path = folder.write("a.md", "A knows B")
    os.utime(path, ns=(1, 1))
    folder.polls(2)
    os.utime(path)
    (outcome,) = folder.polls(3)
    assert outcome.generation is None
    os.utime(path, ns=(1, 1))
    folder.polls(3)
    folder.write("a.md", "A knows C")  # as long as before, and dated as before
    os.utime(path, ns=(1, 1))
    (outcome,) = folder.polls(3)
    assert outcome.delta.changed == ("a",)


def test_files_of_other_kinds_are_no_reason_to_look(folder: Folder) -> None:
    folder.write("a.md", "A knows B")
    folder.polls(2)
    folder.write("a.md.swp", "A knows C")
    assert folder.polls(3) == []


def test_the_folder_of_the_shell_can_be_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.md").write_text("A text\n\nA knows B\n")
    watcher = Watcher(tmp_path / "kb", Corpus(Path()), settings(index=False))
    watcher.poll()
    outcome = watcher.poll()
    assert outcome
    assert outcome.delta.added == ("a",)


def test_a_folder_that_is_gone_or_empty_takes_nothing_with_it(folder: Folder, tmp_path: Path) -> None:
    folder.write("a.md", "A knows B")
    folder.polls(2)
    shutil.move(folder.inbox, tmp_path / "elsewhere")
    with pytest.raises(InputError, match=r"inbox is gone; its documents stay"):
        folder.polls(1)
    folder.inbox.mkdir()
    folder.polls(1)
    with pytest.raises(InputError, match="holds no documents"):
        folder.polls(1)
    folder.inbox.rmdir()
    shutil.move(tmp_path / "elsewhere", folder.inbox)
    assert not [outcome for outcome in folder.polls(3) if outcome.generation]
    assert asserted(folder.kb) == {"A knows B"}
    assert folder.extractor.read == ["a"]


def test_a_folder_that_cannot_be_listed_is_not_an_empty_one(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.write("a.md", "A knows B")
    (folder.inbox / "more").mkdir()
    folder.write("more/b.md", "B knows C")
    folder.polls(2)
    real = os.scandir

    def refused(path: str) -> Iterator[os.DirEntry[str]]:
        if str(path).endswith("more"):
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", refused)
        with pytest.raises(InputError, match=r"cannot list .*more: Permission denied"):
            folder.polls(2)
        with pytest.raises(InputError, match=r"cannot list .*more"):
            expand(folder.kb, Corpus(folder.inbox), settings(index=False))
    assert asserted(folder.kb) == {"A knows B", "B knows C"}


@contextmanager
def stopping_after(number: int) -> Iterator[tuple[list[Outcome], Settings]]:
    """Outcomes so far, and settings for a watch that is interrupted by the given number of commits."""
    outcomes: list[Outcome] = []

    class Enough(list[Outcome]):
        def append(self, outcome: Outcome) -> None:
            outcomes.append(outcome)
            if len(outcomes) == number:
                os.kill(os.getpid(), signal.SIGTERM)

    with until_stopped():
        yield Enough(), settings(index=False)
    assert len(outcomes) == number


def test_a_lock_of_another_writer_is_waited_for_and_told_of_once(
    folder: Folder, caplog: pytest.LogCaptureFixture
) -> None:
    folder.write("a.md", "A knows B")
    with ExitStack() as other, stopping_after(1) as (outcomes, given):
        other.enter_context(writer_lock(folder.kb))
        threading.Timer(0.2, other.close).start()
        with caplog.at_level("INFO"):
            watch(folder.kb, Corpus(folder.inbox), given, seconds=0.01, committed=outcomes.append)
    assert caplog.text.count("is being written to by process") == 1
    assert "going on after" in caplog.text
    assert asserted(folder.kb) == {"A knows B"}


def test_a_disk_that_was_full_is_tried_again(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.write("a.md", "A knows B")
    real, failed = os.fsync, []

    def full(descriptor: int) -> None:
        if len(failed) < 3:
            failed.append(descriptor)
            raise OSError(28, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with stopping_after(1) as (outcomes, given):
        watch(folder.kb, Corpus(folder.inbox), given, seconds=0.01, committed=outcomes.append)
    assert len(failed) == 3
    assert asserted(folder.kb) == {"A knows B"}


def test_what_no_waiting_mends_ends_the_watch(folder: Folder) -> None:
    folder.write("a.md", "A knows B")
    with pytest.raises(ConfigError, match="no extractor"):
        watch(folder.kb, Corpus(folder.inbox), Settings(), seconds=0.01, committed=print)


def test_a_policy_holds_for_every_round(folder: Folder) -> None:
    watcher = Watcher(folder.kb, Corpus(folder.inbox), settings(index=False, policy=Policy("newest")))
    for name in ("a.md", "b.md"):
        folder.write(name, f"{name} knows B")
        assert [bool(watcher.poll()) for _ in range(3)] == [False, True, False]
    with KnowledgeBase.open(folder.kb) as base:
        assert (base.generation, base.policy.keep) == ("gen-000002", "newest")


@contextmanager
def watching(folder: Folder) -> Iterator[tuple[BaseProcess, Callable[[], str]]]:
    """The process, and what gives the next line that it says."""
    with processes.running(watched.main, folder.kb, folder.inbox) as (process, out):
        assert out.readline() == "ready\n"
        yield process, lambda: out.readline().strip()


def end(process: BaseProcess, sent: signal.Signals) -> int | None:
    assert process.pid
    os.kill(process.pid, sent)
    process.join(300)
    return process.exitcode


def test_a_process_that_watches_commits_and_ends_when_it_is_told_to(folder: Folder) -> None:
    folder.write("a.md", "A knows B")
    with watching(folder) as (process, line):
        assert line() == "gen-000001 1 0 0"
        folder.write("a.md", "A knows C")
        assert line() == "gen-000002 0 1 0"
        folder.write("b.md", "B knows C")
        assert line() == "gen-000003 1 0 0"
        assert end(process, signal.SIGTERM) == 0
        assert line() == "stopped"
    assert asserted(folder.kb) == {"A knows C", "B knows C"}


def test_a_delta_under_way_is_dropped_and_what_was_read_for_it_is_not_read_again(
    folder: Folder, tmp_path: Path
) -> None:
    folder.write("a.md", "A knows B")
    with watching(folder) as (process, line):
        assert line() == "gen-000001 1 0 0"
        (tmp_path / "new").mkdir()
        (tmp_path / "new" / "b.md").write_text("B text\n\nB knows C")
        (tmp_path / "new" / "slow.md").write_text("S text\n\nS knows T")
        (tmp_path / "new").rename(folder.inbox / "new")  # both at once
        assert line() == "new/slow"
        assert end(process, signal.SIGINT) == 0
        assert line() == "stopped"
    assert asserted(folder.kb) == {"A knows B"}
    folder.polls(2)
    assert folder.extractor.read == ["new/slow"]
    assert asserted(folder.kb) == {"A knows B", "B knows C", "S knows T"}
