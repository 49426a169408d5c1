"""No crossover, the control."""

from fooldeap.plugin import Batch, Rng, crossover


@crossover("none", genome="any")
def none(first: Batch, second: Batch, rng: Rng) -> tuple[Batch, Batch]:
    """Return the parents as they are: mutation works alone, the control of every comparison of crossovers."""
    return first, second
