"""DEAP's own selection operators."""

from typing import Any, Literal

import numpy as np

from fooldeap.plugin import Annotated, Array, Ge, InputError, Interval, Rng, selection

from .._deap import Randomness

Operator = Literal[
    "selTournament",
    "selBest",
    "selRoulette",
    "selStochasticUniversalSampling",
    "selDoubleTournament",
    "selLexicase",
]


@selection("deap", objectives="any")
def deap(
    fitness: Array,
    count: int,
    rng: Rng,
    *,
    operator: Operator = "selTournament",
    tournsize: Annotated[int, Ge(1)] = 3,
    parsimony_size: Annotated[float, Interval(ge=1, le=2)] = 1.4,
) -> Array:
    """Select by an ``operator`` of DEAP's own, unmodified (``deap.tools``, Fortin et al. 2012).

    ``tournsize`` is for selTournament and, as its fitness_size, for selDoubleTournament, which also takes
    ``parsimony_size``; all genomes are of one size to it. selRoulette and selStochasticUniversalSampling are refused a
    negative fitness, of which they would prefer the wrong ones. Slower than the stock selections: for comparison.
    """
    from deap import tools

    from fooldeap.individuals import Individual

    if operator in ("selRoulette", "selStochasticUniversalSampling") and (fitness.min() < 0 or not fitness.any()):
        raise InputError(f"{operator} selects wrongly where a fitness is negative or all are 0; use roulette")
    individuals = []
    for index, value in enumerate(fitness.reshape(len(fitness), -1).tolist()):
        individual = Individual((index,))
        individual.fitness.values = value
        individuals.append(individual)
    if count == 0:
        return np.empty(0, np.intp)
    sizes: dict[str, dict[str, Any]] = {
        "selTournament": {"tournsize": tournsize},
        "selDoubleTournament": {
            "fitness_size": tournsize,
            "parsimony_size": parsimony_size,
            "fitness_first": True,
        },
    }
    with Randomness(rng)():
        chosen = getattr(tools, operator)(individuals, count, **sizes.get(operator, {}))
    return np.array([individual.genome[0] for individual in chosen], np.intp)
