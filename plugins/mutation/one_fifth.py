"""Gaussian mutation with the one-fifth success rule."""

from fooldeap.plugin import (
    KW_ONLY,
    Annotated,
    Array,
    Ge,
    Gt,
    InputError,
    Le,
    Lt,
    Offspring,
    Rng,
    dataclass,
    field,
    mutation,
)

from .._grey import as_genes
from ._places import draw_positions

MOST = 1e6  # the largest step size


@mutation("one_fifth", genome=("uint8", "float64"))
@dataclass
class OneFifth:
    """Add normal noise to each gene. The step size adapts by Rechenberg's one-fifth success rule.

    The noise has mean 0 and standard deviation ``sigma`` at first. A child is a success if it is fitter than its
    parent. When at least ``window`` children were evaluated, the standard deviation is divided by ``factor`` if more
    than one fifth of them were successes, and multiplied by ``factor`` if fewer were. Then a new count begins. The
    standard deviation never falls below ``least``: grey values are rounded, so smaller steps have no effect on them. A
    gene changes with probability ``rate``. Use it with ``one_plus_one``, or with another algorithm without crossover.
    Sources: Rechenberg 1973; Eiben and Smith 2015.
    """

    _: KW_ONLY
    sigma: Annotated[float, Gt(0), Le(MOST)] = 40.0
    factor: Annotated[float, Gt(0), Lt(1)] = 0.85
    window: Annotated[int, Ge(1)] = 10
    rate: Annotated[float, Gt(0), Le(1)] = 1.0
    least: Annotated[float, Ge(0)] = 0.5
    step: float = field(init=False)
    children: int = field(init=False, default=0)
    successes: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        if self.least > self.sigma:
            raise InputError(f"least: got {self.least}, expected at most sigma, {self.sigma}")
        self.step = self.sigma

    def __call__(self, genomes: Array, rng: Rng, offspring: Offspring) -> Array:
        """Adapt the step size to the children since the last call, and mutate."""
        self.children += len(offspring)
        self.successes += int(offspring.improved.sum())
        if self.children >= self.window:
            self._adapt()
        flat = genomes.reshape(-1)
        positions = draw_positions(flat.size, self.rate, rng)
        flat[positions] = as_genes(flat[positions] + rng.normal(0, self.step, len(positions)), flat.dtype)
        return genomes

    def _adapt(self) -> None:
        share, self.children, self.successes = self.successes / self.children, 0, 0
        if share > 1 / 5:
            self.step = min(self.step / self.factor, MOST)
        elif share < 1 / 5:
            self.step = max(self.step * self.factor, self.least)
