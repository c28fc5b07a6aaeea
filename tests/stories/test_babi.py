"""bAbI's files: plain, compressed, in an archive; what is not of the format is refused by name and line."""

import gzip
import tarfile
from pathlib import Path

import pytest

from kgqa.errors import InputError
from kgqa.stories.babi import Asked, Story, parse, read_stories

TEXT = """1 Mary went home.
2 Where is Mary? \thome\t1
3 She left.
4 Is she there?\tno\t3 1
1 A is b.
2 What is A?\tb\t1
"""


def test_stories_have_their_sentences_and_what_was_asked_after_how_many():
    assert list(parse(TEXT.splitlines(), 7, "x")) == [
        Story(
            7, ("Mary went home.", "She left."), (Asked("Where is Mary?", "home", 1), Asked("Is she there?", "no", 2))
        ),
        Story(7, ("A is b.",), (Asked("What is A?", "b", 1),)),
    ]


def test_a_story_without_a_question_is_none_and_the_last_one_counts():
    assert [story.sentences for story in parse(["1 A.", "1 B.", "2 C?\tx"], 1, "x")] == [("A.",), ("B.",)]
    assert list(parse(["1 A.", "", "2 B."], 1, "x")) == []


@pytest.mark.parametrize("line", ["Mary went home.", "one Mary went home.", "3"])
def test_a_line_of_another_format_is_refused_with_its_number(line: str):
    with pytest.raises(InputError, match="x line 2 is"):
        list(parse(["1 A.", line], 1, "x"))


def test_files_archives_and_folders_say_the_same(tmp_path: Path):
    folder = tmp_path / "plain"
    folder.mkdir()
    (folder / "qa2_valid.txt").write_text(TEXT)
    (folder / "qa2_train.txt").write_text("1 B.\n2 C?\tx\n")
    zipped = tmp_path / "qa2_en1k_valid.txt.gz"
    zipped.write_bytes(gzip.compress(TEXT.encode()))
    with tarfile.open(tmp_path / "all.tar.gz", "w:gz") as archive:
        archive.add(folder, "en-10k")
    read = [read_stories([path], "valid") for path in (folder, zipped, tmp_path / "all.tar.gz")]
    assert read[0] == read[1] == read[2]
    assert [story.task for story in read[0]] == [2, 2]


def test_the_first_path_that_has_a_task_gives_it(tmp_path: Path):
    for name, place in (("a", "home"), ("b", "out")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "qa1_train.txt").write_text(f"1 A.\n2 B?\t{place}\n")
    (tmp_path / "b" / "qa3_train.txt").write_text("1 C.\n2 D?\tx\n")
    stories = read_stories([tmp_path / "a", tmp_path / "b"], "train")
    assert [(story.task, story.questions[0].answer) for story in stories] == [(1, "home"), (3, "x")]


def test_what_is_missing_damaged_or_empty_is_an_error(tmp_path: Path):
    with pytest.raises(InputError, match="cannot be read"):
        read_stories([tmp_path / "none.tar.gz"], "train")
    (tmp_path / "bad.tar.gz").write_bytes(b"not an archive")
    with pytest.raises(InputError, match="cannot be read"):
        read_stories([tmp_path / "bad.tar.gz"], "train")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"no qaN_...train\.txt"):
        read_stories([tmp_path / "empty"], "train")
