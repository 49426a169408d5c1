"""Negative cross-entropy."""

from fooldeap.plugin import Array, Predictions, fitness


@fitness("cross_entropy")
def cross_entropy(predictions: Predictions, target: int) -> Array:
    """Score log p(target), which is the negative softmax loss and at most 0.

    It distinguishes images even where the confidence is rounded to 0 or 1. It is computed by log-sum-exp in float64.
    """
    return predictions.log_probabilities[:, target]
