"""Would a threshold have told fooling images from real ones? Scores that are high for what is real, and how they do.

Each was proposed to accept or refuse images by: the maximum softmax probability (Hendrycks and Gimpel 2017), the margin
between the two highest logits, the entropy, the energy (Liu et al. 2020), and the distance to the k-th nearest real
image in the features before the last layer, each of norm 1 (Sun et al. 2022).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fooldeap.plugin import Array, Predictions

Floats = NDArray[np.float64]

SCORES = ("confidence", "margin", "entropy", "energy", "distance")
CAUGHT = 0.95  # of the fooling images, at the threshold whose price is told
FEWEST = 5  # fooling images judged: of fewer, even an AUROC of 1 may be a coin's, see `off_by`
FEWEST_CAUGHT = 20  # that a threshold is set on: 95 % of fewer are all of them
NEIGHBOURS = 10
_SAME = 1e-3  # of energies that say nothing: of a classifier that gives probabilities they are all 0


@dataclass(frozen=True)
class Verdict:
    """How well a score tells fooling images from real ones.

    Attributes
    ----------
    auroc : the probability that a real image has the higher score than a fooling one
    threshold : the least that lets 95 % of the fooling images be refused, those that do not exceed it; None where there
        are fewer than 20 to set it on
    real_refused : the share of the real images that it refuses, too
    """

    auroc: float
    threshold: float | None
    real_refused: float | None


def scores_of(logits: NDArray[np.float32]) -> dict[str, Floats]:
    """Return by name what logits (n, classes) alone give, (n,) float64, higher for what is said to be real."""
    predictions = Predictions(logits, np.empty((len(logits), 0, 0, 0), np.uint8))
    logs, shares = predictions.log_probabilities, predictions.probabilities
    raw = logits.astype(np.float64)
    highest = np.sort(raw, axis=1)
    found = {
        "confidence": logs.max(axis=1),  # its logarithm, which orders images alike
        "margin": highest[:, -1] - highest[:, -2],
        "entropy": (shares * logs).sum(axis=1),  # less the entropy
    }
    energy = highest[:, -1] + np.log(np.exp(raw - highest[:, -1:]).sum(axis=1))
    return found if np.ptp(energy) < _SAME else {**found, "energy": energy}


def distances(features: Array, reference: Array) -> Floats:
    """Return less the distance of each row of features (n, d) to the 10th nearest of the reference (m, d), (n,)."""
    own, others = _of_norm_one(features), _of_norm_one(reference)
    nearest = min(NEIGHBOURS, len(others)) - 1
    squares = np.maximum(2 - 2 * own @ others.T, 0)
    found: Floats = -np.sqrt(np.partition(squares, nearest, axis=1)[:, nearest])
    return found


def _of_norm_one(features: Array) -> Floats:
    rows: Floats = features.reshape(len(features), -1).astype(np.float64)
    norms: Floats = np.sqrt(np.square(rows).sum(axis=1, keepdims=True))
    return np.asarray(rows / np.maximum(norms, np.finfo(float).tiny))


def auroc(real: Floats, fooling: Floats) -> float:
    """Return the Mann-Whitney U of real over fooling scores, as a share of all pairs; ties count half."""
    both = np.concatenate([real, fooling])
    _, places, counts = np.unique(both, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]
    u = ranks[: len(real)].sum() - len(real) * (len(real) + 1) / 2
    return float(u / (len(real) * len(fooling)))


def verdict(real: Floats, fooling: Floats) -> Verdict:
    """Return how well a score tells them apart."""
    if len(fooling) < FEWEST_CAUGHT:
        return Verdict(auroc(real, fooling), None, None)
    threshold = float(np.sort(fooling)[_caught(len(fooling)) - 1])
    return Verdict(auroc(real, fooling), threshold, float(np.mean(real <= threshold)))


def _caught(count: int) -> int:
    return int(np.ceil(CAUGHT * count))


def refuses_at_least(count: int) -> float:
    """Return which share of others like them a threshold set on so many refuses at least, with 95 % confidence.

    It stands at an order statistic of theirs, below which lies a share that is beta-distributed whatever the scores are
    (Wilks 1941).
    """
    from scipy.stats import beta

    return float(beta.ppf(0.05, _caught(count), count - _caught(count) + 1))


def off_by(count: int) -> float:
    """Return how far an AUROC, or a share, of so many images may be off: twice the largest standard error.

    The variance of either is at most that of a coin over the fewer of the images (Birnbaum and Klose 1957).
    """
    return float(1 / np.sqrt(count))


def verdicts(real: Mapping[str, Floats], fooling: Mapping[str, Floats]) -> dict[str, Verdict]:
    """Return the verdict on every score that both have, in the order of `SCORES`; none on fewer than 5 images."""
    both = [name for name in SCORES if name in real and len(fooling.get(name, ())) >= FEWEST]
    return {name: verdict(real[name], fooling[name]) for name in both}
