"""Training of our own encoder: the loss against a naive loop, aliases that are learned, resumed runs that differ in
nothing, and what is refused."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from kgqa.errors import ConfigError, InputError, ModelError
from kgqa.memory import contrastive
from kgqa.memory.contrastive import ContrastiveOptions, contrast, fit
from kgqa.memory.lessons import Batches, Lessons
from kgqa.memory.text_encoder import TextEncoder, load_encoder

SIZES = {"width": 32, "num_buckets": 512, "num_layers": 1, "num_heads": 2, "max_words": 8}
OPTIONS = {
    "steps": 6, "names": 16, "facts": 8, "learning_rate": 1e-2, "warmup_steps": 2, "temperature": 0.05, "max_names": 50,
    "checkpoint_steps": 2,
}  # fmt: skip


def lessons(num: int = 24) -> Lessons:
    """Entities with names of letters, other names that have nothing in common with them, facts in a ring, questions."""
    names = [f"{chr(97 + i)}{chr(98 + i)}{chr(97 + i)} {chr(120 - i)}{chr(121 - i)}" for i in range(num)]
    facts = np.array([[i, i % 2, (i + 1) % num] for i in range(num)])
    return Lessons(
        entities=names,
        relations=["taught", "born in"],
        facts=facts,
        aliases=[(f"no. {i:03d}", i) for i in range(num)],
        questions=[(f"who was it that {name} knew?", (i,)) for i, name in enumerate(names)],
    )


def options(**changes) -> ContrastiveOptions:
    return ContrastiveOptions(**(OPTIONS | changes))


def test_the_loss_is_what_a_naive_loop_makes_of_it():
    torch.manual_seed(0)
    queries, candidates = (torch.nn.functional.normalize(torch.randn(n, 5), dim=1) for n in (3, 6))
    barred = np.random.default_rng(0).random((3, 6)) < 0.4
    barred[np.arange(3), np.arange(3)] = False
    expected = 0.0
    for i in range(3):
        exponents = [float(queries[i] @ candidates[j]) / 0.1 for j in range(6) if not barred[i, j]]
        expected += -float(queries[i] @ candidates[i]) / 0.1 + np.log(np.sum(np.exp(exponents)))
    assert contrast(queries, candidates, barred, 0.1).item() == pytest.approx(expected / 3, rel=1e-5)


def test_facts_are_composed_as_their_memory_composes_them(monkeypatch):
    torch.manual_seed(0)
    encoder, batches = TextEncoder(**SIZES), Batches(lessons(), 50, 0)
    batch = batches.facts(0, 4)
    seen = []
    monkeypatch.setattr(contrastive, "contrast", lambda queries, candidates, barred, t: seen.append(candidates))
    contrastive._facts_loss(encoder, batches, batch, 0.05)
    texts = batches.lessons.entities, batches.lessons.relations, batches.lessons.entities
    for fact, found in zip(batch.facts.tolist(), seen[0], strict=True):
        total = sum(encoder([texts[part][row]])[0] for part, row in enumerate(fact))
        torch.testing.assert_close(found, total / total.norm(), atol=1e-5, rtol=0)


def alias_recall(encoder: TextEncoder) -> float:
    known = lessons()
    with torch.inference_mode():
        scores = encoder([alias for alias, _ in known.aliases]) @ encoder(list(known.entities)).T
    return float(np.mean(scores.argmax(1).numpy() == np.arange(len(known.entities))))


def test_other_names_are_learned(tmp_path):
    torch.manual_seed(0)
    before = alias_recall(TextEncoder(**SIZES).eval())
    scores = fit(lessons(), SIZES, options(steps=60), folder=tmp_path, seed=0, device="cpu", about={"from": "here"})
    encoder, about = load_encoder(tmp_path)
    assert before < 0.3
    assert alias_recall(encoder) > 0.8
    assert about["from"] == "here"
    assert about["scores"] == scores
    assert scores["embedder"].startswith("transformer-")
    assert 0 <= scores["typo_recall_hashing"] <= 1
    assert {path.name for path in tmp_path.iterdir()} == {"encoder.safetensors", "encoder.json"}


def train(folder, **changes):
    return fit(lessons(), SIZES, options(**changes), folder=folder, seed=3, device="cpu")


def interrupted(folder, monkeypatch, *, after: int) -> None:
    """A training that is stopped in the middle of a step."""
    real, left = contrastive._names_loss, [after]

    def stopped(*arguments):
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(contrastive, "_names_loss", stopped)
        with pytest.raises(KeyboardInterrupt):
            train(folder)


@pytest.mark.parametrize("after", [1, 3, 4])
def test_an_interrupted_training_ends_with_the_weights_of_an_uninterrupted_one(tmp_path, monkeypatch, caplog, after):
    whole = train(tmp_path / "whole")
    interrupted(tmp_path / "parts", monkeypatch, after=after)
    assert not (tmp_path / "parts" / "encoder.json").exists()
    torch.manual_seed(99)  # what was drawn in between does not matter
    with caplog.at_level("INFO"):
        assert train(tmp_path / "parts") == whole
    assert (f"goes on at step {after // 2 * 2}" in caplog.text) == (after >= 2)
    one, two = (load_file(tmp_path / name / "encoder.safetensors") for name in ("whole", "parts"))
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert not (tmp_path / "parts" / "training.safetensors").exists()


def test_what_is_left_of_another_training_is_not_gone_on_with(tmp_path, monkeypatch, caplog):
    interrupted(tmp_path, monkeypatch, after=4)
    train(tmp_path, steps=3)
    assert "of another training" in caplog.text
    assert load_encoder(tmp_path)[1]["scores"] == train(tmp_path.parent / "other", steps=3)


def test_a_finished_encoder_is_left_as_it_is(tmp_path, caplog):
    first = train(tmp_path)
    bytes_before = (tmp_path / "encoder.safetensors").read_bytes()
    with caplog.at_level("INFO"):
        assert train(tmp_path) == first
    assert "is trained already" in caplog.text
    with pytest.raises(InputError, match=r"holds an encoder that was trained on other lessons.*out=DIR"):
        train(tmp_path, steps=7)
    assert (tmp_path / "encoder.safetensors").read_bytes() == bytes_before


def test_trainings_that_cannot_be(tmp_path):
    empty = Lessons(["a"], ["r"], np.empty((0, 3), np.int64))
    with pytest.raises(InputError, match="no facts to learn from"):
        fit(empty, SIZES, options(), folder=tmp_path, seed=0)
    for name in OPTIONS:
        with pytest.raises(ConfigError, match=rf"training\.{name} is 0"):
            options(**{name: 0})
    with pytest.raises(ModelError, match=r"the loss of step \d is .*lower training\.learning_rate"):
        train(tmp_path, learning_rate=1e38)
