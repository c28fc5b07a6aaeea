"""A run's folder says how the run ended, whatever ended it."""

import json

import pytest

from kgqa.runs import RunFolder, append_metrics


def manifest(path):
    return json.loads((path / "manifest.json").read_text())


@pytest.mark.parametrize(
    ("error", "status"), [(None, "done"), (ValueError("no"), "failed"), (KeyboardInterrupt(), "interrupted")]
)
def test_status_follows_the_end(tmp_path, error, status):
    def run():
        with RunFolder(tmp_path / "run", stage="toy", config="a: 1\n", overrides=["a=1"], seed=3) as folder:
            assert manifest(folder.path)["status"] == "running"
            folder.record({"facts": 2})
            if error:
                raise error

    if error:
        with pytest.raises(type(error)):
            run()
    else:
        run()
    found = manifest(tmp_path / "run")
    assert (found["status"], found["seed"], found["overrides"]) == (status, 3, ["a=1"])
    assert found["metrics"] == {"facts": 2}
    assert ("error" in found) == (error is not None)
    assert (tmp_path / "run" / "config.yaml").read_text() == "a: 1\n"


def test_metrics_are_lines_in_order(tmp_path):
    for epoch in range(3):
        append_metrics(tmp_path, {"epoch": epoch})
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [0, 1, 2]
