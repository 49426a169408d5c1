"""NSGA-II."""

import numpy as np

from fooldeap.pareto import crowding, fronts
from fooldeap.plugin import Annotated, Array, Evolution, Ge, Le, Rng, Toolbox, algorithm

from ._breeding import joined, varied


@algorithm("nsga2", uses=("mutation", "crossover"))
def nsga2(
    toolbox: Toolbox,
    rng: Rng,
    *,
    population: Annotated[int, Ge(2)] = 100,
    crossover_rate: Annotated[float, Ge(0), Le(1)] = 0.9,
    mutation_rate: Annotated[float, Ge(0), Le(1)] = 1.0,
) -> Evolution:
    """Pursue several objectives at once: keep what nothing is better than in all of them, spread out.

    NSGA-II (Deb, Pratap, Agarwal and Meyarivan 2002). A ``population`` has as many children, crossed and mutated with
    ``crossover_rate`` and ``mutation_rate``; parents win a tournament of two by front, and on the same front by
    crowding distance. Of both generations those of the best fronts survive, and of the last front that finds room the
    least crowded. For a fitness of several objectives, such as ``confidence_and_ink``; with one it is a genetic
    algorithm that keeps the best half.
    """
    genomes = toolbox.sample(population)
    fitness = _objectives((yield genomes).fitness)
    while True:
        best = _from_best(fitness)[:population]
        genomes, fitness = toolbox.take(genomes, best), fitness[best]
        parents = rng.integers(population, size=(2, population)).min(axis=0)  # they stand from the best
        children = varied(toolbox, rng, toolbox.take(genomes, parents), crossover_rate, mutation_rate)
        fitness = np.concatenate([fitness, _objectives((yield children).fitness)])
        genomes = joined(genomes, children)


def _from_best(fitness: Array) -> Array:
    """Return the order of the rows by front, and within a front by crowding distance, the least crowded first."""
    found = fronts(fitness)
    order: Array = np.lexsort((-crowding(fitness, found), found))
    return order


def _objectives(fitness: Array) -> Array:
    return fitness.reshape(len(fitness), -1)
