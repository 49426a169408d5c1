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
    """Step along differences between individuals; a child takes its own parent's place if it is as good.

    Differential evolution (Storn and Price 1997) with binomial crossover, of ``population`` individuals that begin as
    genomes are sampled. For each individual there is a mutant: a base, and ``weight`` (their F) times the difference
    of two others. By ``strategy``, the base is a third one (``rand``, their rand/1/bin), the best (``best``) or, from
    the individual itself, a ``weight`` of the way to the best (``current_to_best``). Each gene of the child is the
    mutant's with probability ``crossover_rate`` (their CR), at least one is, and the others are the parent's. Genes
    are clipped to their bounds; grey values keep fractions to themselves, and are shown rounded.
    """
    space = Space(toolbox, "differential_evolution")
    points = space.points(toolbox.sample(population))
    fitness = space.fitness((yield space.genomes(points)))
    while True:
        mutants = _mutants(points, int(fitness.argmax()), strategy, weight, rng)
        crossed = rng.random(points.shape) < crossover_rate
        crossed[np.arange(population), rng.integers(points.shape[1], size=population)] = True
        children = space.within(np.where(crossed, mutants, points))
        answers = space.fitness((yield space.genomes(children)))
        better = answers >= fitness
        points, fitness = np.where(better[:, None], children, points), np.where(better, answers, fitness)


def _mutants(points: NDArray[np.float64], best: int, strategy: str, weight: float, rng: Rng) -> NDArray[np.float64]:
    first, second, third = points[_others(len(points), rng)]
    bases = {"rand": third, "best": points[best], "current_to_best": points + weight * (points[best] - points)}
    mutants: NDArray[np.float64] = bases[strategy] + weight * (first - second)
    return mutants


def _others(count: int, rng: Rng) -> NDArray[np.intp]:
    """Return three other individuals for each, all different, (3, count)."""
    taken = np.arange(count)[None]
    for _ in range(3):
        # Drawn from those that are left, as if numbered anew without the taken ones.
        drawn = rng.integers(count - len(taken), size=count)
        for place in np.sort(taken, axis=0):
            drawn += drawn >= place
        taken = np.concatenate([taken, drawn[None]])
    return taken[1:]
