"""Synthetic studies with a known truth, generated from a real study, and the statistical tests of fooldeap on them.

A study is an array (variants, targets, seeds) of evaluations to the goal; a censored run is infinite.
"""

import bisect
import csv
import gzip
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fooldeap.study import stats
from fooldeap.study.factors import over_settings

Floats = NDArray[np.float64]
Rng = np.random.Generator
Pair = tuple[int, int]

LEVEL = 0.05


def read(path: Path) -> tuple[list[str], Floats]:
    """Return the names of the variants in a ``runs.csv``, and the study."""
    with gzip.open(path, "rt", newline="") if path.suffix == ".gz" else path.open(newline="") as file:
        rows = {(row["variant"], int(row["target"]), int(row["seed"])): row for row in csv.DictReader(file)}
    names, targets, seeds = (sorted(set(column)) for column in zip(*rows, strict=True))
    study = [[[_evaluations(rows[name, t, s]) for s in seeds] for t in targets] for name in names]
    return names, np.array(study)


def _evaluations(row: dict[str, str]) -> float:
    return float(row["evaluations_to_goal"] or np.inf)


# --- Tests ----------------------------------------------------------------------------------------------------------


def friedman_alarms(study: Floats) -> bool:
    """Return whether Friedman's test finds a difference between the variants."""
    return stats.friedman(study.reshape(len(study), -1)) < LEVEL


def separated(study: Floats) -> set[Pair]:
    """Return the pairs of variants that differ in the signed-rank test with Holm's correction over all pairs."""
    pairs = list(itertools.combinations(range(len(study)), 2))
    p_values = stats.holm([stats.signed_rank(study[one], study[other]) for one, other in pairs])
    return {pair for pair, p in zip(pairs, p_values, strict=True) if p < LEVEL}


def any_pair(study: Floats) -> bool:
    """Return whether any pair is separated."""
    return bool(separated(study))


def any_equal_pair(study: Floats) -> bool:
    """Return whether any pair without the last variant, the bad one, is separated."""
    bad = len(study) - 1
    return any(bad not in pair for pair in separated(study))


def first_pair(study: Floats) -> bool:
    """Return whether the first two variants are separated; in studies of power, only the first variant is better."""
    return (0, 1) in separated(study)


def separated_levels(grid: Floats, budget: float) -> set[tuple[int, Pair]]:
    """Return the factor and the levels of each separated pair of levels; a grid is (levels, levels, targets, seeds)."""
    pairs, p_values = [], []
    for factor in (0, 1):
        levels = [over_settings(list(each), budget) for each in np.moveaxis(grid, factor, 0)]
        for one, other in itertools.combinations(range(len(levels)), 2):
            pairs.append((factor, (one, other)))
            p_values.append(stats.signed_rank(levels[one], levels[other]))
    return {pair for pair, p in zip(pairs, stats.holm(p_values), strict=True) if p < LEVEL}


def count(studies: int, make: Callable[[], Floats], *tests: Callable[[Floats], bool]) -> list[int]:
    """Return for each test the number of studies, out of ``studies``, in which it finds a difference."""
    found = [[test(study) for test in tests] for study in (make() for _ in range(studies))]
    return [sum(column) for column in zip(*found, strict=True)]


# --- Studies without a difference -----------------------------------------------------------------------------------


def some(real: Floats, variants: int, rng: Rng) -> Floats:
    """Return ``variants`` randomly drawn variants of a study."""
    return real[rng.choice(len(real), min(variants, len(real)), replace=False)]


def permuted(real: Floats, rng: Rng) -> Floats:
    """Return a study without differences: the values of each block are permuted among the variants."""
    return rng.permuted(real, axis=0)


def worst_is_bad(real: Floats, rng: Rng) -> Floats:
    """Return a study whose last variant has the worst value of every block; the other variants do not differ."""
    ordered = np.sort(real, axis=0)
    return np.concatenate([permuted(ordered[:-1], rng), ordered[-1:]])


def failing_is_bad(real: Floats, rng: Rng) -> Floats:
    """Return a study of variants that do not differ, and a last variant that never reaches the goal."""
    return np.concatenate([permuted(real, rng), np.full_like(real[:1], np.inf)])


def by_seed(separate: Floats) -> Floats:
    """Return the evaluations to all targets of a seed, for separate runs per target; the blocks are seeds."""
    return separate.sum(axis=1, keepdims=True)


def together(joint: Floats) -> Floats:
    """Return the evaluations to all targets of a seed, for one run per seed; the blocks are seeds."""
    return joint.max(axis=1, keepdims=True)


def one_factor_only(variants: Floats, copies: int, rng: Rng) -> Floats:
    """Return a grid (variants, copies, targets, seeds): the levels of the first factor differ, those of the second not.

    The values of each variant and target are drawn again for each level of the second factor.
    """
    seeds = variants.shape[-1]
    return np.stack([rng.choice(each, (copies, seeds), axis=1).swapaxes(0, 1) for each in variants])


# --- Studies with a difference --------------------------------------------------------------------------------------


class Population:
    """The population of all runs of a variant: for each target, the smoothed distribution of its real runs.

    Quantiles are interpolated between the logarithms of the real evaluations. Runs above the budget are censored. The
    share of censored real runs is kept.

    Parameters
    ----------
    runs : real evaluations (targets, seeds); censored runs are infinite
    budget : one number, or one for each target
    """

    def __init__(self, runs: Floats, budget: float | Floats = np.inf) -> None:
        self._ordered = np.sort(runs, axis=1)
        self._budget = np.broadcast_to(budget, len(runs))

    @property
    def targets(self) -> int:
        """The number of targets."""
        return len(self._ordered)

    def at(self, shares: Floats, factors: Floats | float = 1.0) -> Floats:
        """Return the quantiles at ``shares`` (..., targets, n), multiplied by the factor of each target."""
        values = np.empty_like(shares)
        for target, factor in enumerate(np.broadcast_to(factors, self.targets)):
            values[..., target, :] = self._of(target, shares[..., target, :], float(factor))
        return values

    def draw(self, variants: int, seeds: int, rng: Rng, better: Floats | float = 1.0, luck: float = 0.0) -> Floats:
        """Return a study drawn from this population; the first variant's evaluations are multiplied by ``better``.

        ``luck`` is the correlation of the normal scores of the targets of one seed (a Gaussian copula).
        """
        from scipy.special import ndtr

        shared, own = rng.normal(size=(variants, 1, seeds)), rng.normal(size=(variants, self.targets, seeds))
        shares = ndtr(np.sqrt(luck) * shared + np.sqrt(1 - luck) * own)
        return np.concatenate([self.at(shares[:1], better), self.at(shares[1:])])

    def better(self, a12: float) -> Floats:
        """Return for each target the factor below 1 that makes the population better by exactly this A12."""
        return np.array([self._factor(target, a12) for target in range(self.targets)])

    def _of(self, target: int, shares: Floats, factor: float) -> Floats:
        ordered = self._ordered[target]
        known = np.log(ordered[np.isfinite(ordered)])
        if not len(known):
            return np.full_like(shares, np.inf)
        places = (np.arange(len(known)) + 0.5) / len(ordered)
        values = np.maximum(1, np.ceil(factor * np.exp(np.interp(shares, places, known))))
        beyond = (shares > len(known) / len(ordered)) | (values > self._budget[target])
        return np.where(beyond, np.inf, values)

    def _factor(self, target: int, a12: float) -> float:
        shares = (np.arange(500) + 0.5) / 500
        stock = self._of(target, shares, 1.0)
        low, high = -10.0, 0.0  # logarithms
        if stats.a12(self._of(target, shares, np.exp(low)), stock) < a12:
            return float("nan")
        for _ in range(30):
            middle = (low + high) / 2
            is_better = stats.a12(self._of(target, shares, np.exp(middle)), stock) >= a12
            low, high = (middle, high) if is_better else (low, middle)
        return float(np.exp(low))


def steadiest(real: Floats) -> Floats:
    """Return the variant with the most runs that reached the goal."""
    return real[int(np.isfinite(real).sum(axis=(1, 2)).argmax())]


def seeds_needed(wanted: int, found: Callable[[int], int], candidates: Sequence[int]) -> int | None:
    """Return the smallest candidate with at least ``wanted`` successful studies; None if there is none."""
    place = bisect.bisect_left(candidates, wanted, key=found)
    return candidates[place] if place < len(candidates) else None
