"""The (mu + lambda) evolution scheme."""

import numpy as np

from fooldeap.plugin import Annotated, Evolution, Ge, Le, Rng, Toolbox, algorithm

from ._breeding import concatenate, vary


@algorithm("mu_plus_lambda")
def mu_plus_lambda(
    toolbox: Toolbox,
    rng: Rng,
    *,
    mu: Annotated[int, Ge(2)] = 50,
    children: Annotated[int, Ge(1)] = 100,
    crossover_rate: Annotated[float, Ge(0), Le(1)] = 1.0,
    mutation_rate: Annotated[float, Ge(0), Le(1)] = 1.0,
) -> Evolution:
    """Keep the best ``mu`` of parents and ``children`` together: the (mu + lambda) scheme.

    Parents are selected and paired at random. Each pair is crossed with probability ``crossover_rate``, and each child
    is mutated with probability ``mutation_rate``. A parent survives until there are ``mu`` better individuals. Sources:
    Schwefel 1981; Beyer and Schwefel 2002.
    """
    genomes = toolbox.sample(mu)
    fitness = (yield genomes).fitness
    while True:
        parents = rng.permutation(toolbox.select(fitness, children, genomes))
        offspring = vary(toolbox, rng, toolbox.take(genomes, parents), crossover_rate, mutation_rate)
        fitness = np.concatenate([fitness, (yield offspring).fitness])
        best = np.argsort(-fitness, kind="stable")[:mu]
        genomes, fitness = toolbox.take(concatenate(genomes, offspring), best), fitness[best]
