"""What mutations and crossovers promise."""

import numpy as np

from fooldeap import faults
from fooldeap.plugin import Batch
from fooldeap.testing.batches import apart, copy, identical, own_rows, rng
from fooldeap.testing.contract import contract
from fooldeap.testing.demands import demand, trying
from fooldeap.testing.subject import SIZES, Ground, Subject

SEEDS = range(1, 10)

_VARIATION = ("mutation", "crossover")


@contract(*_VARIATION)
def _gives_as_many_children_of_the_same_sort(subject: Subject) -> None:
    for ground in subject.grounds():
        for size in SIZES:
            _vary(subject, ground, size)


@contract(*_VARIATION)
def _stays_within_the_bounds(subject: Subject) -> None:
    for ground in subject.grounds():
        if ground.genome.dtype is None or ground.genome.bounds is None:
            continue
        for children in _vary(subject, ground, 7):
            low, high = ground.genome.bounds
            demand(np.isfinite(children).all(), "it gives values that are not finite")
            inside = children.min() >= low and children.max() <= high
            demand(inside, f"it leaves the genome's bounds, {low:g} to {high:g}; clip what it gives")


@contract(*_VARIATION)
def _gives_the_same_bits_for_the_same_seed(subject: Subject) -> None:
    for ground in subject.grounds():
        demand(
            identical(_vary(subject, ground, 7), _vary(subject, ground, 7)),
            "it gives other children for the same seed; draw from rng alone, and keep nothing between calls",
        )


@contract("mutation")
def _gives_other_bits_for_another_seed(subject: Subject) -> None:
    for ground in subject.grounds():
        # One that hits a value in ten thousand may leave a small batch as it is: then a large one decides.
        demand(
            _depends_on_the_seed(subject, ground, 7) or _depends_on_the_seed(subject, ground.enlarged(), 100),
            f"it gives the same children for {len(SEEDS)} seeds; does it draw from rng?",
        )


@contract(*_VARIATION)
def _gives_children_of_their_own(subject: Subject) -> None:
    for ground in subject.grounds():
        children = _vary(subject, ground, 7)
        before = copy(children)
        _vary(subject, ground, 7, 2)
        demand(identical(children, before), "a second call changes the children of the first; return new ones")
        for batch in children:
            demand(own_rows(batch), "its children share memory; a change to one would change another: return copies")
        if len(children) == 2:
            demand(apart(*children), "its two batches of children share memory; return copies")


def _vary(subject: Subject, ground: Ground, size: int, seed: int = 1) -> tuple[Batch, ...]:
    """Return the children as a tuple of batches, checked as the engine does it."""
    first, second = ground.sample(size, 11), ground.sample(size, 12)
    where = f"with {ground.said(size)}"
    if subject.plugin.kind == "mutation":
        with trying(where):
            result = subject.build()(copy(first), rng(seed))
        fault, children = faults.same(result, first), (result,)
    else:
        with trying(where):
            result = subject.build()(copy(first), copy(second), rng(seed))
        fault, children = faults.pair(result, first, second), result
    demand(fault is None, f"{where} it {fault}")
    return children


def _depends_on_the_seed(subject: Subject, ground: Ground, size: int) -> bool:
    first, *others = (_vary(subject, ground, size, seed) for seed in SEEDS)
    return any(not identical(first, other) for other in others)
