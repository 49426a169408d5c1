"""DEAP's (mu , lambda) algorithm."""

from fooldeap.plugin import Annotated, Evolution, Ge, InputError, Le, Rng, Toolbox, algorithm

from ._inside import FOR_EVER, check_rates, inside


@algorithm("deap_mu_comma_lambda")
def deap_mu_comma_lambda(
    toolbox: Toolbox,
    rng: Rng,
    *,
    mu: Annotated[int, Ge(2)] = 20,
    children: Annotated[int, Ge(1)] = 100,
    crossover_rate: Annotated[float, Ge(0), Le(1)] = 0.5,
    mutation_rate: Annotated[float, Ge(0), Le(1)] = 0.5,
) -> Evolution:
    """Run ``deap.algorithms.eaMuCommaLambda`` itself, individual by individual, on the plugins chosen.

    Each of the ``children`` is either a child of two by crossover, with probability ``crossover_rate``, or a mutant,
    with ``mutation_rate``, or a copy; the selection chosen then takes ``mu`` of the children (Fortin et al. 2012).
    Slower than ``mu_comma_lambda``: for comparison.
    """
    check_rates(crossover_rate, mutation_rate)
    if children < mu:
        raise InputError(f"children: got {children}, expected at least mu, {mu}")
    from deap import algorithms

    yield from inside(
        toolbox,
        rng,
        lambda view: algorithms.eaMuCommaLambda(
            view.population(mu), view, mu, children, crossover_rate, mutation_rate, FOR_EVER, verbose=False
        ),
    )
