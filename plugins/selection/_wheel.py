"""Roulette wheels, shared by several selections."""

import numpy as np

from fooldeap.plugin import Array, Rng


def proportional_shares(fitness: Array) -> Array:
    """Return the size of each individual's segment of the wheel, at most 1.

    Segments are proportional to the fitness or, if a fitness is negative, to the distance to the worst fitness. If all
    fitness values are equal, so are the segments. The scale prevents overflow in the sum.
    """
    least = min(fitness.min(), 0.0)
    scale = max(fitness.max(), -least)
    if scale == 0:
        return np.ones(len(fitness))
    shares = fitness / scale - least / scale
    largest = shares.max()
    return shares / largest if largest > 0 else np.ones(len(fitness))


def rank_shares(fitness: Array, shares: Array) -> Array:
    """Assign ``shares``, which are sorted from the worst to the best rank, to the individuals.

    Individuals with equal fitness get the mean of their shares.
    """
    _, rank, counts = np.unique(fitness, return_inverse=True, return_counts=True)
    starts = np.cumsum(counts) - counts
    averaged: Array = (np.add.reduceat(shares, starts) / counts)[rank]
    return averaged


def spin(shares: Array, count: int, rng: Rng) -> Array:
    """Draw ``count`` individuals independently, with probabilities proportional to ``shares``."""
    return _find_segments(shares, rng.random(count))


def spin_once(shares: Array, count: int, rng: Rng) -> Array:
    """Draw ``count`` individuals with one spin of the wheel and equally spaced pointers.

    The result is shuffled.
    """
    return rng.permutation(_find_segments(shares, (np.arange(count) + rng.random()) / max(count, 1)))


def _find_segments(shares: Array, pointers: Array) -> Array:
    wheel = np.cumsum(shares)
    last = np.flatnonzero(shares)[-1]  # rounding must not select an individual without a share
    indices: Array = np.searchsorted(wheel, pointers * wheel[-1], side="right").clip(max=last)
    return indices
