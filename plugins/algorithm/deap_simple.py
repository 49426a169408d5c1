"""DEAP's simple evolutionary algorithm."""

from fooldeap.plugin import Annotated, Evolution, Ge, Le, Rng, Toolbox, algorithm

from ._inside import FOR_EVER, inside


@algorithm("deap_simple")
def deap_simple(
    toolbox: Toolbox,
    rng: Rng,
    *,
    population: Annotated[int, Ge(2)] = 100,
    crossover_rate: Annotated[float, Ge(0), Le(1)] = 0.5,
    mutation_rate: Annotated[float, Ge(0), Le(1)] = 1.0,
) -> Evolution:
    """Run ``deap.algorithms.eaSimple`` itself, individual by individual, on the plugins chosen.

    Each generation is selected from the last ``population``; neighbours are crossed with probability
    ``crossover_rate``, each is mutated with ``mutation_rate`` (Fortin et al. 2012; Bäck, Fogel and Michalewicz 2000,
    chapter 7). Slower than ``generational``: for comparison.
    """
    from deap import algorithms

    yield from inside(
        toolbox,
        rng,
        lambda view: algorithms.eaSimple(
            view.population(population), view, crossover_rate, mutation_rate, FOR_EVER, verbose=False
        ),
    )
