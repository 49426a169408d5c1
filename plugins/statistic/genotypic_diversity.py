"""Differences between genomes."""

import numpy as np

from fooldeap.plugin import Array, statistic


@statistic("genotypic_diversity")
def genotypic_diversity(genomes: Array, fitness: Array) -> float:
    """Compute the mean Euclidean distance between the genomes and their mean.

    This is the distance-to-average-point measure of Ursem (2002), without its division by the diagonal of the search
    space.
    """
    points = genomes.reshape(len(genomes), -1).astype(np.float64)
    return float(np.linalg.norm(points - points.mean(axis=0), axis=1).mean())
