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

_USUAL: dict[str, dict[str, Any]] = {"selTournament": {"tournsize": 3}, "selDoubleTournament": {"tournsize": 3}}


@selection("deap", objectives="any")
def deap(
    fitness: Array,
    count: int,
    rng: Rng,
    *,
    operator: Operator = "selTournament",
    tournsize: Annotated[int, Ge(1), Le(10_000)] | None = None,
) -> Array:
    """Select by an ``operator`` of DEAP's own, unmodified (``deap.tools``, Fortin et al. 2012).

    ``tournsize`` (3) is for selTournament and, as its fitness_size, for selDoubleTournament, to which all genomes are
    of one size. selBest goes round again where more are wanted than there are. selRoulette and
    selStochasticUniversalSampling are refused a negative fitness, of which they would prefer the wrong ones. Slower
    than the stock selections: for comparison.
    """
    from deap import tools

    from fooldeap.engine.individuals import Individual

    given = parameters(operator, _USUAL.get(operator, {}), tournsize=tournsize)
    if operator == "selDoubleTournament":
        given = {"fitness_size": given["tournsize"], "parsimony_size": 1.4, "fitness_first": True}
    if operator in ("selRoulette", "selStochasticUniversalSampling") and (fitness.min() < 0 or not fitness.any()):
        raise InputError(f"{operator} selects wrongly where a fitness is negative or all are 0; use roulette")
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
