"""Genomes as points in a vector space, for algorithms that use arithmetic."""

import numpy as np
from numpy.typing import NDArray

from fooldeap.plugin import Array, InputError, Reply, Toolbox

from .._grey import as_genes

MAX_SAMPLES = 100  # genomes sampled to find the start of the search; none of them is evaluated
MAX_VALUES = 10_000_000  # limit of all their genes together


class Space:
    """The vector space of the genomes of a run.

    Attributes
    ----------
    mean, spread : float64 (d,)
        Mean and standard deviation of each gene in sampled genomes. They define the start of a search. If the run
        starts from images, the mean is that of their genomes.
    """

    def __init__(self, toolbox: Toolbox, algorithm: str) -> None:
        genomes = toolbox.sample(1)
        if not isinstance(genomes, np.ndarray):
            raise InputError(
                f"{algorithm} needs a genome that is an array of numbers; use the genome 'dct' or 'pixels'"
            )
        self._shape, self._dtype, self._bounds = genomes.shape[1:], genomes.dtype, toolbox.bounds
        points = self.points(toolbox.sample(max(2, min(MAX_SAMPLES, MAX_VALUES // max(1, genomes.size)))))
        start = getattr(toolbox, "start", None)
        self.mean: NDArray[np.float64] = (points if start is None else self.points(start)).mean(axis=0)
        # A gene that is constant in the samples gets the largest spread of the others.
        spread = points.std(axis=0)
        self.spread: NDArray[np.float64] = np.where(spread > 0, spread, spread.max() or 1.0)

    def points(self, genomes: Array) -> NDArray[np.float64]:
        """Convert genomes to points, float64 (n, d)."""
        return genomes.reshape(len(genomes), -1).astype(np.float64)

    def genomes(self, points: NDArray[np.float64]) -> Array:
        """Convert points to genomes: clip to the bounds, and round if the genes are not real numbers."""
        return as_genes(self.clip(points), self._dtype).reshape(len(points), *self._shape)

    def clip(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Clip points to the bounds of the genome, if it has any."""
        return points if self._bounds is None else np.clip(points, *self._bounds)

    def fitness(self, reply: Reply) -> NDArray[np.float64]:
        """Return the fitness for the target of the run, (n,)."""
        fitness: NDArray[np.float64] = reply.fitness
        return fitness
