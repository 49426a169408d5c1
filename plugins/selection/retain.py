"""The student project's selection."""

from fooldeap.plugin import Annotated, Array, Ge, Gt, Le, Rng, selection

from .._kept import kept


@selection("retain")
def retain(
    fitness: Array,
    count: int,
    rng: Rng,
    *,
    best: Annotated[float, Gt(0), Le(1)] = 0.1,
    others: Annotated[float, Ge(0), Le(1)] = 0.1,
) -> Array:
    """Draw uniformly from the fittest share ``best`` and a random share ``others`` of the rest.

    At least one individual is kept; each of the rest stays with probability ``others`` (the student project's
    selection, truncation softened for diversity's sake).
    """
    pool = kept(fitness, max(1, round(best * len(fitness))), others, rng)
    chosen: Array = pool[rng.integers(0, len(pool), count)]
    return chosen
