"""Score of the student project: the inverse softmax loss."""

from typing import Literal

import numpy as np

from fooldeap.plugin import Annotated, Array, Gt, Predictions, fitness


@fitness("softmax_loss")
def softmax_loss(
    predictions: Predictions,
    target: int,
    *,
    scores: Literal["logits", "probabilities"] = "logits",
    cap: Annotated[float, Gt(0)] = 1e15,
) -> Array:
    """Score ``S = 1 / L``, at most ``cap``, where ``L = -f_t + log(sum_i exp(f_i))`` is the softmax loss.

    ``t`` is the target. ``scores`` selects the meaning of ``f``. With ``logits``, the formula is used as intended: S
    rises from 0 without limit, and is ``cap`` where L underflows to 0. With ``probabilities``, S has the scale of the
    table that the student project published. For ten classes, S is then between 1 / log(e + 9) = .406, where another
    class is certain, and 1 / (log(e + 9) - 1) = .684, where the target is certain. L is computed by log-sum-exp in
    float64.
    """
    if scores == "logits":
        loss = -predictions.log_probabilities[:, target]
    else:
        f = predictions.probabilities
        loss = np.log(np.exp(f).sum(axis=1)) - f[:, target]
    return 1 / np.maximum(loss, 1 / cap)
