"""What training minimises, and what it is judged by.

For a question with gold set Y and answer weights p the loss is

    - mean_{y in Y} log( p_y / sum_v p_v ) - log |Y|       the set: all of Y alike, and nothing else
    - mean_{y in Y} log p_y                                the certainty: the program behind it is surely the right one

and for a question that the graph cannot answer, - log(1 - max_v p_v) times a weight, since there are few of them.

Where the graph lacks facts, the right walk reaches a share f of Y only, and of the two terms (1 - 2 f) log p is left of
what it gives: below a half that makes it unlikely. There a gold answer may count the less, the less it is reached
beside the best reached one: by v_y = p_y / (p_y + c max_Y p), which has no gradient. Walks that reach next to nothing
yet are compared all the same, since only ratios count.

Both logarithms pass gradients to relation weights in proportion to how much of the answer they explain, however small
the weights are: what makes three unsupervised hops learnable from a random start.
"""

import torch
from torch import Tensor

from kgqa.reason.examples import Batch

_FLOOR = 1e-10
"""Of weights inside logarithms: an answer that no walk reaches gives a bounded loss and no gradient."""


def answer_loss(
    answers: Tensor,
    gold_entity: Tensor,
    gold_question: Tensor,
    *,
    unanswerable_weight: float = 1.0,
    missing_below: float | None = None,
) -> Tensor:
    """Mean loss over the questions of a batch: `answers: [E, Q]`, gold answers in coordinate form `[G], [G]`.

    missing_below: the c from above; None: all gold answers count alike.
    """
    num_questions = answers.shape[1]
    counts = torch.bincount(gold_question, minlength=num_questions)
    total = answers.sum(0).clamp(min=_FLOOR).log()
    reached = answers[gold_entity, gold_question].clamp(min=_FLOOR)
    share = 1 / counts[gold_question]
    if missing_below is not None:
        share = _shares(reached.detach(), gold_question, num_questions, missing_below)
    each = (total[gold_question] - 2 * reached.log()) * share
    loss = answers.new_zeros(num_questions).index_add(0, gold_question, each)
    loss = loss - counts.clamp(min=1).to(loss.dtype).log()
    nothing = -(1 - answers.max(0).values).clamp(min=_FLOOR).log()
    return torch.where(counts > 0, loss, unanswerable_weight * nothing).mean()


def _shares(reached: Tensor, question: Tensor, num_questions: int, below: float) -> Tensor:
    """How much each gold answer counts for its question, `[G]`; those of a question sum to 1."""
    best = reached.new_zeros(num_questions).scatter_reduce(0, question, reached, "amax")
    counted = reached / (reached + below * best[question])
    return counted / counted.new_zeros(num_questions).index_add(0, question, counted)[question]


def set_counts(answers: Tensor, batch: Batch, *, threshold: float = 0.5) -> tuple[Tensor, Tensor]:
    """For each question with answers: was the best one right, and F1 of those above `threshold` times the best."""
    answerable = torch.bincount(batch.gold_question, minlength=answers.shape[1]) > 0
    best = answers.max(0)
    predicted = answers > (threshold * best.values).clamp(min=_FLOOR)
    gold = torch.zeros_like(predicted)
    gold[batch.gold_entity, batch.gold_question] = True
    hits = gold.gather(0, best.indices.unsqueeze(0))[0] & (best.values > 0)
    f1 = 2 * (predicted & gold).sum(0) / (predicted.sum(0) + gold.sum(0)).clamp(min=1)
    return hits[answerable].float(), f1[answerable]
