"""A toolbox for tests of algorithms by hand: its genomes are numbers, and it knows who is whose child."""

import numpy as np


class Ancestry:
    """Genomes are (n, 1) arrays of numbers in the order of their making; crossover changes nothing, mutation does."""

    def __init__(self, targets=(0,)):
        self.targets = targets
        self.parents = []  # of each number, None for those of the first generation

    def sample(self, count):
        return self._made([None] * count)

    def mutate(self, genomes):
        return self._made(genomes[:, 0].tolist())

    def mate(self, first, second):
        return first, second

    def take(self, genomes, indices):
        return genomes.take(indices, axis=0)

    def parents_of(self, genomes):
        """Return the numbers of the parents of a batch."""
        return [self.parents[number] for number in genomes[:, 0]]

    def _made(self, parents):
        first = len(self.parents)
        self.parents += parents
        return np.arange(first, len(self.parents))[:, None]
