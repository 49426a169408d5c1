"""NSGA-II."""

import numpy as np

from fooldeap.pareto import crowding, fronts
from fooldeap.plugin import Annotated, Array, Evolution, Ge, Le, Rng, Toolbox, algorithm

from ._breeding import concatenate, vary


@algorithm("nsga2", uses=("mutation", "crossover"), objectives="any")
def nsga2(
    toolbox: Toolbox,
    rng: Rng,
    *,
    population: Annotated[int, Ge(2)] = 100,
    crossover_rate: Annotated[float, Ge(0), Le(1)] = 0.9,
    mutation_rate: Annotated[float, Ge(0), Le(1)] = 1.0,
) -> Evolution:
    """Optimise several objectives at once, and keep different good compromises between them (NSGA-II).

    In every generation, a ``population`` has as many children. Pairs are crossed with probability ``crossover_rate``,
    and each child is mutated with probability ``mutation_rate``. Parents are selected by tournaments of two: the better
    front wins and, within a front, the larger crowding distance. Parents and children of the best fronts survive. Of
    the last front that does not fit completely, the individuals with the largest crowding distance survive. Use it with
    a fitness of several objectives, such as ``confidence_and_ink``. With one objective, it is a genetic algorithm that
    keeps the best half. Source: Deb, Pratap, Agarwal and Meyarivan 2002.
    """
    genomes = toolbox.sample(population)
    fitness = _as_columns((yield genomes).fitness)
    while True:
        best = _sort_from_best(fitness)[:population]
        genomes, fitness = toolbox.take(genomes, best), fitness[best]
        parents = rng.integers(population, size=(2, population)).min(
            axis=0
        )  # a tournament of two: the population is sorted from the best
        children = vary(toolbox, rng, toolbox.take(genomes, parents), crossover_rate, mutation_rate)
        fitness = np.concatenate([fitness, _as_columns((yield children).fitness)])
        genomes = concatenate(genomes, children)


def _sort_from_best(fitness: Array) -> Array:
    """Return the indices of the rows from the best to the worst.

    The order is by front and, within a front, by crowding distance, the largest first.
    """
    front_numbers = fronts(fitness)
    order: Array = np.lexsort((-crowding(fitness, front_numbers), front_numbers))
    return order


def _as_columns(fitness: Array) -> Array:
    return fitness.reshape(len(fitness), -1)
