"""What a study found: a row a run, its curve and its image, as the statistics, tables and figures take them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class RunRow(NamedTuple):
    """One target of one run: a row of ``runs.csv``.

    Evaluations to something are None where the run did not come so far. ``area`` is the confidence of the best image
    until then, averaged over the evaluations from 0 to the budget (what it was at the end of the run goes on until
    there); ``diversity`` is that of the log, averaged over generations, in grey levels.
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


@dataclass(frozen=True)
class Outcome:
    """The whole study.

    Parameters
    ----------
    name : of the study
    classifier : what was fooled, in words
    goal : ``{"confidence": 0.9999}`` or ``{"score": ...}``
    budget : evaluations a target, after which a run is censored
    runs : sorted by variant, target and seed; of variants that failed there are none
    grid : evaluations, ascending, up to the budget
    curves : by (variant, target, seed), the confidence of the best image until each point of the grid, float64
    images : by (variant, target, seed), uint8 (h, w, c), the best image
    joint : the variants that pursue all targets in one run; others have a run a target
    paired : whether all variants start from the same images in the same block
    failed : variants that failed, each with why
    extended : whether the study was changed after runs of it had ended
    left_out : runs that had ended and are none of its runs any more
    forced : what had changed when a session went on all the same
    tried : the variant on trial, compared with each other one; None: all pairs are compared
    factors : of a grid of several keys, by key, the level of each variant
    """

    name: str
    classifier: str
    goal: Mapping[str, float]
    budget: int
    runs: tuple[RunRow, ...]
    grid: NDArray[np.int64]
    curves: Mapping[tuple[str, int, int], Floats] = field(repr=False)
    images: Mapping[tuple[str, int, int], NDArray[np.uint8]] = field(repr=False)
    joint: frozenset[str] = frozenset()
    paired: bool = True
    failed: Mapping[str, str] = field(default_factory=dict)
    extended: bool = False
    left_out: tuple[str, ...] = ()
    forced: tuple[str, ...] = ()
    tried: str | None = None
    factors: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

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
    def _by_key(self) -> dict[tuple[str, int, int], RunRow]:
        return {(run.variant, run.target, run.seed): run for run in self.runs}

    def run(self, variant: str, target: int, seed: int) -> RunRow:
        """Return one run's row."""
        return self._by_key[variant, target, seed]

    def column(self, variant: str, name: str) -> NDArray[Any]:
        """Return a column of a variant's runs as (targets, seeds) float64; None becomes infinity."""
        values = [[getattr(self.run(variant, target, seed), name) for seed in self.seeds] for target in self.targets]
        return np.array([[np.inf if value is None else value for value in row] for row in values], float)

    def blocks(self, variant: str) -> Floats:
        """Return evaluations to the goal, infinite where it was not reached: the primary endpoint, (targets, seeds).

        Where a variant of the study pursues its targets jointly, there is one row for all variants: evaluations until
        every target was reached, in one run or in all runs of the seed together.
        """
        each = self.column(variant, "evaluations_to_goal")
        if not self.joint:
            return each
        together: Floats = (each.max if variant in self.joint else each.sum)(axis=0, keepdims=True)
        return together

    @property
    def block_budget(self) -> int:
        """The evaluations after which a block is censored."""
        return self.budget * len(self.targets) if self.joint else self.budget
