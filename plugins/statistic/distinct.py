"""The number of distinct genomes."""

from fooldeap.plugin import Array, statistic


@statistic("distinct")
def distinct(genomes: Array, fitness: Array) -> int:
    """Count the distinct genomes.

    A small number means that the population has converged.
    """
    return len({genome.tobytes() for genome in genomes})
