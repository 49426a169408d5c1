"""DEAP's (mu + lambda) algorithm."""

from fooldeap.plugin import Annotated, Evolution, Ge, Le, Rng, Toolbox, algorithm

from ._inside import FOR_EVER, check_rates, inside


@algorithm("deap_mu_plus_lambda", objectives="any")
def deap_mu_plus_lambda(
    toolbox: Toolbox,
    rng: Rng,
    *,
    mu: Annotated[int, Ge(2)] = 50,
    children: Annotated[int, Ge(1)] = 100,
    crossover_rate: Annotated[float, Ge(0), Le(1)] = 0.5,
    mutation_rate: Annotated[float, Ge(0), Le(1)] = 0.5,
) -> Evolution:
    """Run DEAP's ``eaMuPlusLambda``, unmodified, with the plugins of the experiment.

    Each of the ``children`` is created by crossover with probability ``crossover_rate``, by mutation with probability
    ``mutation_rate``, and otherwise it is a copy. The selection then takes ``mu`` of the parents and children. This
    plugin is meant for comparisons. It is slower than ``mu_plus_lambda``, because it processes one individual after the
    other. Source: Fortin et al. 2012.
    """
    check_rates(crossover_rate, mutation_rate)
    from deap import algorithms

    yield from inside(
        toolbox,
        rng,
        lambda view: algorithms.eaMuPlusLambda(
            view.population(mu), view, mu, children, crossover_rate, mutation_rate, FOR_EVER, verbose=False
        ),
    )
