"""What selections promise."""

from collections.abc import Iterator

import numpy as np

from fooldeap import faults
from fooldeap.errors import InputError
from fooldeap.plugin import Array
from fooldeap.testing.batches import rng
from fooldeap.testing.contract import contract
from fooldeap.testing.demands import demand, trying
from fooldeap.testing.subject import Subject

LIMIT = 6.0  # standard errors that count as a preference: by chance once in a billion comparisons

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
def _gives_as_many_indices_as_are_wanted(subject: Subject) -> None:
    for name, fitness in _tried(subject):
        for count in (0, 1, 3, 25):
            chosen = _selected(subject, name, fitness.copy(), count, rng())
            fault = faults.indices(chosen, fitness, count)
            demand(fault is None, f"asked for {count} of {name} it {fault}")


@contract("selection")
def _selects_the_same_for_the_same_seed(subject: Subject) -> None:
    for name, fitness in _tried(subject):
        one, other = (_selected(subject, name, fitness.copy(), 25, rng()) for _ in range(2))
        demand(np.array_equal(one, other), "it selects others for the same seed; draw from rng alone")


@contract("selection")
def _leaves_the_fitness_alone(subject: Subject) -> None:
    for name, values in _tried(subject):
        fitness = values[::-1].copy()
        handed = fitness.copy()
        _selected(subject, name, handed, 5, rng())
        demand(np.array_equal(handed, fitness), "it changes the fitness it is handed; work on a copy")


@contract("selection")
def _never_prefers_the_worse(subject: Subject) -> None:
    for name, fitness in _tried(subject):
        if len(np.unique(fitness, axis=0)) > 1:
            demand(
                not _prefers_the_worse(subject, name, fitness),
                f"of {name} it prefers worse to better ({LIMIT:g} standard errors); larger fitness is better",
            )


def _tried(subject: Subject) -> Iterator[tuple[str, Array]]:
    """Yield the fitness that a selection is tried on; one may refuse what is negative, by an `InputError`."""
    several = _SEVERAL if subject.plugin.options["objectives"] == "any" else {}
    for name, fitness in {**_FITNESS, **several}.items():
        if not (fitness.min() < 0 and _is_refused(subject, fitness)):
            yield name, fitness


def _is_refused(subject: Subject, fitness: Array) -> bool:
    try:
        subject.build()(fitness.copy(), 1, rng())
    except InputError:
        return True
    except Exception:
        return False  # the contract that tries it says so
    return False


def _selected(subject: Subject, name: str, fitness: Array, count: int, stream: np.random.Generator) -> Array:
    with trying(f"asked for {count} of {name}"):
        return np.asarray(subject.build()(fitness, count, stream))


def _prefers_the_worse(subject: Subject, name: str, values: Array) -> bool:
    """Select as many as there are, again and again, and compare how often each two are taken."""
    size = len(values)
    calls = 4000 // size if size < 100 else 100
    fitness, stream = values[rng(5).permutation(size)], rng()
    order = np.argsort(fitness.reshape(size, -1)[:, 0])
    chosen = [_selected(subject, name, fitness.copy(), size, stream) for _ in range(calls)]
    taken = np.array([np.bincount(each, minlength=size) for each in chosen])[:, order]
    for worse in range(size):
        gain = taken[:, worse + 1 :] - taken[:, [worse]]
        error = gain.std(axis=0) / np.sqrt(calls)
        if (gain.mean(axis=0) < -LIMIT * np.maximum(error, 1e-9)).any():
            return True
    return False
