"""The generational genetic algorithm."""

import numpy as np

from fooldeap.plugin import Annotated, Evolution, Ge, InputError, Le, Rng, Toolbox, algorithm

from ._breeding import put, varied


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
    """Replace the population by its children in every generation, except the ``elites``.

    The generational genetic algorithm (Holland 1975; De Jong 1975), of ``population`` individuals. Parents are
    selected, paired at random and crossed with probability ``crossover_rate`` a pair; then each child is mutated with
    probability ``mutation_rate``.
    """
    if elites >= population:
        raise InputError(f"elites: got {elites}, expected fewer than the population of {population}")
    genomes = toolbox.sample(population)
    while True:
        reply = yield genomes
        fittest = np.argsort(-reply.fitness, kind="stable")[:elites]
        parents = rng.permutation(toolbox.select(reply.fitness, population - elites))
        genomes = toolbox.take(genomes, np.concatenate([fittest, parents]))
        children = genomes[elites:]
        put(genomes, elites, varied(toolbox, rng, children, crossover_rate, mutation_rate), children)
