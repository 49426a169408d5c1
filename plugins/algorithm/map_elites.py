"""MAP-Elites over the classes."""

import numpy as np

from fooldeap.plugin import Annotated, Evolution, Ge, InputError, Le, Reply, Rng, Toolbox, algorithm

from ._breeding import joined, varied


@algorithm("map_elites", targets="all", uses=("mutation", "crossover"))
def map_elites(
    toolbox: Toolbox,
    rng: Rng,
    *,
    population: Annotated[int, Ge(2)] = 200,
    crossover_rate: Annotated[float, Ge(0), Le(1)] = 0.0,
    mutation_rate: Annotated[float, Ge(0), Le(1)] = 1.0,
) -> Evolution:
    """Keep the best image of every target, and let each child compete for all of them.

    MAP-Elites (Mouret and Clune 2015) with one niche a class, as Nguyen, Yosinski and Clune (2015) have it: one run
    pursues all targets. ``population`` images at random come first; then as many children in every generation, of
    parents drawn uniformly from the niches, crossed with probability ``crossover_rate`` a pair and mutated with
    probability ``mutation_rate``. A child takes every niche in which its fitness is higher than the holder's.
    """
    targets = toolbox.targets
    genomes = toolbox.sample(population)
    elites, heights = genomes[:0], np.full(len(targets), -np.inf)
    while True:
        scores = _scores((yield genomes), targets)
        best = scores.argmax(axis=1)
        challenge = scores[np.arange(len(targets)), best]
        higher = challenge > heights
        winners = joined(elites, toolbox.take(genomes, best))
        elites = toolbox.take(winners, np.arange(len(targets)) + higher * len(elites))
        heights = np.maximum(challenge, heights)
        children = toolbox.take(elites, rng.integers(len(targets), size=population))
        genomes = varied(toolbox, rng, children, crossover_rate, mutation_rate)


def _scores(reply: Reply, targets: tuple[int, ...]) -> np.ndarray:
    """Return the fitness of every image for every target, (targets, n)."""
    scores = np.array([reply.of(target) for target in targets])
    if scores.ndim != 2:
        raise InputError(f"map_elites compares one number an image; this fitness gives {scores.shape[2]}")
    return scores
