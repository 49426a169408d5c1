"""The steady-state genetic algorithm."""

import numpy as np

from fooldeap.plugin import Annotated, Evolution, Ge, InputError, Le, Rng, Toolbox, algorithm

from ._breeding import concatenate, vary


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
    """Replace the worst individuals by a few ``children`` in every generation.

    The children survive even if they are worse. The classic algorithm has 1 or 2 ``children`` per generation (Syswerda
    1989; Whitley 1989); more of them use a batch better. Parents are selected from a ``population`` and paired at
    random. Each pair is crossed with probability ``crossover_rate``, and each child is mutated with probability
    ``mutation_rate``.
    """
    if children >= population:
        raise InputError(f"children: got {children}, expected fewer than the population of {population}")
    genomes = toolbox.sample(population)
    fitness = (yield genomes).fitness
    while True:
        parents = rng.permutation(toolbox.select(fitness, children, genomes))
        offspring = vary(toolbox, rng, toolbox.take(genomes, parents), crossover_rate, mutation_rate)
        scores = (yield offspring).fitness
        stay = np.argsort(-fitness, kind="stable")[: population - children]
        genomes, fitness = concatenate(toolbox.take(genomes, stay), offspring), np.concatenate([fitness[stay], scores])
