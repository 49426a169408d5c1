"""The results of a study: one row per run, with its curve and its image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Key = tuple[str, int, int]  # variant, target, seed


class RunRow(NamedTuple):
    """One target of one run: a row of ``runs.csv``.

    ``evaluations_to_goal``, ``evaluations_to_50``, ``evaluations_to_90`` and ``evaluations_to_99`` are None if the run
    did not reach this confidence. ``area`` is the best confidence so far, averaged over the evaluations from 0 to the
    budget; after the end of the run it stays constant. ``diversity`` is the mean of the log over generations, in grey
    levels.
    """

    variant: str
    target: int
    seed: int
    evaluations_to_goal: int | None
    evaluations_to_50: int | None
    evaluations_to_90: int | None
    evaluations_to_99: int | None
    evaluations: int
    generations: int
    stopped: str
    predicted: int
    confidence: float
    score: float
    area: float
    diversity: float

    @property
    def key(self) -> Key:
        """Variant, target and seed."""
        return self.variant, self.target, self.seed


@dataclass(frozen=True)
class Outcome:
    """The results of a study.

    Parameters
    ----------
    name : name of the study
    classifier : name of the attacked classifier or classifiers
    goal : ``{"confidence": 0.9999}`` or ``{"score": ...}``
    budget : evaluations per target, after which a run is censored
    runs : sorted by variant, target and seed; without those of failed variants
    grid : numbers of evaluations at which the curves are sampled, ascending up to the budget
    curves : by (variant, target, seed), the best confidence so far at each point of the grid, float64
    images : by (variant, target, seed), the best image, uint8 (height, width, channels)
    joint : the variants that pursue all targets in one run; other variants have one run per target
    paired : whether all variants start from the same images in the same block
    failed : the error message of each failed variant
    extended : whether the study was changed after runs had finished
    left_out : finished runs that the study does not contain any more
    forced : changes that ``force`` allowed when the study was resumed
    candidate : the variant on trial, compared with each other variant; None: all pairs are compared
    factors : by factor, the level of each variant
    names : by variant, the names of the classes of its classifier; empty if it has none
    """

    name: str
    classifier: str
    goal: Mapping[str, float]
    budget: int
    runs: tuple[RunRow, ...]
    grid: NDArray[np.int64]
    curves: Mapping[Key, Floats] = field(repr=False)
    images: Mapping[Key, NDArray[np.uint8]] = field(repr=False)
    joint: frozenset[str] = frozenset()
    paired: bool = True
    failed: Mapping[str, str] = field(default_factory=dict)
    extended: bool = False
    left_out: tuple[str, ...] = ()
    forced: tuple[str, ...] = ()
    candidate: str | None = None
    factors: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    names: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @cached_property
    def variants(self) -> tuple[str, ...]:
        """The variants that did not fail, sorted."""
        return tuple(sorted({run.variant for run in self.runs}))

    @cached_property
    def targets(self) -> tuple[int, ...]:
        """The targets, sorted."""
        return tuple(sorted({run.target for run in self.runs}))

    @cached_property
    def seeds(self) -> tuple[int, ...]:
        """The seeds, sorted."""
        return tuple(sorted({run.seed for run in self.runs}))

    @cached_property
    def _by_key(self) -> dict[Key, RunRow]:
        return {run.key: run for run in self.runs}

    def run(self, variant: str, target: int, seed: int) -> RunRow:
        """Return the row of one run."""
        return self._by_key[variant, target, seed]

    def column(self, variant: str, name: str) -> NDArray[Any]:
        """Return a column of a variant as float64 (targets, seeds); None becomes infinity."""
        values = [[getattr(self.run(variant, target, seed), name) for seed in self.seeds] for target in self.targets]
        return np.array([[np.inf if value is None else value for value in row] for row in values], float)

    def blocks(self, variant: str) -> Floats:
        """Return the primary endpoint, the evaluations to the goal: float64 (targets, seeds), infinite if not reached.

        If any variant of the study pursues its targets jointly, the shape is (1, seeds) for all variants. The values
        are then the evaluations until every target was reached, in one joint run or in all runs of the seed together.
        """
        each = self.column(variant, "evaluations_to_goal")
        if not self.joint:
            return each
        together: Floats = (each.max if variant in self.joint else each.sum)(axis=0, keepdims=True)
        return together

    def budget_of(self, variant: str) -> int:
        """Return the evaluations after which a run is censored. A joint run has the budget of all its targets."""
        return self.budget * len(self.targets) if variant in self.joint else self.budget

    @property
    def block_budget(self) -> int:
        """The number of evaluations after which a block is censored."""
        return self.budget * len(self.targets) if self.joint else self.budget
