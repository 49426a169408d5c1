"""No crossover: a control for comparisons."""

from fooldeap.plugin import Batch, Rng, crossover


@crossover("none", genome="any")
def none(first: Batch, second: Batch, rng: Rng) -> tuple[Batch, Batch]:
    """Return the parents unchanged, so that only mutation creates new individuals.

    Use it as the control in comparisons of crossovers.
    """
    return first, second
