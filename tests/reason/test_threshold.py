"""Where a reasoner had better abstain."""

import pytest
import torch

from kgqa.reason.threshold import abstention_threshold


def test_the_threshold_parts_right_answers_from_questions_without_one() -> None:
    confidence = torch.tensor([0.9, 0.8, 0.3, 0.2, 0.1])
    right = torch.tensor([True, True, True, False, False])
    answerable = torch.tensor([True, True, True, False, False])
    for share, threshold in ((0.0, 0.0), (0.5, 0.1), (0.7, 0.2), (1.0, 0.2)):
        found = abstention_threshold(confidence, right, answerable, share=share)
        assert found == pytest.approx(threshold)
        assert float((confidence[~answerable] <= found).float().mean()) >= share
    for unknown, threshold in ((2, 0.1), (8, 0.0)):  # 0.6 of 4 and of 10, of which so many are refused already
        found = abstention_threshold(confidence, right, answerable, share=0.6, num_unknown=unknown)
        assert found == pytest.approx(threshold)
    assert 0 < abstention_threshold(confidence[:3], right[:3], answerable[:3], share=0.7) < 0.3
