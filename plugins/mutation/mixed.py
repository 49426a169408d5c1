"""A mixture of mutations."""

import numpy as np

from fooldeap.plugin import Array, Mutations, Rng, mutation


@mutation("mixed")
def mixed(genomes: Array, rng: Rng, *, of: Mutations) -> Array:
    """Mutate each individual with one of several mutations, drawn at random.

    ``of`` lists the mutations with their parameters. The probability of a mutation is proportional to its ``weight``,
    which is 1 by default: ``of: [{name: gaussian, sigma: 20, weight: 3}, block]``.
    """
    weights = np.array([weight for _, weight in of])
    drawn = rng.choice(len(of), len(genomes), p=weights / weights.sum())
    for number, (mutate, _) in enumerate(of):
        rows = np.flatnonzero(drawn == number)
        genomes[rows] = mutate(genomes[rows], rng)
    return genomes
