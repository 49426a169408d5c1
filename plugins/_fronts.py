"""Better in several respects at once: fronts, and how lonely a place on one is."""

import numpy as np

from fooldeap.plugin import Array


def fronts(fitness: Array) -> Array:
    """Return the front (n,) of each row of a fitness (n, k): 0 where no other is better (Deb et al. 2002).

    One is better than another where it is as good in every objective, and better in one.
    """
    as_good = np.ones((len(fitness), len(fitness)), np.bool_)
    for values in fitness.T:
        as_good &= values[:, None] >= values
    better = as_good & ~as_good.T
    found, above = np.full(len(fitness), -1), better.sum(axis=0)  # above: how many better ones have no front yet
    front = 0
    while (found < 0).any():
        members = np.flatnonzero((found < 0) & (above == 0))
        found[members] = front
        above -= better[members].sum(axis=0)
        front += 1
    return found


def crowding(fitness: Array, found: Array) -> Array:
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
