"""Studies made up from a real one, in which the truth is known; and what fooldeap's statistics say about them.

A study is an array (variants, targets, seeds) of evaluations to the goal, infinite where a run is censored.
"""

import bisect
import contextlib
import csv
import gc
import gzip
import itertools
from collections.abc import Callable, Iterator, Sequence
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
    """Return the variants of a ``runs.csv``, and their evaluations to the goal."""
    with gzip.open(path, "rt", newline="") if path.suffix == ".gz" else path.open(newline="") as file:
        rows = {(row["variant"], int(row["target"]), int(row["seed"])): row for row in csv.DictReader(file)}
    names, targets, seeds = (sorted(set(column)) for column in zip(*rows, strict=True))
    study = [[[_evaluations(rows[name, t, s]) for s in seeds] for t in targets] for name in names]
    return names, np.array(study)


def _evaluations(row: dict[str, str]) -> float:
    return float(row["evaluations_to_goal"] or np.inf)


# --- What the statistics say ----------------------------------------------------------------------------------------


def friedman_alarms(study: Floats) -> bool:
    """Return whether Friedman's test takes the variants for different."""
    return stats.friedman(study.reshape(len(study), -1)) < LEVEL


def separated(study: Floats) -> set[Pair]:
    """Return the pairs of variants that the signed-rank test separates, after Holm over all pairs."""
    pairs = list(itertools.combinations(range(len(study)), 2))
    p_values = stats.holm([stats.signed_rank(study[one], study[other]) for one, other in pairs])
    return {pair for pair, p in zip(pairs, p_values, strict=True) if p < LEVEL}


def any_pair(study: Floats) -> bool:
    """Return whether any pair is separated, where none differs."""
    return bool(separated(study))


def any_equal_pair(study: Floats) -> bool:
    """Return whether any pair is separated but those of the last variant, which is the bad one."""
    bad = len(study) - 1
    return any(bad not in pair for pair in separated(study))


def first_pair(study: Floats) -> bool:
    """Return whether the first two variants are separated: in studies of power, the better one and an equal one."""
    return (0, 1) in separated(study)


def separated_levels(grid: Floats, budget: float) -> set[tuple[int, Pair]]:
    """Return which pairs of levels are separated, each with its factor; a grid is (levels, levels, targets, seeds)."""
    pairs, p_values = [], []
    for factor in (0, 1):
        levels = [over_settings(list(each), budget) for each in np.moveaxis(grid, factor, 0)]
        for one, other in itertools.combinations(range(len(levels)), 2):
            pairs.append((factor, (one, other)))
            p_values.append(stats.signed_rank(levels[one], levels[other]))
    return {pair for pair, p in zip(pairs, stats.holm(p_values), strict=True) if p < LEVEL}


@contextlib.contextmanager
def quick() -> Iterator[None]:
    """Spare thousands of studies the garbage collection that statsmodels asks for in every call of Holm's procedure."""
    stats.holm([1.0])  # which imports it
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def count(studies: int, make: Callable[[], Floats], *verdicts: Callable[[Floats], bool]) -> list[int]:
    """Return in how many of so many studies each verdict is that there is a difference."""
    said = [[verdict(study) for verdict in verdicts] for study in (make() for _ in range(studies))]
    return [sum(column) for column in zip(*said, strict=True)]


# --- Without a difference -------------------------------------------------------------------------------------------


def some(real: Floats, variants: int, rng: Rng) -> Floats:
    """Return so many variants of a study, drawn from all."""
    return real[rng.choice(len(real), min(variants, len(real)), replace=False)]


def permuted(real: Floats, rng: Rng) -> Floats:
    """Return a study in which no variant differs: the values of each block are dealt out among the variants."""
    return rng.permuted(real, axis=0)


def worst_is_bad(real: Floats, rng: Rng) -> Floats:
    """Return a study whose last variant has the worst value of every block, the others being dealt out equally."""
    ordered = np.sort(real, axis=0)
    return np.concatenate([permuted(ordered[:-1], rng), ordered[-1:]])


def failing_is_bad(real: Floats, rng: Rng) -> Floats:
    """Return a study of equal variants, and a last one that never reaches the goal."""
    return np.concatenate([permuted(real, rng), np.full_like(real[:1], np.inf)])


def by_seed(separate: Floats) -> Floats:
    """Return the evaluations to all targets, where these are separate runs: one row, blocks are seeds."""
    return separate.sum(axis=1, keepdims=True)


def together(joint: Floats) -> Floats:
    """Return the evaluations to all targets, where these share a run: one row, blocks are seeds."""
    return joint.max(axis=1, keepdims=True)


def one_factor_only(variants: Floats, copies: int, rng: Rng) -> Floats:
    """Return a grid of a factor whose levels are real variants, and of one that does nothing: (variants, copies, ...).

    Of each variant the values of its targets are drawn anew, as often as there are levels that do nothing.
    """
    seeds = variants.shape[-1]
    return np.stack([rng.choice(each, (copies, seeds), axis=1).swapaxes(0, 1) for each in variants])


# --- With a difference ----------------------------------------------------------------------------------------------


class Population:
    """All runs that a variant might have: for each target the distribution of its real runs, smoothed.

    Between the logarithms of the real evaluations, quantiles are interpolated. What would take longer than the budget
    is censored; where real runs were censored, as large a share of all runs is.

    Parameters
    ----------
    runs : (targets, seeds) real evaluations, infinite where censored
    budget : of each target, or of all
    """

    def __init__(self, runs: Floats, budget: float | Floats = np.inf) -> None:
        self._ordered = np.sort(runs, axis=1)
        self._budget = np.broadcast_to(budget, len(runs))

    @property
    def targets(self) -> int:
        """How many targets there are."""
        return len(self._ordered)

    def at(self, shares: Floats, factors: Floats | float = 1.0) -> Floats:
        """Return quantiles (..., targets, n) by their shares, evaluations being multiplied by each target's factor."""
        values = np.empty_like(shares)
        for target, factor in enumerate(np.broadcast_to(factors, self.targets)):
            values[..., target, :] = self._of(target, shares[..., target, :], float(factor))
        return values

    def draw(self, variants: int, seeds: int, rng: Rng, better: Floats | float = 1.0, luck: float = 0.0) -> Floats:
        """Return a study of this population, the first variant's evaluations being multiplied by factors.

        ``luck`` is the correlation of the targets of a seed: that of their normal scores (a Gaussian copula).
        """
        from scipy.special import ndtr

        shared, own = rng.normal(size=(variants, 1, seeds)), rng.normal(size=(variants, self.targets, seeds))
        shares = ndtr(np.sqrt(luck) * shared + np.sqrt(1 - luck) * own)
        return np.concatenate([self.at(shares[:1], better), self.at(shares[1:])])

    def better(self, a12: float) -> Floats:
        """Return the factors, below 1, that make the population better to just that A12 within each target."""
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
            enough = stats.a12(self._of(target, shares, np.exp(middle)), stock) >= a12
            low, high = (middle, high) if enough else (low, middle)
        return float(np.exp(low))


def steadiest(real: Floats) -> Floats:
    """Return the variant with the most runs that reached the goal."""
    return real[int(np.isfinite(real).sum(axis=(1, 2)).argmax())]


def seeds_needed(wanted: int, found: Callable[[int], int], candidates: Sequence[int]) -> int | None:
    """Return the least of ascending numbers of seeds with which so many studies find the difference."""
    place = bisect.bisect_left(candidates, wanted, key=found)
    return candidates[place] if place < len(candidates) else None
