"""The contracts of selections."""

from collections.abc import Iterator

import numpy as np

from fooldeap import contract_checks
from fooldeap.errors import InputError
from fooldeap.plugin import Array
from fooldeap.testing.batches import rng
from fooldeap.testing.contract import contract
from fooldeap.testing.demands import demand, trying
from fooldeap.testing.state import SimulatedRun
from fooldeap.testing.subject import Subject

LIMIT = 6.0  # standard errors that count as a preference; chance exceeds them about once in a billion comparisons

_RISING = np.arange(1.0, 11)
_FITNESS = {
    "rising values": _RISING,
    "negative values": _RISING - 11,
    "values within 0 and 1": _RISING / 11,
    "huge values": np.linspace(-1e300, 1e300, 10),
    "near ties": 3 + 1e-9 * _RISING,
    "a hundred values": np.linspace(0.01, 1, 100),
    "equal values": np.full(10, 3.0),
    "a single individual": np.array([0.5]),
}
_SEVERAL = {"two objectives": np.column_stack([_RISING, 2 * _RISING])}


@contract("selection")
def _returns_the_requested_number_of_indices(subject: Subject) -> None:
    for name, fitness in _test_fitness(subject):
        for count in (0, 1, 3, 25):
            chosen = _select(subject, name, fitness.copy(), count, rng())
            fault = contract_checks.indices(chosen, fitness, count)
            demand(fault is None, f"when selecting {count} from {name} it {fault}")


@contract("selection")
def _is_deterministic(subject: Subject) -> None:
    for name, fitness in _test_fitness(subject):
        one, other = (_select(subject, name, fitness.copy(), 25, rng()) for _ in range(2))
        demand(
            np.array_equal(one, other),
            "it selects different individuals for the same seed; draw from rng only",
        )


@contract("selection")
def _does_not_change_the_fitness(subject: Subject) -> None:
    for name, values in _test_fitness(subject):
        fitness = values[::-1].copy()
        given = fitness.copy()
        _select(subject, name, given, 5, rng())
        demand(np.array_equal(given, fitness), "it changes the fitness that it receives; work on a copy")


@contract("selection")
def _does_not_prefer_worse_individuals(subject: Subject) -> None:
    for name, fitness in _test_fitness(subject):
        if len(np.unique(fitness, axis=0)) > 1:
            demand(
                not _prefers_the_worse(subject, name, fitness),
                f"from {name} it prefers worse individuals (by {LIMIT:g} standard errors); larger fitness is better",
            )


def _test_fitness(subject: Subject) -> Iterator[tuple[str, Array]]:
    """Yield names and fitness arrays; negative fitness is left out if the selection refuses it by an `InputError`."""
    several = _SEVERAL if subject.plugin.options["objectives"] == "any" else {}
    for name, fitness in {**_FITNESS, **several}.items():
        if not (fitness.min() < 0 and _is_refused(subject, fitness)):
            yield name, fitness


def _is_refused(subject: Subject, fitness: Array) -> bool:
    try:
        SimulatedRun(subject).select(fitness.copy(), 1, rng())
    except InputError:
        return True
    except Exception:
        return False  # the contracts report this error
    return False


def _select(subject: Subject, name: str, fitness: Array, count: int, stream: np.random.Generator) -> Array:
    with trying(f"when selecting {count} from {name}"):
        return np.asarray(SimulatedRun(subject).select(fitness, count, stream))


def _prefers_the_worse(subject: Subject, name: str, values: Array) -> bool:
    """Select n from n individuals many times, and compare the counts of each pair of individuals."""
    size = len(values)
    calls = 4000 // size if size < 100 else 100
    fitness, stream = values[rng(5).permutation(size)], rng()
    order = np.argsort(fitness.reshape(size, -1)[:, 0])
    chosen = [_select(subject, name, fitness.copy(), size, stream) for _ in range(calls)]
    taken = np.array([np.bincount(each, minlength=size) for each in chosen])[:, order]
    for worse in range(size):
        gain = taken[:, worse + 1 :] - taken[:, [worse]]
        error = gain.std(axis=0) / np.sqrt(calls)
        if (gain.mean(axis=0) < -LIMIT * np.maximum(error, 1e-9)).any():
            return True
    return False
