"""DEAP's simple evolutionary algorithm."""

from fooldeap.plugin import Annotated, Evolution, Ge, Le, Rng, Toolbox, algorithm

from ._inside import FOR_EVER, inside


@algorithm("deap_simple", objectives="any")
def deap_simple(
    toolbox: Toolbox,
    rng: Rng,
    *,
    population: Annotated[int, Ge(2)] = 100,
    crossover_rate: Annotated[float, Ge(0), Le(1)] = 0.5,
    mutation_rate: Annotated[float, Ge(0), Le(1)] = 1.0,
) -> Evolution:
    """Run DEAP's ``eaSimple``, unmodified, with the plugins of the experiment.

    Each generation is selected from the previous ``population``. Neighbours are crossed with probability
    ``crossover_rate``, and each individual is mutated with probability ``mutation_rate``. This plugin is meant for
    comparisons. It is slower than ``generational``, because it processes one individual after the other. Sources:
    Fortin et al. 2012; Bäck, Fogel and Michalewicz 2000, chapter 7.
    """
    from deap import algorithms

    yield from inside(
        toolbox,
        rng,
        lambda view: algorithms.eaSimple(
            view.population(population), view, crossover_rate, mutation_rate, FOR_EVER, verbose=False
        ),
    )
