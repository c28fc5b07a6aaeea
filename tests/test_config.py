"""The real configuration composes; every mistake on a command line is named, all in one message."""

from pathlib import Path

import pytest

from kgqa.config import check_overrides, compose_config, config_dir, describe, flat
from kgqa.errors import ConfigError

NEEDS = {"kb": "the folder of the knowledge base", "corpus.path": "a folder of documents"}
GOOD = ["kb=kb/x", "corpus.path=docs"]


def errors_of(*overrides: str, search_path: tuple[Path, ...] = ()) -> str:
    with pytest.raises(ConfigError) as caught:
        check_overrides(overrides, needs=NEEDS, example="kgqa extract kb=kb/mine", search_path=search_path)
    return str(caught.value)


def test_every_option_of_every_group_composes_alone():
    groups, _ = describe()
    for group, options in groups.items():
        for option in options:
            compose_config([f"{group}={option}"])


@pytest.mark.parametrize("option", sorted(path.stem for path in (config_dir() / "experiment").glob("*.yaml")))
def test_every_experiment_only_changes_keys_that_exist(option):
    check_overrides([*GOOD, f"experiment={option}"], needs=NEEDS)


def test_a_good_command_line_passes():
    check_overrides([*GOOD, "seed=3", "strict=true", "hydra.job.num=1", "+mine.key=1"], needs=NEEDS)


def test_all_mistakes_come_at_once_each_with_its_remedy():
    message = errors_of(
        "corpus.pth=docs", "sed=1", "seed=one", "strict=1", "trainer=gpuu", "qa=sampel", "a=[", "name=2026"
    )
    assert message.startswith("10 errors")
    for expected in (
        "corpus.pth: no such key; did you mean corpus.path?",
        "sed: no such key; did you mean seed?",
        "seed=one: a whole number is wanted (default 0), this is text",
        "strict=1: true or false is wanted",
        "trainer=gpuu: no such option",
        "qa=sampel: no such option; did you mean sample?; there are",
        "a=[: cannot be read",
        "name=2026: text is wanted (default default), this is a whole number",
        "kb: no value; it is the folder of the knowledge base",
        "corpus.path: no value; it is a folder of documents",
        "for example: kgqa extract kb=kb/mine",
    ):
        assert expected in message


def test_a_key_is_found_by_its_last_part():
    assert "pth: no such key; did you mean corpus.path?" in errors_of(*GOOD, "pth=x")


def test_each_value_of_a_sweep_is_checked():
    message = errors_of(*GOOD, "seed=1,two,3.5", "qa=sample,metaqq")
    assert message.startswith("3 errors")
    check_overrides([*GOOD, "seed=1,2", "qa=sample,metaqa"], needs=NEEDS)


def test_a_key_of_any_swept_option_is_known():
    check_overrides([*GOOD, "qa=sample,metaqa", "qa.data=x"], needs=NEEDS)
    assert "qa.data: no such key" in errors_of(*GOOD, "qa=sample", "qa.data=x")


def test_null_only_where_the_default_is_null():
    check_overrides([*GOOD, "qa=files", "qa.dev=null", "qa.train=[a.txt,b.txt]"], needs=NEEDS)
    assert "seed=null: a whole number is wanted" in errors_of(*GOOD, "seed=null")


def test_a_whole_number_is_a_number_and_true_is_not():
    check_overrides([*GOOD, "qa.dev_fraction=1"], needs=NEEDS)
    assert "qa.dev_fraction=True: a number is wanted" in errors_of(*GOOD, "qa.dev_fraction=true")


def test_a_misspelt_key_in_an_experiment_file_is_refused(tmp_path):
    """Hydra alone would take it for a new key."""
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text("# @package _global_\nsed: 1\nqa:\n  dev_fraction: much\n")
    message = errors_of(*GOOD, "experiment=mine", search_path=(tmp_path,))
    assert "experiment/mine.yaml: sed: no such key; did you mean seed?" in message
    assert "experiment/mine.yaml: qa.dev_fraction=much: a number is wanted" in message


def test_an_experiment_may_give_what_is_needed_and_choose_groups(tmp_path):
    (tmp_path / "experiment").mkdir()
    text = (
        "# @package _global_\ndefaults:\n  - override /qa: metaqa\nkb: kb/x\ncorpus:\n  path: docs\nqa:\n  data: here\n"
    )
    (tmp_path / "experiment" / "mine.yaml").write_text(text)
    check_overrides(["experiment=mine"], needs=NEEDS, search_path=(tmp_path,))


def test_compose_config_refuses_with_our_own_error():
    with pytest.raises(ConfigError):
        compose_config(["nothing=1"])


def test_flat_keeps_empty_mappings_and_interpolations():
    assert flat({"a": {"b": 1, "c": {}}, "d": "${a.b}"}) == {"a.b": 1, "a.c": {}, "d": "${a.b}"}
