"""DEAP's own selection operators."""

from typing import Any, Literal

import numpy as np

from fooldeap.plugin import Annotated, Array, Ge, InputError, Le, Rng, selection
from fooldeap.randomness import GlobalStream

from .._deap import parameters

Operator = Literal[
    "selTournament",
    "selBest",
    "selRoulette",
    "selStochasticUniversalSampling",
    "selDoubleTournament",
    "selLexicase",
]

_DEFAULTS: dict[str, dict[str, Any]] = {"selTournament": {"tournsize": 3}, "selDoubleTournament": {"tournsize": 3}}


@selection("deap", objectives="any")
def deap(
    fitness: Array,
    count: int,
    rng: Rng,
    *,
    operator: Operator = "selTournament",
    tournsize: Annotated[int, Ge(1), Le(10_000)] | None = None,
) -> Array:
    """Select with an ``operator`` of DEAP.

    DEAP's functions are used unmodified (Fortin et al. 2012). ``tournsize`` is the number of competitors in
    selTournament and selDoubleTournament (default 3). In selDoubleTournament all genomes count as equally large. If
    selBest must return more individuals than there are, it repeats them. selRoulette and selStochasticUniversalSampling
    are refused if a fitness is negative or all are 0, because they would select wrong individuals. This plugin is meant
    for comparisons. It is slower than the stock selections, because it loops over the individuals in Python.
    """
    from deap import tools

    from fooldeap.engine.individuals import Individual

    given = parameters(operator, _DEFAULTS.get(operator, {}), tournsize=tournsize)
    if operator == "selDoubleTournament":
        given = {"fitness_size": given["tournsize"], "parsimony_size": 1.4, "fitness_first": True}
    if operator in ("selRoulette", "selStochasticUniversalSampling") and (fitness.min() < 0 or not fitness.any()):
        raise InputError(f"{operator} is wrong if a fitness is negative or all are 0; use the selection 'roulette'")
    individuals = []
    for index, value in enumerate(fitness.reshape(len(fitness), -1).tolist()):
        individual = Individual((index,))
        individual.fitness.values = value
        individuals.append(individual)
    if count == 0:
        return np.empty(0, np.intp)
    with GlobalStream(rng).installed():
        chosen = getattr(tools, operator)(individuals, count, **given)
    return np.resize(np.array([individual.genome[0] for individual in chosen], np.intp), count)
