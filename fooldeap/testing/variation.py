"""What mutations and crossovers promise."""

from typing import Any

import numpy as np

from fooldeap import faults
from fooldeap.plugin import Batch
from fooldeap.testing.promise import SIZES, Subject, contract, copy, demand, own_rows, rng, same

SEEDS = range(1, 10)


_VARIATION = ("mutation", "crossover")


def _parents(genome: Any, size: int) -> tuple[Batch, Batch]:
    return genome.sample(size, rng(11)), genome.sample(size, rng(12))


def _vary(subject: Subject, genome: Any, size: int, seed: int = 1) -> tuple[Batch, ...]:
    """Return the children as a tuple of batches, checked as the engine does it."""
    first, second = _parents(genome, size)
    if subject.plugin.kind == "mutation":
        result = subject.build()(copy(first), rng(seed))
        fault, children = faults.same(result, first), (result,)
    else:
        result = subject.build()(copy(first), copy(second), rng(seed))
        fault, children = faults.pair(result, first, second), result
    demand(fault is None, f"with a batch of {size} it {fault}")
    return children


@contract(*_VARIATION)
def _gives_as_many_children_of_the_same_sort(subject: Subject) -> None:
    for genome in subject.genomes():
        for size in SIZES:
            _vary(subject, genome, size)


@contract(*_VARIATION)
def _stays_within_the_bounds(subject: Subject) -> None:
    for genome in subject.genomes():
        if genome.dtype is None or genome.bounds is None:
            continue
        for children in _vary(subject, genome, 7):
            low, high = genome.bounds
            demand(np.isfinite(children).all(), "it gives values that are not finite")
            inside = children.min() >= low and children.max() <= high
            demand(inside, f"it leaves the genome's bounds, {low:g} to {high:g}; clip what it gives")


@contract(*_VARIATION)
def _gives_the_same_bits_for_the_same_seed(subject: Subject) -> None:
    for genome in subject.genomes():
        demand(
            same(_vary(subject, genome, 7), _vary(subject, genome, 7)),
            "it gives other children for the same seed; draw from rng alone, and keep nothing between calls",
        )


@contract("mutation")
def _gives_other_bits_for_another_seed(subject: Subject) -> None:
    for genome in subject.genomes():
        first = _vary(subject, genome, 7)
        demand(
            any(not same(first, _vary(subject, genome, 7, seed)) for seed in SEEDS),
            f"it gives the same children for {len(SEEDS)} seeds; does it draw from rng?",
        )


@contract(*_VARIATION)
def _gives_children_of_their_own(subject: Subject) -> None:
    for genome in subject.genomes():
        children = _vary(subject, genome, 7)
        before = copy(children)
        _vary(subject, genome, 7, 2)
        demand(same(children, before), "a second call changes the children of the first; return new ones")
        for batch in children:
            demand(own_rows(batch), "its children share memory; a change to one would change another: return copies")
        if len(children) == 2 and isinstance(children[0], np.ndarray):
            apart = not np.shares_memory(*children)
            demand(apart, "its two batches of children share memory; return copies")
