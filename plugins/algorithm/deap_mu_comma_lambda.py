"""DEAP's (mu , lambda) algorithm."""

from fooldeap.plugin import Annotated, Evolution, Ge, InputError, Le, Rng, Toolbox, algorithm

from ._inside import FOR_EVER, check_rates, inside


@algorithm("deap_mu_comma_lambda", objectives="any")
def deap_mu_comma_lambda(
    toolbox: Toolbox,
    rng: Rng,
    *,
    mu: Annotated[int, Ge(2)] = 20,
    children: Annotated[int, Ge(1)] = 100,
    crossover_rate: Annotated[float, Ge(0), Le(1)] = 0.5,
    mutation_rate: Annotated[float, Ge(0), Le(1)] = 0.5,
) -> Evolution:
    """Run DEAP's ``eaMuCommaLambda``, unmodified, with the plugins of the experiment.

    Each of the ``children`` is created by crossover with probability ``crossover_rate``, by mutation with probability
    ``mutation_rate``, and otherwise it is a copy. The selection then takes ``mu`` of the children. This plugin is meant
    for comparisons. It is slower than ``mu_comma_lambda``, because it processes one individual after the other. Source:
    Fortin et al. 2012.
    """
    check_rates(crossover_rate, mutation_rate)
    if children < mu:
        raise InputError(f"children: got {children}, expected at least {mu}, the value of mu")
    from deap import algorithms

    yield from inside(
        toolbox,
        rng,
        lambda view: algorithms.eaMuCommaLambda(
            view.population(mu), view, mu, children, crossover_rate, mutation_rate, FOR_EVER, verbose=False
        ),
    )
