"""The evolution scheme in which parents and children compete."""

import numpy as np

from fooldeap.plugin import Annotated, Evolution, Ge, Le, Rng, Toolbox, algorithm

from ._breeding import joined, varied


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
    """Keep the best ``mu`` of the parents and their ``children`` together, the (mu + lambda) scheme.

    Parents are selected, paired at random and crossed with probability ``crossover_rate`` a pair; each child is mutated
    with probability ``mutation_rate``. A parent stays until ``mu`` better ones came (Schwefel 1981; Beyer and Schwefel
    2002).
    """
    genomes = toolbox.sample(mu)
    fitness = (yield genomes).fitness
    while True:
        parents = rng.permutation(toolbox.select(fitness, children))
        born = varied(toolbox, rng, toolbox.take(genomes, parents), crossover_rate, mutation_rate)
        fitness = np.concatenate([fitness, (yield born).fitness])
        best = np.argsort(-fitness, kind="stable")[:mu]
        genomes, fitness = toolbox.take(joined(genomes, born), best), fitness[best]
