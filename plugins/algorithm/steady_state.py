"""The steady-state genetic algorithm."""

import numpy as np

from fooldeap.plugin import Annotated, Evolution, Ge, InputError, Le, Rng, Toolbox, algorithm

from ._breeding import joined, varied


@algorithm("steady_state")
def steady_state(
    toolbox: Toolbox,
    rng: Rng,
    *,
    population: Annotated[int, Ge(2)] = 100,
    children: Annotated[int, Ge(1)] = 10,
    crossover_rate: Annotated[float, Ge(0), Le(1)] = 1.0,
    mutation_rate: Annotated[float, Ge(0), Le(1)] = 1.0,
) -> Evolution:
    """Let a few ``children`` at a time take the places of the worst, whether they are better or not.

    The classic has 1 or 2 ``children`` in a ``population`` (Syswerda 1989; Whitley 1989); a few more fill a batch.
    Parents are selected, paired at random and crossed with probability ``crossover_rate`` a pair; each child is mutated
    with probability ``mutation_rate``.
    """
    if children >= population:
        raise InputError(f"children: got {children}, expected fewer than the population of {population}")
    genomes = toolbox.sample(population)
    fitness = (yield genomes).fitness
    while True:
        parents = rng.permutation(toolbox.select(fitness, children))
        born = varied(toolbox, rng, toolbox.take(genomes, parents), crossover_rate, mutation_rate)
        scores = (yield born).fitness
        stay = np.argsort(-fitness, kind="stable")[: population - children]
        genomes, fitness = joined(toolbox.take(genomes, stay), born), np.concatenate([fitness[stay], scores])
