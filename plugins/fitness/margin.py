"""The margin between logits."""

import numpy as np

from fooldeap.plugin import Array, Predictions, fitness


@fitness("margin")
def margin(predictions: Predictions, target: int) -> Array:
    """Score the target's logit minus the largest of the others.

    Above 0 the image fools (the f_6 of Carlini and Wagner 2017, turned round).
    """
    logits = predictions.logits.astype(np.float64)
    own = logits[:, target].copy()
    logits[:, target] = -np.inf
    difference: Array = own - logits.max(axis=1)
    return difference
