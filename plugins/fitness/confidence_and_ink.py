"""Two objectives: high confidence, little ink."""

from typing import Literal

import numpy as np

from fooldeap.plugin import Annotated, Array, Ge, Images, Le, Predictions, fitness


@fitness("confidence_and_ink", objectives=("log p", "-ink"))
def confidence_and_ink(
    predictions: Predictions,
    target: int,
    *,
    ink: Literal["sum", "variation"] = "sum",
    paper: Annotated[int, Ge(0), Le(255)] = 0,
) -> Array:
    """Score two objectives: log p(target), and the negative amount of ink, so little ink is better.

    With ``ink: sum``, the ink is the mean distance of the values from the grey value ``paper``, as a share of the
    largest possible distance. With ``ink: variation``, it is the total variation: the mean difference between
    neighbours in rows and columns, as a share of 255 (anisotropic; Rudin, Osher and Fatemi 1992). The scores have the
    shape (n, 2), and larger is better for both. Goals and figures use the first objective.
    """
    amount = _distance(predictions.images, paper) if ink == "sum" else _variation(predictions.images)
    return np.stack([predictions.log_probabilities[:, target], -amount], axis=1)


def _distance(images: Images, paper: int) -> Array:
    distances = np.abs(images.astype(np.int16) - paper)
    share: Array = distances.mean(axis=(1, 2, 3)) / max(paper, 255 - paper)
    return share


def _variation(images: Images) -> Array:
    """Return the mean difference between neighbours as a share of 255. It is 1 for a chessboard."""
    grey = images.astype(np.int16)
    steps = [np.abs(np.diff(grey, axis=axis)) for axis in (1, 2)]
    pairs = sum(each[:1].size for each in steps) or 1
    share: Array = np.sum([each.sum(axis=(1, 2, 3)) for each in steps], axis=0) / (255.0 * pairs)
    return share
