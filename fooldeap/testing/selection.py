"""What selections promise."""

import numpy as np

from fooldeap import faults
from fooldeap.testing.promise import Subject, contract, demand, rng

CALLS = 400  # of a selection, to see whom it prefers
LIMIT = 5.0  # standard errors that count as a preference: by chance once in 3 million comparisons


_FITNESS = {
    "rising values": np.arange(1.0, 11),
    "negative values": np.arange(-10.0, 0),
    "huge values": np.linspace(-1e300, 1e300, 10),
    "equal values": np.full(10, 3.0),
    "a single individual": np.array([0.5]),
}


@contract("selection")
def _gives_as_many_indices_as_are_wanted(subject: Subject) -> None:
    for name, fitness in _FITNESS.items():
        for count in (0, 1, 3, 25):
            fault = faults.indices(subject.build()(fitness.copy(), count, rng()), fitness, count)
            demand(fault is None, f"asked for {count} of {name} it {fault}")


@contract("selection")
def _selects_the_same_for_the_same_seed(subject: Subject) -> None:
    fitness = _FITNESS["rising values"]
    one, other = (np.asarray(subject.build()(fitness.copy(), 25, rng())) for _ in range(2))
    demand(np.array_equal(one, other), "it selects others for the same seed; draw from rng alone")


@contract("selection")
def _leaves_the_fitness_alone(subject: Subject) -> None:
    for values in _FITNESS.values():
        fitness = values[::-1].copy()
        handed = fitness.copy()
        subject.build()(handed, 5, rng())
        demand(np.array_equal(handed, fitness), "it changes the fitness it is handed; work on a copy")


@contract("selection")
def _never_prefers_the_worse(subject: Subject) -> None:
    select = subject.build()
    for name in ("rising values", "negative values", "huge values"):
        order = rng(5).permutation(10)
        fitness = _FITNESS[name][order]
        stream = rng()
        drawn = np.array([np.bincount(select(fitness.copy(), 10, stream), minlength=10) for _ in range(CALLS)])
        by_rank = drawn[:, np.argsort(fitness)]
        for worse in range(10):
            gain = by_rank[:, worse + 1 :] - by_rank[:, [worse]]
            error = gain.std(axis=0) / np.sqrt(CALLS)
            preferred = gain.mean(axis=0) < -LIMIT * np.maximum(error, 1e-9)
            demand(
                not preferred.any(),
                f"of {name} it prefers worse to better ({LIMIT:g} standard errors); larger fitness is better",
            )
