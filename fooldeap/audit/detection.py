"""Scores that could detect fooling images by a threshold, and how well each of them does.

Every score is meant to be high for real images. The scores are the maximum softmax probability (Hendrycks and Gimpel
2017), the margin between the two highest logits, the negative entropy, the energy (Liu et al. 2020), and the negative
distance to the k-th nearest real image (Sun et al. 2022). Distances are measured between the features before the last
layer, scaled to norm 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fooldeap.plugin import Array, Predictions
from fooldeap.results import SOFTMAX

Floats = NDArray[np.float64]

SCORES = ("confidence", "margin", "entropy", "energy", "distance")
REFUSED = 0.95  # share of the fooling images that the threshold refuses
MIN_FOOLING = 5  # fooling images needed for an AUROC: with fewer, chance could give an AUROC of 1, see `max_error`
MIN_FOR_THRESHOLD = 20  # fooling images needed for a threshold: 95 % of fewer would be all of them
NEIGHBOURS = 10
_MIN_ENERGY_RANGE = 1e-3  # if a classifier returns probabilities, the energy is 0 for every image


@dataclass(frozen=True)
class DetectionScore:
    """How well a score separates fooling images from real ones.

    Attributes
    ----------
    auroc : the probability that a real image has a higher score than a fooling image
    threshold : images with at most this score are refused; it is the lowest threshold that refuses 95 % of the fooling
        images. None if there are fewer than 20 fooling images
    real_refused : the share of the real images that the threshold refuses; None without a threshold
    """

    auroc: float
    threshold: float | None
    real_refused: float | None


def compute_scores(logits: NDArray[np.float32], confidence_kind: str = SOFTMAX) -> dict[str, Floats]:
    """Return the scores that follow from logits (n, classes), each float64 (n,), by name.

    The energy is left out if it is the same for all images, as for a classifier that returns probabilities.
    """
    predictions = Predictions(logits, np.empty((len(logits), 0, 0, 0), np.uint8), confidence_kind)
    log_probabilities, probabilities = predictions.log_probabilities, predictions.probabilities
    exact = logits.astype(np.float64)
    ascending = np.sort(exact, axis=1)
    scores = {
        "confidence": log_probabilities.max(axis=1),  # the logarithm gives the same order
        "margin": ascending[:, -1] - ascending[:, -2],
        "entropy": (probabilities * log_probabilities).sum(axis=1),  # the negative entropy
    }
    energy = ascending[:, -1] + np.log(np.exp(exact - ascending[:, -1:]).sum(axis=1))
    flat = confidence_kind == "probability" or np.ptp(energy) < _MIN_ENERGY_RANGE
    return scores if flat else {**scores, "energy": energy}


def compute_distances(features: Array, reference: Array) -> Floats:
    """Return the negative distance of each row of features (n, d) to its 10th nearest row of reference (m, d), (n,)."""
    rows, others = _normalise(features), _normalise(reference)
    nearest = min(NEIGHBOURS, len(others)) - 1
    squares = np.maximum(2 - 2 * rows @ others.T, 0)
    negative: Floats = -np.sqrt(np.partition(squares, nearest, axis=1)[:, nearest])
    return negative


def _normalise(features: Array) -> Floats:
    rows: Floats = features.reshape(len(features), -1).astype(np.float64)
    norms: Floats = np.sqrt(np.square(rows).sum(axis=1, keepdims=True))
    return np.asarray(rows / np.maximum(norms, np.finfo(float).tiny))


def auroc(real: Floats, fooling: Floats) -> float:
    """Return the Mann-Whitney U of the real scores divided by the number of pairs; ties count half."""
    both = np.concatenate([real, fooling])
    _, positions, counts = np.unique(both, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[positions]
    u = ranks[: len(real)].sum() - len(real) * (len(real) + 1) / 2
    return float(u / (len(real) * len(fooling)))


def verdict(real: Floats, fooling: Floats) -> DetectionScore:
    """Return how well a score separates real images from fooling images; both arrays are (n,)."""
    if len(fooling) < MIN_FOR_THRESHOLD:
        return DetectionScore(auroc(real, fooling), None, None)
    threshold = float(np.sort(fooling)[_count_refused(len(fooling)) - 1])
    return DetectionScore(auroc(real, fooling), threshold, float(np.mean(real <= threshold)))


def _count_refused(count: int) -> int:
    return int(np.ceil(REFUSED * count))


def min_refused(count: int) -> float:
    """Return the share of similar images that a threshold refuses at least, with 95 % confidence.

    The threshold was set on ``count`` images. It is an order statistic of their scores. The share of the distribution
    below an order statistic follows a beta distribution, whatever the scores are (Wilks 1941).
    """
    from scipy.stats import beta

    return float(beta.ppf(0.05, _count_refused(count), count - _count_refused(count) + 1))


def max_error(count: int) -> float:
    """Return the possible error of an AUROC or a share of ``count`` images: twice the largest standard error.

    For an AUROC, ``count`` is the smaller of the two numbers of images. Its variance, and that of a share, is at most
    1 / (4 count) (Birnbaum and Klose 1957).
    """
    return float(1 / np.sqrt(count))


def verdicts(real: Mapping[str, Floats], fooling: Mapping[str, Floats]) -> dict[str, DetectionScore]:
    """Return verdicts by score, in the order of `SCORES`: on all scores that both have, from 5 fooling images on."""
    both = [name for name in SCORES if name in real and len(fooling.get(name, ())) >= MIN_FOOLING]
    return {name: verdict(real[name], fooling[name]) for name in both}
