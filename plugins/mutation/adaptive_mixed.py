"""A mixture of mutations that adapts to their success."""

import numpy as np

from fooldeap.plugin import (
    KW_ONLY,
    Annotated,
    Array,
    Ge,
    Gt,
    InputError,
    Le,
    Mutations,
    Offspring,
    Rng,
    dataclass,
    field,
    mutation,
)

MOST = 1 << 16  # children whose mutation is remembered until they are evaluated


@mutation("adaptive_mixed")
@dataclass
class AdaptiveMixed:
    """Mutate each individual with one of several mutations; those with more success are drawn more often.

    ``of`` lists the mutations with their parameters, and weights for the start, as in ``mixed``. A child is a success
    if it is fitter than its parent. After each generation, the quality of a mutation moves by the share ``pace``
    towards the share of its children that were successes. Its probability is proportional to its quality, but at least
    ``least`` (probability matching). Sources: Goldberg 1990; Thierens 2005.
    """

    _: KW_ONLY
    of: Mutations
    pace: Annotated[float, Gt(0), Le(1)] = 0.1
    least: Annotated[float, Ge(0), Le(1)] = 0.05
    quality: Array = field(init=False)
    made: int = field(init=False, default=0)  # children so far
    drawn: dict[int, int] = field(init=False, default_factory=dict)  # from a child's number to its mutation

    def __post_init__(self) -> None:
        if self.least * len(self.of) > 1:
            raise InputError(f"least: got {self.least} for {len(self.of)} mutations, expected at most 1/{len(self.of)}")
        weights = np.array([weight for _, weight in self.of])
        self.quality = weights / weights.sum()

    def __call__(self, genomes: Array, rng: Rng, offspring: Offspring) -> Array:
        """Adapt the probabilities to the children since the last call, and mutate."""
        self._adapt(offspring)
        drawn = rng.choice(len(self.of), len(genomes), p=self.probabilities)
        for number, (mutate, _) in enumerate(self.of):
            rows = np.flatnonzero(drawn == number)
            genomes[rows] = mutate(genomes[rows], rng)
        for number in drawn.tolist():
            self.drawn[self.made] = number
            self.drawn.pop(self.made - MOST, None)
            self.made += 1
        return genomes

    @property
    def probabilities(self) -> Array:
        """The probability of each mutation."""
        total = self.quality.sum()
        shares = self.quality / total if total > 0 else np.full(len(self.of), 1 / len(self.of))
        found: Array = self.least + (1 - self.least * len(self.of)) * shares
        normalised: Array = found / found.sum()
        return normalised

    def _adapt(self, offspring: Offspring) -> None:
        """Move the quality of each mutation towards the share of its children that improved."""
        numbers = np.array([self.drawn.pop(number, -1) for number in offspring.number.tolist()], int)
        for number in np.unique(numbers[numbers >= 0]).tolist():
            reward = offspring.improved[numbers == number].mean()
            self.quality[number] += self.pace * (reward - self.quality[number])
