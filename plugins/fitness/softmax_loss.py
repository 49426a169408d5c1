"""The student project's score: one over the softmax loss."""

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
    """Score ``S = 1 / L`` of the softmax loss ``L = -f_t + log(sum_i exp(f_i))``, at most ``cap``.

    ``t`` is the target. ``scores`` says what ``f`` is: ``logits``, the formula as meant, where S rises from 0 without
    end and ``cap`` stands in where L underflows to 0; or ``probabilities``, the scale of the table that the student
    project published, where S lies between 1 / log(e + 9) = .406 (another of ten classes is certain) and
    1 / (log(e + 9) - 1) = .684 (the target is certain). L is computed by log-sum-exp in float64.
    """
    if scores == "logits":
        loss = -predictions.log_probabilities[:, target]
    else:
        f = predictions.probabilities
        loss = np.log(np.exp(f).sum(axis=1)) - f[:, target]
    return 1 / np.maximum(loss, 1 / cap)
