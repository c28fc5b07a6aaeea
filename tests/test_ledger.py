"""Rows live from the generation that brought them to the one that ended them, and no run can leave half its rows."""

from pathlib import Path

import pytest

from kgqa.errors import StoreError
from kgqa.ledger import DocumentRow, Ledger
from kgqa.ledger_writer import LedgerWriter, SupportRow

ROW = DocumentRow("a", "source", "hash", "Title", None, "a.md", "toy", "")


def support(ledger: LedgerWriter, tail: str) -> SupportRow:
    terms = ledger.intern("urn:h"), ledger.intern("urn:r"), ledger.intern(tail)
    return (*terms, "", 0, 1, 0, 0, 0, 0, "given", 1.0)


def write(path: Path, committed: int, tails: str, *, commit: bool = True) -> None:
    with LedgerWriter.open(path, committed) as ledger:
        ledger.put_document(ROW)
        ledger.replace("supports", "a", [support(ledger, f"urn:{tail}") for tail in tails])
        if commit:
            ledger.commit()


def seen(path: Path, generation: int) -> str:
    sql = "SELECT term FROM supports JOIN terms ON terms.id = tail WHERE born <= :generation AND died > :generation"
    with Ledger.read(path, generation) as ledger:
        return "".join(sorted(str(term).removeprefix("urn:") for (term,) in ledger.rows(sql)))


def test_each_generation_sees_its_own(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    write(path, 0, "xy")
    write(path, 1, "yz")
    write(path, 2, "")
    assert [seen(path, generation) for generation in range(4)] == ["", "xy", "yz", ""]


def test_what_did_not_change_is_not_written_again(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    write(path, 0, "xy")
    write(path, 1, "yz")
    with Ledger.read(path, 2) as ledger:
        assert sorted(ledger.rows("SELECT count(*), born FROM supports GROUP BY born")) == [(1, 2), (2, 1)]


def test_an_unfinished_transaction_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    write(path, 0, "xy")
    write(path, 1, "z", commit=False)
    assert seen(path, 2) == "xy"


def test_rows_of_a_generation_that_was_never_committed_are_undone(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    write(path, 0, "xy")
    write(path, 1, "z")  # the ledger has it; CURRENT was never swapped
    write(path, 1, "xw")
    assert [seen(path, generation) for generation in (1, 2)] == ["xy", "wx"]


def test_ids_are_never_given_out_twice(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with LedgerWriter.open(path, 0) as ledger:
        first = [ledger.intern(f"urn:{name}") for name in "abc"]
        ledger.commit()
    with LedgerWriter.open(path, 1) as ledger:
        assert [ledger.intern(f"urn:{name}") for name in "cab"] == [first[2], first[0], first[1]]
        assert ledger.intern("urn:d") not in first


def test_part_of_a_run_can_fail_alone(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with LedgerWriter.open(path, 0) as ledger:
        ledger.replace("supports", "a", [support(ledger, "urn:x")])
        rows = (support(ledger, f"urn:{1 / number}") for number in (1, 0))
        with pytest.raises(ZeroDivisionError), ledger.all_or_nothing():
            ledger.replace("supports", "b", rows)
        ledger.replace("supports", "c", [support(ledger, "urn:z")])
        ledger.commit()
    assert seen(path, 1) == "xz"


def test_a_reader_opens_and_reads_while_a_writer_works(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    write(path, 0, "x")
    with LedgerWriter.open(path, 1) as ledger:
        ledger.replace("supports", "a", [support(ledger, f"urn:{number}") for number in range(20_000)])
        assert seen(path, 1) == "x"
        ledger.commit()
        assert seen(path, 1) == "x"


def test_a_read_only_disk_will_do_unless_a_killed_writer_left_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ledger.sqlite"
    write(path, 0, "x")
    monkeypatch.setattr("kgqa.schema.os.access", lambda *_: False)
    assert seen(path, 1) == "x"
    (tmp_path / "ledger.sqlite-wal").write_bytes(b"left")
    with pytest.raises(StoreError, match=r"ledger\.sqlite-wal.*can be written"):
        Ledger.read(path, 1)


@pytest.mark.parametrize("content", [None, b"", b"not a database" * 100])
def test_a_damaged_file_is_an_error_with_a_remedy(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "ledger.sqlite"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(StoreError, match=r"ledger\.sqlite.*build"):
        Ledger.read(path, 1)


def test_a_committed_ledger_that_is_gone_or_empty_is_no_new_one(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with pytest.raises(StoreError, match="is missing"):
        LedgerWriter.open(path, 1)
    assert not path.exists()
    path.touch()
    with pytest.raises(StoreError, match="is no ledger"):
        LedgerWriter.open(path, 1)
