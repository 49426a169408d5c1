"""Algorithm of the student project."""

from typing import Literal

import numpy as np

from fooldeap.plugin import Annotated, Array, Evolution, Ge, Gt, Le, Rng, Toolbox, algorithm

from .._survivors import select_survivors
from ._breeding import concatenate


@algorithm("retain_and_breed", uses=("mutation", "crossover"))
def retain_and_breed(
    toolbox: Toolbox,
    rng: Rng,
    *,
    population: Annotated[int, Ge(3)] = 50,
    retain: Annotated[float, Gt(0), Le(1)] = 0.1,
    lucky: Annotated[float, Ge(0), Le(1)] = 0.1,
    mutation_rate: Annotated[float, Ge(0), Le(1)] = 0.4,
    accept: Literal["always", "better_mean"] = "always",
) -> Evolution:
    """Keep the best and some random individuals, mutate a part of them, and add their children.

    The best share ``retain`` of the ``population`` is kept, but at least two individuals. Each of the others is kept
    with probability ``lucky``. Each individual that is kept, including the best, is mutated with probability
    ``mutation_rate``. Children of random pairs complete the population. With ``accept: better_mean``, a new generation
    is accepted only if its mean fitness is higher than that of the last accepted one. This is the algorithm of the
    student project, which used it with the crossover ``halves``.
    """
    genomes = toolbox.sample(population)
    fitness = (yield genomes).fitness
    while True:
        parents = toolbox.take(genomes, select_survivors(fitness, max(2, round(retain * population)), lucky, rng))
        chosen = np.flatnonzero(rng.random(len(parents)) < mutation_rate)
        mutants = toolbox.mutate(toolbox.take(parents, chosen))
        for index, mutant in zip(chosen, mutants, strict=True):
            parents[index] = mutant
        missing = population - len(parents)
        first, second = _draw_pairs(len(parents), -(-missing // 2), rng)
        one, other = toolbox.mate(toolbox.take(parents, first), toolbox.take(parents, second))
        candidates = concatenate(parents, concatenate(one, other)[:missing])
        scores = (yield candidates).fitness
        if accept == "always" or scores.mean() > fitness.mean():
            genomes, fitness = candidates, scores


def _draw_pairs(parents: int, count: int, rng: Rng) -> tuple[Array, Array]:
    """Draw the indices of ``count`` pairs of different parents."""
    first, second = rng.integers(0, parents, count), rng.integers(0, parents - 1, count)
    return first, second + (second >= first)
