"""Selection of the student project."""

from fooldeap.plugin import Annotated, Array, Ge, Gt, Le, Rng, selection

from .._survivors import select_survivors


@selection("retain")
def retain(
    fitness: Array,
    count: int,
    rng: Rng,
    *,
    best: Annotated[float, Gt(0), Le(1)] = 0.1,
    others: Annotated[float, Ge(0), Le(1)] = 0.1,
) -> Array:
    """Draw uniformly from the fittest individuals and some of the rest.

    The fittest are the share ``best`` of the population, at least one individual. Each of the rest is kept with
    probability ``others``. This is truncation selection with more diversity, as in the student project.
    """
    pool = select_survivors(fitness, max(1, round(best * len(fitness))), others, rng)
    chosen: Array = pool[rng.integers(0, len(pool), count)]
    return chosen
