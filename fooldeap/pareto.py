"""Comparison by several objectives: Pareto fronts and crowding distances. Larger is better in every objective."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def fronts(fitness: NDArray[Any]) -> NDArray[np.intp]:
    """Return the index (n,) of the front of each row of a fitness (n, k). 0 is the best front (Deb et al. 2002).

    A row dominates another if it is at least as good in every objective and better in one.
    """
    as_good_as = as_good(fitness, fitness)
    better = as_good_as & ~as_good_as.T
    found, above = np.full(len(fitness), -1), better.sum(axis=0)  # how many rows that dominate it have no front yet
    front = 0
    while (found < 0).any():
        members = np.flatnonzero((found < 0) & (above == 0))
        found[members] = front
        above -= better[members].sum(axis=0)
        front += 1
    return found


def best(fitness: NDArray[Any]) -> NDArray[np.intp]:
    """Return the indices of the rows of a fitness (n, k) on the best front. Of equal rows, keep only the first."""
    found = as_good(fitness, fitness)
    equal_and_before = np.triu(found & found.T, 1)
    return np.flatnonzero(~(found & ~found.T | equal_and_before).any(axis=0))


def as_good(one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.bool_]:
    """Return (m, n): whether a row of ``one`` (m, k) is as good as a row of ``other`` (n, k) in every objective."""
    found = np.ones((len(one), len(other)), np.bool_)
    for ours, theirs in zip(one.T, other.T, strict=True):
        found &= ours[:, None] >= theirs
    return found


def crowding(fitness: NDArray[Any], found: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the crowding distance (n,) of each row within its front (Deb et al. 2002).

    For each objective, it adds the distance between the next higher and the next lower row, divided by the range of the
    front. It is infinite for rows at an end.
    """
    distances = np.zeros(len(fitness))
    for objective in fitness.T:
        order = np.lexsort((objective, found))  # sorted by front, then by value
        values = objective[order]
        lowest = np.flatnonzero(np.diff(found[order], prepend=-1))
        highest = np.append(lowest[1:], len(values))[: len(lowest)] - 1
        extent = np.repeat(values[highest] - values[lowest], highest - lowest + 1)
        apart = np.zeros(len(values))
        apart[1:-1] = values[2:] - values[:-2]
        share = np.divide(apart, extent, out=np.zeros(len(values)), where=extent > 0)
        share[lowest] = share[highest] = np.inf
        distances[order] += share
    return distances
