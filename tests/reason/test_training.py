"""Training: the loss against a naive loop, learning on the toy graph, resume to equal weights, two processes as one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kgqa.errors import ConfigError, InputError, ModelError
from kgqa.graph.subgraph import TripleTable
from kgqa.reason import checkpoint
from kgqa.reason.checkpoint import EncoderSettings, ReasonerSettings
from kgqa.reason.examples import Batch, Example
from kgqa.reason.loss import answer_loss
from kgqa.reason.tokens import PLACEHOLDER
from kgqa.reason.training import ReasonerTraining, TrainingOptions, fit

SETTINGS = ReasonerSettings(
    EncoderSettings(width=32, num_buckets=512),
    {"width": 32, "num_heads": 2, "num_slots": 4, "max_hops": 2, "num_layers": 1, "dropout": 0.0},
)


def options(max_epochs: int, **changes: object) -> TrainingOptions:
    values: dict[str, object] = {
        "max_epochs": max_epochs, "epoch_questions": 64, "batch_size": 16, "learning_rate": 3e-3,
        "encoder_learning_rate": 3e-4, "find_learning_rate": False, "weight_decay": 1e-2,
        "warmup_steps": 5, "average_decay": 0.9, "patience": 50, "synthetic_questions": 0, "synthetic_share": 0.5,
        "unanswerable_weight": 1.0, "missing_below": None, "abstain_share": 0.7, "start_from": None, "half_size": False,
        "lightning": {"accelerator": "cpu", "devices": 1},
    }  # fmt: skip
    return TrainingOptions(**(values | changes))  # type: ignore[arg-type]


def questions(toy: TripleTable) -> list[Example]:
    """One- and two-hop questions about every entity that has answers."""
    wordings = {
        "where was {} born": ["born in"],
        "what did {} get": ["received"],
        "{} is the capital of which country": ["capital of"],
        "in which country was {} born": ["born in", "capital of"],
    }
    facts = list(zip(toy.heads.tolist(), toy.relations.tolist(), toy.tails.tolist(), strict=True))
    examples = []
    for wording, path in wordings.items():
        for entity in range(len(toy.entities)):
            reached = {entity}
            for name in path:
                relation = toy.relation_texts.index(name)
                reached = {t for h, r, t in facts if r == relation and h in reached}
            if reached:
                examples.append(Example(wording.format(PLACEHOLDER), (((entity, 1.0),),), tuple(sorted(reached))))
    return examples


@given(st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_the_loss_agrees_with_a_naive_loop(seed: int) -> None:
    torch.manual_seed(seed)
    answers = torch.rand(6, 4, dtype=torch.float64) * 0.9
    gold = [[0, 2], [5], [], [1, 3, 4]]
    entity = torch.tensor([e for row in gold for e in row])
    question = torch.tensor([q for q, row in enumerate(gold) for _ in row])
    expected = 0.0
    for q, row in enumerate(gold):
        p = answers[:, q]
        if row:
            expected += sum(float(-(p[e] / p.sum()).log() - p[e].log()) for e in row) / len(row)
            expected -= torch.tensor(float(len(row))).log().item()
        else:
            expected += 3 * float(-(1 - p.max()).log())
    assert float(answer_loss(answers, entity, question, unanswerable_weight=3.0)) == pytest.approx(
        expected / len(gold), rel=1e-6
    )


def test_the_loss_of_unreachable_answers_is_finite_with_a_finite_gradient() -> None:
    answers = torch.zeros(3, 2, requires_grad=True)
    loss = answer_loss(answers, torch.tensor([0]), torch.tensor([0]))
    loss.backward()
    assert torch.isfinite(loss)
    assert answers.grad is not None
    assert torch.isfinite(answers.grad).all()


@pytest.mark.parametrize("share", [0.0, -1.0, float("nan")])
def test_a_share_of_nothing_is_refused(share: float) -> None:
    with pytest.raises(ConfigError, match="missing_below="):
        options(1, missing_below=share)


def test_gold_answers_that_the_graph_lacks_do_not_make_the_right_walk_unlikely() -> None:
    """Of four gold answers the right walk reaches one. All alike, they ask for less of it; else, for more."""
    question = torch.zeros(4, dtype=torch.int64)
    slopes = []
    for missing_below in (None, 0.1):
        answers = torch.tensor([[0.5], [0.0], [0.0], [0.0]], requires_grad=True)
        answer_loss(answers, torch.arange(4), question, missing_below=missing_below).backward()
        assert answers.grad is not None
        slopes.append(float(answers.grad[0]))
    assert slopes[0] > 0 > slopes[1]
    even = torch.full((4, 1), 0.3)
    losses = [float(answer_loss(even, torch.arange(4), question, missing_below=below)) for below in (None, 0.1)]
    assert losses[0] == pytest.approx(losses[1])


def test_it_learns_hops_from_answers_alone_and_leaves_a_checkpoint(toy: TripleTable, tmp_path: Path) -> None:
    examples = questions(toy)
    scores = fit(SETTINGS, toy, examples, examples, options(12), folder=tmp_path, seed=0)
    assert scores["dev_hits1"] == 1.0
    assert scores["dev_f1"] > 0.95
    _, settings = checkpoint.load(tmp_path / "checkpoints" / "best")
    assert settings.abstain_below == pytest.approx(scores["abstain_below"])
    about = json.loads((tmp_path / "checkpoints" / "best" / "reasoner.json").read_text())["about"]
    assert about["num_train"] == len(examples)
    with pytest.raises(ModelError, match="encoder=transformer"):
        checkpoint.load(tmp_path / "checkpoints" / "best", encoder="minilm")


def test_resume_gives_the_weights_of_an_uninterrupted_run(
    toy: TripleTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    examples, whole, parts = questions(toy), tmp_path / "whole", tmp_path / "parts"
    settings = ReasonerSettings(SETTINGS.encoder, SETTINGS.sizes | {"dropout": 0.2})
    fit(settings, toy, examples, examples, options(3), folder=whole, seed=1)

    step = ReasonerTraining.training_step

    def crash(self: ReasonerTraining, batch: Batch, batch_idx: int) -> torch.Tensor:
        if self.current_epoch == 2 and batch_idx == 1:
            raise RuntimeError("the machine went away")
        return step(self, batch, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(ReasonerTraining, "training_step", crash)
        with pytest.raises(RuntimeError, match="went away"):
            fit(settings, toy, examples, examples, options(3), folder=parts, seed=1)
    last = parts / "checkpoints" / "last.ckpt"
    fit(settings, toy, examples, examples, options(3), folder=parts, seed=1, resume=last)

    weights = [torch.load(p / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"] for p in (whole, parts)]
    for name in weights[0]:
        assert torch.equal(weights[0][name], weights[1][name]), name


@pytest.mark.slow
def test_two_processes_give_what_one_gives(toy: TripleTable, tmp_path: Path) -> None:
    """DDP on gloo: each of two processes takes half of every batch; gradients are averaged over the same questions."""
    program = Path(__file__).parent / "train_toy.py"
    folders = [tmp_path / name for name in ("one", "two")]
    for folder, devices, batch_size in zip(folders, (1, 2), (16, 8), strict=True):
        command = [sys.executable, str(program), str(folder), str(devices), str(batch_size)]
        subprocess.run(command, check=True, timeout=300, env=os.environ | {"OMP_NUM_THREADS": "1"})
    one, two = (torch.load(f / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"] for f in folders)
    for name in one:
        torch.testing.assert_close(two[name], one[name], atol=5e-3, rtol=5e-2)


def test_nothing_to_learn_from_is_said(toy: TripleTable, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="0 training and 0 dev questions"):
        fit(SETTINGS, toy, [Example("who", (), (1,))], [], options(1), folder=tmp_path, seed=0)


@pytest.mark.parametrize("damage", ["weights", "settings", "newer", "missing"])
def test_a_damaged_checkpoint_is_named(damage: str, tmp_path: Path) -> None:
    checkpoint.save(SETTINGS.build(), SETTINGS, tmp_path, about={})
    settings = tmp_path / checkpoint.SETTINGS
    if damage == "weights":
        (tmp_path / checkpoint.WEIGHTS).write_bytes(b"\x08" * 20)
    elif damage == "settings":
        settings.write_text("{")
    elif damage == "newer":
        settings.write_text(json.dumps(json.loads(settings.read_text()) | {"format": 99}))
    else:
        settings.unlink()
    with pytest.raises(ModelError, match=r"train|update"):
        checkpoint.load(tmp_path)


def test_weights_for_words_that_were_hashed_otherwise_are_refused(tmp_path: Path) -> None:
    checkpoint.save(SETTINGS.build(), SETTINGS, tmp_path, about={})
    settings = tmp_path / checkpoint.SETTINGS
    settings.write_text(json.dumps(json.loads(settings.read_text()) | {"format": 1}))
    with pytest.raises(ModelError, match=r"is of format 1, whose words were hashed otherwise; train again"):
        checkpoint.load(tmp_path)


def test_a_learning_rate_is_found_and_changes_nothing_else(toy: TripleTable, tmp_path: Path) -> None:
    """The search goes through a hundred steps, and the training after it starts from the same weights."""
    asked = questions(toy)
    changes = {"learning_rate": 0.01, "max_epochs": 1}
    found = fit(SETTINGS, toy, asked, asked, options(1, find_learning_rate=True), folder=tmp_path / "found", seed=0)[
        "learning_rate"
    ]
    assert 1e-5 < found < 0.1
    given = options(**(changes | {"learning_rate": found}))
    fit(SETTINGS, toy, asked, asked, given, folder=tmp_path / "given", seed=0)
    weights = [
        torch.load(tmp_path / name / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
        for name in ("found", "given")
    ]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_training_starts_from_a_checkpoint_and_keeps_half_the_bytes(toy: TripleTable, tmp_path: Path) -> None:
    asked = questions(toy)
    fit(SETTINGS, toy, asked, asked, options(8), folder=tmp_path / "first", seed=0)
    best = tmp_path / "first" / "checkpoints" / "best"
    before = checkpoint.load(best)[0].state_dict()
    again = options(1, start_from=str(best), learning_rate=1e-9, average_decay=None, half_size=True)
    fit(SETTINGS, toy, asked, asked, again, folder=tmp_path / "again", seed=1)
    kept = tmp_path / "again" / "checkpoints" / "best"
    after = checkpoint.load(kept)[0].state_dict()
    for name, weight in before.items():
        torch.testing.assert_close(after[name], weight, atol=1e-3, rtol=1e-3)
    sizes = [(folder / checkpoint.WEIGHTS).stat().st_size for folder in (best, kept)]
    assert sizes[1] < 0.55 * sizes[0]


def test_a_start_of_another_size_is_refused_with_what_differs(toy: TripleTable, tmp_path: Path) -> None:
    asked = questions(toy)
    fit(SETTINGS, toy, asked, asked, options(1), folder=tmp_path / "first", seed=0)
    wider = ReasonerSettings(SETTINGS.encoder, SETTINGS.sizes | {"num_slots": 5})
    start = options(1, start_from=str(tmp_path / "first" / "checkpoints" / "best"))
    with pytest.raises(ModelError, match="num_slots 5 here, 4 there"):
        fit(wider, toy, asked, asked, start, folder=tmp_path / "second", seed=0)
