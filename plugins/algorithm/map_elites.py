"""MAP-Elites with one niche per class."""

import numpy as np

from fooldeap.plugin import Annotated, Batch, Evolution, Ge, Le, Reply, Rng, Toolbox, algorithm

from ._breeding import vary


@algorithm("map_elites", targets="all", uses=("mutation", "crossover"))
def map_elites(
    toolbox: Toolbox,
    rng: Rng,
    *,
    population: Annotated[int, Ge(2)] = 200,
    crossover_rate: Annotated[float, Ge(0), Le(1)] = 0.0,
    mutation_rate: Annotated[float, Ge(0), Le(1)] = 1.0,
) -> Evolution:
    """Keep the best image for every target; a child may become the best for several targets (MAP-Elites).

    One run pursues all targets. Each class is a niche, as in Nguyen, Yosinski and Clune (2015). The first generation is
    ``population`` random images. Every further generation has as many children of parents drawn uniformly from the
    niches. Each pair is crossed with probability ``crossover_rate``, and each child is mutated with probability
    ``mutation_rate``. A child takes over every niche in which its fitness is higher than that of the present image.
    Source: Mouret and Clune 2015.
    """
    targets = toolbox.targets
    genomes = toolbox.sample(population)
    elites, best_scores = genomes[:0], np.full(len(targets), -np.inf)
    while True:
        scores = _score_all_targets((yield genomes), targets)
        best = scores.argmax(axis=1)
        candidate_scores = scores.max(axis=1)
        improved = np.flatnonzero(candidate_scores > best_scores)
        if len(improved):
            elites = _replace(elites, improved, toolbox.take(genomes, best[improved]))
            best_scores[improved] = candidate_scores[improved]
        children = toolbox.take(elites, rng.integers(len(targets), size=population))
        genomes = vary(toolbox, rng, children, crossover_rate, mutation_rate)


def _score_all_targets(reply: Reply, targets: tuple[int, ...]) -> np.ndarray:
    """Return the fitness of every image for every target, (targets, n)."""
    return np.array([reply.of(target) for target in targets])


def _replace(elites: Batch, places: np.ndarray, winners: Batch) -> Batch:
    """Return the elites with the winners at some places. The first winners, of all places, become the elites."""
    if not len(elites):
        return winners
    if isinstance(elites, np.ndarray):
        elites[places] = winners
    else:
        for place, winner in zip(places.tolist(), winners, strict=True):
            elites[place] = winner
    return elites
