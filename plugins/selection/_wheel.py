"""What the selections share that turn a wheel."""

import numpy as np

from fooldeap.plugin import Array, Rng


def windowed(fitness: Array) -> Array:
    """Return shares in proportion to fitness, or to the distance to the worst where any is negative.

    Where all are equal, so are the shares. The largest is 1, so that huge values do not overflow in a sum.
    """
    least = min(fitness.min(), 0.0)
    scale = max(fitness.max(), -least)
    if scale == 0:
        return np.ones(len(fitness))
    shares = fitness / scale - least / scale
    largest = shares.max()
    return shares / largest if largest > 0 else np.ones(len(fitness))


def by_rank(fitness: Array, shares: Array) -> Array:
    """Return ``shares``, given from the worst to the best, in the order of ``fitness``; equals share theirs alike."""
    _, place, counts = np.unique(fitness, return_inverse=True, return_counts=True)
    starts = np.cumsum(counts) - counts
    averaged: Array = (np.add.reduceat(shares, starts) / counts)[place]
    return averaged


def spin(shares: Array, count: int, rng: Rng) -> Array:
    """Turn a wheel ``count`` times, each time with one ball."""
    return _stopped_at(shares, rng.random(count))


def spin_once(shares: Array, count: int, rng: Rng) -> Array:
    """Turn a wheel once, with ``count`` balls at equal distances; return where they lie, shuffled."""
    return rng.permutation(_stopped_at(shares, (np.arange(count) + rng.random()) / max(count, 1)))


def _stopped_at(shares: Array, angles: Array) -> Array:
    wheel = np.cumsum(shares)
    last = np.flatnonzero(shares)[-1]  # rounding must not lead to one that has no share
    places: Array = np.searchsorted(wheel, angles * wheel[-1], side="right").clip(max=last)
    return places
