"""The contracts of mutations and crossovers."""

import numpy as np

from fooldeap import contract_checks
from fooldeap.plugin import Batch
from fooldeap.testing.batches import are_independent, copy, has_independent_rows, identical, rng
from fooldeap.testing.contract import contract
from fooldeap.testing.demands import demand, trying
from fooldeap.testing.state import SimulatedRun
from fooldeap.testing.subject import SIZES, Case, Subject

SEEDS = range(1, 10)

_VARIATION = ("mutation", "crossover")


@contract(*_VARIATION)
def _returns_children_like_the_parents(subject: Subject) -> None:
    for case in subject.cases():
        for size in SIZES:
            _vary(subject, case, size)


@contract(*_VARIATION)
def _stays_within_the_bounds(subject: Subject) -> None:
    for case in subject.cases():
        if case.genome.dtype is None or case.genome.bounds is None:
            continue
        for children in _vary(subject, case, 7):
            low, high = case.genome.bounds
            demand(np.isfinite(children).all(), "it returns values that are not finite")
            inside = children.min() >= low and children.max() <= high
            demand(inside, f"it returns values outside the bounds of the genome, {low:g} to {high:g}; clip them")


@contract(*_VARIATION)
def _is_deterministic(subject: Subject) -> None:
    for case in subject.cases():
        demand(
            identical(_vary(subject, case, 7), _vary(subject, case, 7)),
            "it returns different children for the same seed; draw from rng only, and keep state only in fields",
        )


@contract("mutation")
def _varies_with_the_seed(subject: Subject) -> None:
    for case in subject.cases():
        # A mutation with a low rate may leave a small batch unchanged: then a large batch decides.
        demand(
            _depends_on_the_seed(subject, case, 7) or _depends_on_the_seed(subject, case.enlarge(), 100),
            f"it returns the same children for {len(SEEDS)} seeds; draw from rng",
        )


@contract(*_VARIATION)
def _returns_independent_children(subject: Subject) -> None:
    for case in subject.cases():
        children = _vary(subject, case, 7)
        before = copy(children)
        _vary(subject, case, 7, 2)
        demand(identical(children, before), "a second call changes the children of the first call; return new arrays")
        for batch in children:
            demand(has_independent_rows(batch), "its children share memory; return copies")
        if len(children) == 2:
            demand(are_independent(*children), "its two batches of children share memory; return copies")


def _vary(subject: Subject, case: Case, size: int, seed: int = 1) -> tuple[Batch, ...]:
    """Return the children as a tuple of batches, checked as in the engine."""
    first, second = case.sample(size, 11), case.sample(size, 12)
    where = f"with {case.describe(size)}"
    run = SimulatedRun(subject, case)
    run.evaluate(first)
    run.evaluate(second)
    if subject.plugin.kind == "mutation":
        with trying(where):
            result = run.operator(copy(first), rng(seed))
        fault, children = contract_checks.same(result, first), (result,)
    else:
        with trying(where):
            result = run.operator(copy(first), copy(second), rng(seed))
        fault, children = contract_checks.pair(result, first, second), result
    demand(fault is None, f"{where} it {fault}")
    return children


def _depends_on_the_seed(subject: Subject, case: Case, size: int) -> bool:
    first, *others = (_vary(subject, case, size, seed) for seed in SEEDS)
    return any(not identical(first, other) for other in others)
