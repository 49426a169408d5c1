"""The student project's loop."""

from typing import Literal

import numpy as np

from fooldeap.plugin import Annotated, Array, Evolution, Ge, Gt, Le, Rng, Toolbox, algorithm

from .._survivors import select_survivors
from ._breeding import joined


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
    """Keep the best and some lucky ones, mutate a part of them, and fill up with their children.

    The best ``retain`` of the ``population`` are kept (at least two), and each of the rest with probability ``lucky``.
    Each of those kept is mutated with probability ``mutation_rate``, the best as well; children of random pairs of them
    fill up. ``accept: better_mean`` takes a generation only where its mean fitness is better than the last accepted
    one's (the student project; with ``crossover: halves``, a child has one's top and the other's bottom half).
    """
    genomes = toolbox.sample(population)
    fitness = (yield genomes).fitness
    while True:
        parents = toolbox.take(genomes, select_survivors(fitness, max(2, round(retain * population)), lucky, rng))
        chosen = np.flatnonzero(rng.random(len(parents)) < mutation_rate)
        mutants = toolbox.mutate(toolbox.take(parents, chosen))
        for place, mutant in zip(chosen, mutants, strict=True):
            parents[place] = mutant
        missing = population - len(parents)
        first, second = _pairs(len(parents), -(-missing // 2), rng)
        one, other = toolbox.mate(toolbox.take(parents, first), toolbox.take(parents, second))
        candidates = joined(parents, joined(one, other)[:missing])
        scores = (yield candidates).fitness
        if accept == "always" or scores.mean() > fitness.mean():
            genomes, fitness = candidates, scores


def _pairs(parents: int, count: int, rng: Rng) -> tuple[Array, Array]:
    """Return indices of ``count`` pairs of different parents."""
    first, second = rng.integers(0, parents, count), rng.integers(0, parents - 1, count)
    return first, second + (second >= first)
