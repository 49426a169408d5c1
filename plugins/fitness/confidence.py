"""The confidence itself."""

from fooldeap.plugin import Array, Predictions, fitness


@fitness("confidence")
def confidence(predictions: Predictions, target: int) -> Array:
    """Score the softmax probability of the target, from 0 to 1 (Nguyen, Yosinski and Clune 2015).

    Rounding makes equals of images that are very bad or very good; ``cross_entropy`` ranks alike and does not.
    """
    return predictions.probabilities[:, target]
