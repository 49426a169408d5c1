"""Margin between logits."""

import numpy as np

from fooldeap.plugin import Array, Predictions, fitness


@fitness("margin")
def margin(predictions: Predictions, target: int) -> Array:
    """Score the logit of the target minus the largest other logit.

    A score above 0 means that the classifier predicts the target. This is f_6 of Carlini and Wagner (2017) with the
    opposite sign.
    """
    logits = predictions.logits.astype(np.float64)
    own = logits[:, target].copy()
    logits[:, target] = -np.inf
    difference: Array = own - logits.max(axis=1)
    return difference
