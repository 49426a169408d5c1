"""Confidence."""

from fooldeap.plugin import Array, Predictions, fitness


@fitness("confidence")
def confidence(predictions: Predictions, target: int) -> Array:
    """Score the confidence in the target class, from 0 to 1 (Nguyen, Yosinski and Clune 2015).

    Close to 0 and 1, rounding makes different images equal. ``cross_entropy`` gives the same order without this
    problem.
    """
    return predictions.probabilities[:, target]
