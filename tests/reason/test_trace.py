"""A trace says what the reasoner did: weights that sum as they should, over the words that were asked."""

import pytest
import torch

from kgqa.graph.subgraph import TripleTable
from kgqa.reason.predict import Predictor
from kgqa.reason.tokens import PLACEHOLDER
from kgqa.reason.trace import trace
from tests.reason.test_predict import QUESTIONS, SETTINGS


@pytest.fixture
def predictor(toy: TripleTable) -> Predictor:
    torch.manual_seed(0)
    return Predictor(SETTINGS.build(), SETTINGS, toy)


def test_there_is_a_trace_for_each_topic_and_its_weights_add_up(predictor: Predictor, toy: TripleTable) -> None:
    found = list(trace(predictor, QUESTIONS, batch_size=2))
    assert [len(walks) for walks in found] == [1, 2, 1, 1, 0]
    for walks in found:
        for walk in walks:
            assert PLACEHOLDER in walk.tokens
            assert len(walk.hops) == predictor.reasoner.max_hops
            assert sum(hop.ends for hop in walk.hops) == pytest.approx(1, abs=1e-5)
            for hop in walk.hops:
                assert len(hop.attention) == len(walk.tokens)
                assert sum(hop.attention) == pytest.approx(1, abs=1e-5)
                assert all(text in toy.relation_texts for text, *_ in hop.relations)
                weights = [weight for *_, weight in hop.relations]
                assert weights == sorted(weights, reverse=True)
                assert sum(weights) <= 1 + 1e-5
                assert len(hop.memory) == SETTINGS.sizes["num_slots"]
                assert all(0 <= usage <= 1 for usage in hop.memory)


def test_looking_changes_nothing_and_leaves_nothing_behind(predictor: Predictor) -> None:
    before = predictor.predict(QUESTIONS)
    assert len(list(trace(predictor, QUESTIONS))) == len(QUESTIONS)
    assert predictor.predict(QUESTIONS) == before
    assert not predictor.reasoner.instructions._forward_hooks
