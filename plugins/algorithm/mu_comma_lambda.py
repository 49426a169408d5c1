"""The (mu, lambda) evolution scheme."""

import numpy as np

from fooldeap.plugin import Annotated, Evolution, Ge, InputError, Le, Rng, Toolbox, algorithm

from ._breeding import vary


@algorithm("mu_comma_lambda")
def mu_comma_lambda(
    toolbox: Toolbox,
    rng: Rng,
    *,
    mu: Annotated[int, Ge(2)] = 20,
    children: Annotated[int, Ge(2)] = 100,
    crossover_rate: Annotated[float, Ge(0), Le(1)] = 1.0,
    mutation_rate: Annotated[float, Ge(0), Le(1)] = 1.0,
) -> Evolution:
    """Keep the best ``mu`` of the ``children`` and discard the parents: the (mu, lambda) scheme.

    Parents are selected and paired at random. Each pair is crossed with probability ``crossover_rate``, and each child
    is mutated with probability ``mutation_rate``. The best image found can get lost from the population. Sources:
    Schwefel 1981; Beyer and Schwefel 2002.
    """
    if children < mu:
        raise InputError(f"children: got {children}, expected at least {mu}, the value of mu")
    genomes = toolbox.sample(mu)
    fitness = (yield genomes).fitness
    while True:
        parents = rng.permutation(toolbox.select(fitness, children, genomes))
        offspring = vary(toolbox, rng, toolbox.take(genomes, parents), crossover_rate, mutation_rate)
        fitness = (yield offspring).fitness
        best = np.argsort(-fitness, kind="stable")[:mu]
        genomes, fitness = toolbox.take(offspring, best), fitness[best]
