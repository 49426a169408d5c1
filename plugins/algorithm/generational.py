"""The generational genetic algorithm."""

import numpy as np

from fooldeap.plugin import Annotated, Evolution, Ge, InputError, Le, Rng, Toolbox, algorithm

from ._breeding import vary, write_back


@algorithm("generational")
def generational(
    toolbox: Toolbox,
    rng: Rng,
    *,
    population: Annotated[int, Ge(2)] = 100,
    crossover_rate: Annotated[float, Ge(0), Le(1)] = 1.0,
    mutation_rate: Annotated[float, Ge(0), Le(1)] = 1.0,
    elites: Annotated[int, Ge(0)] = 1,
) -> Evolution:
    """Replace the population by children in every generation, except for the ``elites`` best.

    This is the generational genetic algorithm (Holland 1975; De Jong 1975). Parents are selected from ``population``
    individuals and paired at random. Each pair is crossed with probability ``crossover_rate``. Then each child is
    mutated with probability ``mutation_rate``. The ``elites`` fittest individuals survive unchanged.
    """
    if elites >= population:
        raise InputError(f"elites: got {elites}, expected fewer than the population of {population}")
    genomes = toolbox.sample(population)
    while True:
        reply = yield genomes
        fittest = np.argsort(-reply.fitness, kind="stable")[:elites]
        parents = rng.permutation(toolbox.select(reply.fitness, population - elites, genomes))
        genomes = toolbox.take(genomes, np.concatenate([fittest, parents]))
        children = genomes[elites:]
        write_back(genomes, elites, vary(toolbox, rng, children, crossover_rate, mutation_rate), children)
