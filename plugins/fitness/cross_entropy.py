"""The negative cross-entropy."""

from fooldeap.plugin import Array, Predictions, fitness


@fitness("cross_entropy")
def cross_entropy(predictions: Predictions, target: int) -> Array:
    """Score log p(target), the negative softmax loss: at most 0.

    It tells images apart also where the confidence is 0 or 1 to the last bit. Computed by log-sum-exp in float64.
    """
    return predictions.log_probabilities[:, target]
