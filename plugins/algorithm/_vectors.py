"""Genomes as points in space, for the algorithms that move by their own arithmetic."""

import numpy as np
from numpy.typing import NDArray

from fooldeap.plugin import Array, InputError, Reply, Toolbox

from .._grey import as_genes

SAMPLES = 100  # genomes that tell where the search begins; none of them is evaluated
VALUES = 10_000_000  # of them, at most


class Space:
    """The space of a run's genomes.

    Attributes
    ----------
    mean, spread : float64 (d,)
        Mean and standard deviation of genomes as they are sampled: where a search begins, and how far around it looks.
    """

    def __init__(self, toolbox: Toolbox, algorithm: str) -> None:
        genomes = toolbox.sample(1)
        if not isinstance(genomes, np.ndarray):
            raise InputError(f"{algorithm} works on genomes that are arrays of numbers; use 'dct' or 'pixels'")
        self.algorithm = algorithm
        self._shape, self._dtype, self._bounds = genomes.shape[1:], genomes.dtype, toolbox.bounds
        points = self.points(toolbox.sample(max(2, min(SAMPLES, VALUES // max(1, genomes.size)))))
        self.mean: NDArray[np.float64] = points.mean(axis=0)
        # Genes that are always the same have no spread of their own, and get that of the others.
        spread = points.std(axis=0)
        self.spread: NDArray[np.float64] = np.where(spread > 0, spread, spread.max() or 1.0)

    def points(self, genomes: Array) -> NDArray[np.float64]:
        """Return genomes as points float64 (n, d)."""
        return genomes.reshape(len(genomes), -1).astype(np.float64)

    def genomes(self, points: NDArray[np.float64]) -> Array:
        """Return points as genomes: within their bounds, and rounded where genes are no real numbers."""
        return as_genes(self.within(points), self._dtype).reshape(len(points), *self._shape)

    def within(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return points moved to the nearest within the genome's bounds, if it has any."""
        return points if self._bounds is None else np.clip(points, *self._bounds)

    def fitness(self, reply: Reply) -> NDArray[np.float64]:
        """Return the fitness (n,) for the run's target."""
        fitness: NDArray[np.float64] = reply.fitness
        if fitness.ndim > 1:
            raise InputError(f"{self.algorithm} goes by one number an image; this fitness gives {fitness.shape[1]}")
        return fitness
