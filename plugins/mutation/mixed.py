"""Several mutations in one."""

import numpy as np

from fooldeap.plugin import Array, Mutations, Rng, mutation


@mutation("mixed")
def mixed(genomes: Array, rng: Rng, *, of: Mutations) -> Array:
    """Mutate each individual by one of several mutations, drawn by their weights.

    They are listed in ``of``, each with its parameters and perhaps a ``weight``, which is 1 where none is given:
    ``of: [{name: gaussian, sigma: 20, weight: 3}, block]``.
    """
    weights = np.array([weight for _, weight in of])
    drawn = rng.choice(len(of), len(genomes), p=weights / weights.sum())
    for number, (mutate, _) in enumerate(of):
        rows = np.flatnonzero(drawn == number)
        genomes[rows] = mutate(genomes[rows], rng)
    return genomes
