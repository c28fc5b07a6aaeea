"""Dev scores of a trained reasoner, and the confidence below which it had better abstain."""

import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from kgqa.reason.examples import Batch
from kgqa.reason.loss import set_counts
from kgqa.reason.reasoner import Reasoning, confidence


@torch.inference_mode()
def dev_scores(
    answer: Callable[[Batch], Reasoning], batches: Iterable[Batch], *, share: float, num_unknown: int
) -> dict[str, float]:
    """hits@1 and set F1 of the questions with answers, and the threshold (see `abstention_threshold`)."""
    sure, right, answerable = [], [], []
    f1: list[float] = []
    for batch in batches:
        reasoning = answer(batch)
        answers = reasoning.answers
        hits, each_f1 = set_counts(answers, batch)
        has_gold = torch.bincount(batch.gold_question, minlength=answers.shape[1]) > 0
        correct = torch.zeros(len(has_gold), dtype=torch.bool)
        correct[has_gold] = hits.bool().cpu()
        sure.append(confidence(answers.max(0).values, reasoning.stops, batch.walks.question).cpu())
        right.append(correct)
        answerable.append(has_gold.cpu())
        f1 += each_f1.tolist()
    known = torch.cat(answerable)
    threshold = abstention_threshold(torch.cat(sure), torch.cat(right), known, share=share, num_unknown=num_unknown)
    return {
        "dev_hits1": float(torch.cat(right)[known].float().mean()) if known.any() else 0.0,
        "dev_f1": sum(f1) / max(len(f1), 1),
        "abstain_below": threshold,
    }


def abstention_threshold(
    confidence: Tensor, right: Tensor, answerable: Tensor, *, share: float, num_unknown: int = 0
) -> float:
    """The confidence up to which to abstain, `[n]` each: the lowest that refuses `share` of the unanswerable questions.

    `num_unknown` more of these are refused in any case, since nothing that they name is known. Without any unanswerable
    question it is half of what all but one right answer in a hundred have.
    """
    if answerable.all():
        sure = confidence[right].sort().values
        return float(sure[len(sure) // 100]) * 0.5 if len(sure) else 0.0
    doubtful = confidence[~answerable].sort().values
    refused = math.ceil(share * (len(doubtful) + num_unknown)) - num_unknown
    return float(doubtful[refused - 1]) if refused > 0 else 0.0
