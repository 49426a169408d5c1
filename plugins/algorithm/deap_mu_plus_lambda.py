"""DEAP's (mu + lambda) algorithm."""

from fooldeap.plugin import Annotated, Evolution, Ge, Le, Rng, Toolbox, algorithm

from ._inside import FOR_EVER, check_rates, inside


@algorithm("deap_mu_plus_lambda")
def deap_mu_plus_lambda(
    toolbox: Toolbox,
    rng: Rng,
    *,
    mu: Annotated[int, Ge(2)] = 50,
    children: Annotated[int, Ge(1)] = 100,
    crossover_rate: Annotated[float, Ge(0), Le(1)] = 0.5,
    mutation_rate: Annotated[float, Ge(0), Le(1)] = 0.5,
) -> Evolution:
    """Run ``deap.algorithms.eaMuPlusLambda`` itself, individual by individual, on the plugins chosen.

    Each of the ``children`` is either a child of two by crossover, with probability ``crossover_rate``, or a mutant,
    with ``mutation_rate``, or a copy; the selection chosen then takes ``mu`` of parents and children (Fortin et al.
    2012).
    Slower than ``mu_plus_lambda``: for comparison.
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
