"""Better in several respects at once: fronts, and how lonely a place on one is. Larger is better in every objective."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def fronts(fitness: NDArray[Any]) -> NDArray[np.intp]:
    """Return the front (n,) of each row of a fitness (n, k): 0 where no other is better (Deb et al. 2002).

    One is better than another where it is as good in every objective, and better in one.
    """
    as_good_as = as_good(fitness, fitness)
    better = as_good_as & ~as_good_as.T
    found, above = np.full(len(fitness), -1), better.sum(axis=0)  # above: how many better ones have no front yet
    front = 0
    while (found < 0).any():
        members = np.flatnonzero((found < 0) & (above == 0))
        found[members] = front
        above -= better[members].sum(axis=0)
        front += 1
    return found


def best(fitness: NDArray[Any]) -> NDArray[np.intp]:
    """Return which rows of a fitness (n, k) are on the best front, of equal ones the first."""
    found = as_good(fitness, fitness)
    equal_and_before = np.triu(found & found.T, 1)
    return np.flatnonzero(~(found & ~found.T | equal_and_before).any(axis=0))


def as_good(one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.bool_]:
    """Tell for each row of one fitness (m, k) whether it is as good in every objective as each of another: (m, n)."""
    found = np.ones((len(one), len(other)), np.bool_)
    for ours, theirs in zip(one.T, other.T, strict=True):
        found &= ours[:, None] >= theirs
    return found


def crowding(fitness: NDArray[Any], found: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the crowding distance (n,) within each front: how far a row's neighbours are apart (Deb et al. 2002).

    In each objective the distance of the next higher from the next lower one as a share of the front's range, summed;
    infinite for those at an end.
    """
    distances = np.zeros(len(fitness))
    for objective in fitness.T:
        order = np.lexsort((objective, found))  # front by front, in each from the lowest
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
