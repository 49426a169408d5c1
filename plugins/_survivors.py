"""Survivor selection of the student project."""

import numpy as np

from fooldeap.plugin import Array, Rng


def select_survivors(fitness: Array, best: int, lucky: float, rng: Rng) -> Array:
    """Return the indices of the individuals that survive.

    The ``best`` fittest survive. Each of the others survives with probability ``lucky``.
    """
    order = np.argsort(-fitness, kind="stable")
    chosen: Array = np.concatenate([order[:best], order[best:][rng.random(len(order) - best) < lucky]])
    return chosen
