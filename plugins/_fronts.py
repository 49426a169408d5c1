"""Better in several respects at once: fronts, and how lonely a place on one is."""

import numpy as np

from fooldeap.plugin import Array


def fronts(fitness: Array) -> Array:
    """Return the front (n,) of each row of a fitness (n, k): 0 where no other is better (Deb et al. 2002).

    One is better than another where it is as good in every objective, and better in one.
    """
    as_good: Array = np.all(fitness[:, None] >= fitness[None], axis=2)
    better = as_good & ~as_good.T
    found, front = np.full(len(fitness), -1), 0
    while (found < 0).any():
        left = np.flatnonzero(found < 0)
        found[left[~better[np.ix_(left, left)].any(axis=0)]] = front
        front += 1
    return found


def crowding(fitness: Array, found: Array) -> Array:
    """Return the crowding distance (n,) within each front: how far a row's neighbours are apart (Deb et al. 2002).

    In each objective the distance of the next higher from the next lower one as a share of the front's range, summed;
    infinite for those at an end.
    """
    distances = np.zeros(len(fitness))
    for front in range(found.max(initial=-1) + 1):
        members = np.flatnonzero(found == front)
        for values in fitness[members].T:
            order = np.argsort(values, kind="stable")
            low, high = values[order[0]], values[order[-1]]
            distances[members[order[[0, -1]]]] = np.inf
            if high > low:
                distances[members[order[1:-1]]] += (values[order[2:]] - values[order[:-2]]) / (high - low)
    return distances
