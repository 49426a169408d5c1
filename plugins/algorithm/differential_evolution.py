"""Differential evolution."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fooldeap.plugin import Annotated, Evolution, Ge, Gt, Le, Rng, Toolbox, algorithm

from ._vectors import Space


@algorithm("differential_evolution", uses=())
def differential_evolution(
    toolbox: Toolbox,
    rng: Rng,
    *,
    population: Annotated[int, Ge(4)] = 50,
    strategy: Literal["rand", "best", "current_to_best"] = "rand",
    weight: Annotated[float, Gt(0), Le(2)] = 0.5,
    crossover_rate: Annotated[float, Ge(0), Le(1)] = 0.9,
) -> Evolution:
    """Make children by adding differences of individuals; a child replaces a parent that is not better.

    This is differential evolution (Storn and Price 1997) with binomial crossover. The ``population`` starts as sampled
    genomes. For each individual a mutant is computed: a base plus ``weight`` (F in the paper) times the difference of
    two other individuals. ``strategy`` selects the base. ``rand`` (rand/1/bin in the paper) takes a third individual,
    ``best`` the best one, and ``current_to_best`` the individual itself, moved by ``weight`` times its distance to the
    best. Each gene of the child is that of the mutant with probability ``crossover_rate`` (CR in the paper), otherwise
    that of the parent. At least one gene is that of the mutant. Genes are clipped to their bounds. Grey values keep
    their fractions and are rounded for the evaluation only.
    """
    space = Space(toolbox, "differential_evolution")
    points = space.points(toolbox.sample(population))
    fitness = space.fitness((yield space.genomes(points)))
    while True:
        mutants = _compute_mutants(points, int(fitness.argmax()), strategy, weight, rng)
        crossed = rng.random(points.shape) < crossover_rate
        crossed[np.arange(population), rng.integers(points.shape[1], size=population)] = True
        children = space.clip(np.where(crossed, mutants, points))
        scores = space.fitness((yield space.genomes(children)))
        better = scores >= fitness
        points, fitness = np.where(better[:, None], children, points), np.where(better, scores, fitness)


def _compute_mutants(
    points: NDArray[np.float64], best: int, strategy: str, weight: float, rng: Rng
) -> NDArray[np.float64]:
    first, second, third = points[_draw_others(len(points), rng)]
    bases = {"rand": third, "best": points[best], "current_to_best": points + weight * (points[best] - points)}
    mutants: NDArray[np.float64] = bases[strategy] + weight * (first - second)
    return mutants


def _draw_others(count: int, rng: Rng) -> NDArray[np.intp]:
    """Draw three other individuals for each individual, all of them different. Return indices (3, count)."""
    taken = np.arange(count)[None]
    for _ in range(3):
        # Draw from the remaining individuals, numbered without the taken ones, then restore their numbers.
        drawn = rng.integers(count - len(taken), size=count)
        for index in np.sort(taken, axis=0):
            drawn += drawn >= index
        taken = np.concatenate([taken, drawn[None]])
    return taken[1:]
