"""Whom the student project keeps."""

import numpy as np

from fooldeap.plugin import Array, Rng


def kept(fitness: Array, best: int, lucky: float, rng: Rng) -> Array:
    """Return the indices of the ``best`` fittest and, each with probability ``lucky``, of the others."""
    order = np.argsort(-fitness, kind="stable")
    chosen: Array = np.concatenate([order[:best], order[best:][rng.random(len(order) - best) < lucky]])
    return chosen
