"""The statistics of a comparison: how many evaluations strategies need, where some runs never reach the goal.

Evaluations to the goal are float64, infinite where a run did not reach it within its budget: such a run is censored,
counts as worse than every success, and is never left out. Arrays of them have the axes (targets, seeds); where runs
pursue their targets jointly there is one row, of evaluations to all targets. What is paired has the same seed at the
same place.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Rng = np.random.Generator

LEVEL = 0.95  # of all intervals
RESAMPLES = 2000
EXACT = 50  # a signed-rank test is exact up to so many blocks that differ, as scipy's own


class Estimate(NamedTuple):
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


# --- One strategy ---------------------------------------------------------------------------------------------------


def success_rate(evaluations: ArrayLike) -> Estimate:
    """Return the share of runs that reached the goal, with its score interval (Wilson 1927)."""
    from scipy.stats import binomtest

    reached = np.isfinite(np.asarray(evaluations, float)).ravel()
    test = binomtest(int(reached.sum()), reached.size)
    interval = test.proportion_ci(LEVEL, method="wilson")
    return Estimate(float(test.statistic), float(interval.low), float(interval.high))


def quantile(evaluations: ArrayLike, share: float) -> float:
    """Return a quantile over all runs, interpolated between neighbours; infinite where it falls among the censored."""
    ordered = np.sort(np.asarray(evaluations, float).ravel())
    place = share * (len(ordered) - 1)
    below, fraction = int(place), place - int(place)
    if not fraction:
        return float(ordered[below])
    if math.isinf(ordered[below + 1]):
        return math.inf
    return float((1 - fraction) * ordered[below] + fraction * ordered[below + 1])


def expected_running_time(evaluations: ArrayLike, spent: ArrayLike) -> float:
    """Return the evaluations until a success if failed runs are started again (ERT; Auger and Hansen 2005).

    ``spent`` are the evaluations of every run until its success or its end. Infinite without a success.
    """
    successes = int(np.isfinite(np.asarray(evaluations, float)).sum())
    return float(np.sum(np.asarray(spent, float))) / successes if successes else math.inf


def restricted_mean(evaluations: ArrayLike, budget: float) -> float:
    """Return the mean of the evaluations, those of a run without success being the budget (Irwin 1949)."""
    return float(np.minimum(np.asarray(evaluations, float), budget).mean())


# --- Two strategies -------------------------------------------------------------------------------------------------


def a12(first: ArrayLike, second: ArrayLike) -> float:
    """Return the probability that a run of ``first`` needs fewer evaluations than one of ``second``; ties count half.

    Within each target, over all pairs of seeds, then averaged over targets (Vargha and Delaney 2000).
    """
    one, other = np.atleast_2d(np.asarray(first, float)), np.atleast_2d(np.asarray(second, float))
    return float(_wins(one, other).mean(axis=(1, 2)).mean())


def _wins(one: Floats, other: Floats) -> Floats:
    fewer = one[:, :, None] < other[:, None, :]
    equal = one[:, :, None] == other[:, None, :]
    wins: Floats = fewer + 0.5 * equal
    return wins


def ratio_of_means(first: ArrayLike, second: ArrayLike, budget: float) -> float:
    """Return the restricted mean of ``first`` over that of ``second``: below 1, the first needs fewer evaluations."""
    return restricted_mean(first, budget) / restricted_mean(second, budget)


def signed_rank(first: ArrayLike, second: ArrayLike) -> float:
    """Return the two-sided p-value of Wilcoxon's signed-rank test over paired blocks, any shape; 1 where all tie.

    Zeros as by Pratt (1959): ranked, then dropped. Censored runs by worst rank (Lachin 1999): where one side alone did
    not reach the goal, that is the largest difference of all; where neither did, there is none. Exact, given the sizes
    of the differences, where at most 50 blocks differ; the normal approximation beyond.
    """
    from scipy.stats import wilcoxon

    differences = _worst_rank(np.asarray(first, float).ravel(), np.asarray(second, float).ravel())
    if np.count_nonzero(differences) <= EXACT:
        return _exact_signed_rank(differences)
    return float(wilcoxon(differences, zero_method="pratt", method="asymptotic").pvalue)


def _exact_signed_rank(differences: Floats) -> float:
    """Return the share of all signs of the differences that make the sum of ranks as uneven as it is.

    scipy does this only for up to 13 blocks, or where nothing ties. Its normal approximation gives four blocks that
    differ, all in favour of one, p = .046; it is .125.
    """
    from scipy.stats import rankdata

    ranks = np.rint(2 * rankdata(np.abs(differences))).astype(int)[differences != 0]  # doubled, as ties halve them
    above, total = int(ranks[differences[differences != 0] > 0].sum()), int(ranks.sum())
    shares = np.zeros(total + 1)  # of the signs for which the positive ranks sum to 0, 1, 2, ...
    shares[0] = 1
    for rank in ranks:
        shares[rank:] += shares[:-rank].copy()
        shares /= 2
    uneven = np.abs(2 * np.arange(total + 1) - total) >= abs(2 * above - total)
    return min(1.0, float(shares[uneven].sum()))


def _worst_rank(first: Floats, second: Floats) -> Floats:
    one, other = np.isinf(first), np.isinf(second)
    both = one & other
    differences = np.where(both, 0.0, first) - np.where(both, 0.0, second)
    finite = np.abs(differences[np.isfinite(differences)])
    beyond = 1 + (finite.max() if finite.size else 0.0)
    return np.where(one & ~other, beyond, np.where(other & ~one, -beyond, differences))


# --- Several strategies ---------------------------------------------------------------------------------------------


def friedman(blocks: ArrayLike) -> float:
    """Return the p-value of Friedman's test that strategies do not differ; blocks (strategies, blocks), at least three.

    1 where all tie in every block.
    """
    from scipy.stats import friedmanchisquare

    values = np.asarray(blocks, float)
    if (values == values[0]).all():
        return 1.0
    return float(friedmanchisquare(*values).pvalue)


def friedman_statistic(blocks: ArrayLike) -> float:
    """Return the chi square of Friedman's test, corrected for ties; 0 where all tie in every block.

    Its degrees of freedom are one less than there are strategies.
    """
    from scipy.stats import friedmanchisquare

    values = np.asarray(blocks, float)
    return 0.0 if (values == values[0]).all() else float(friedmanchisquare(*values).statistic)


def mean_ranks(blocks: ArrayLike) -> Floats:
    """Return the rank of each strategy, 1 the fewest evaluations, ties sharing theirs, averaged over its blocks."""
    from scipy.stats import rankdata

    ranks: Floats = rankdata(np.asarray(blocks, float), axis=0).mean(axis=1)
    return ranks


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted for being a family (Holm 1979), in their order."""
    from statsmodels.stats.multitest import multipletests

    return [float(p) for p in multipletests(p_values, method="holm")[1]] if len(p_values) else []


def cliques(ranks: Sequence[float], separated: ArrayLike) -> list[tuple[int, ...]]:
    """Return the groups of strategies that nothing separates, for a critical-difference diagram (Demsar 2006).

    Each is a largest stretch in the order of mean ranks, of two or more, in which no pair is ``separated`` (a symmetric
    matrix of truth values).
    """
    apart = np.asarray(separated, bool)
    order = [int(index) for index in np.argsort(np.asarray(ranks, float), kind="stable")]
    found: list[tuple[int, ...]] = []
    reach = 0
    for start in range(len(order)):
        end = start + 1
        while end < len(order) and not apart[np.ix_(order[start : end + 1], order[start : end + 1])].any():
            end += 1
        if end - start > 1 and end > reach:  # else it is part of the one before
            found.append(tuple(order[start:end]))
        reach = max(reach, end)
    return found


# --- Intervals ------------------------------------------------------------------------------------------------------


def bootstrap(
    figure: Callable[..., Any],
    *samples: ArrayLike,
    rng: Rng,
    jointly: bool = False,
    resamples: int = RESAMPLES,
    at_once: bool = False,
) -> Estimate:
    """Return a figure of samples (targets, seeds) with its percentile interval, seeds resampled (Efron 1979).

    The same seeds are drawn for all samples, as they are paired: within each target by itself, or ``jointly`` for all
    targets. A bound is infinite where the figure is, in too many of the resamples. With ``at_once`` the figure takes
    (resamples, targets, seeds) and gives (resamples,), which is much faster.
    """
    arrays = [np.atleast_2d(np.asarray(sample, float)) for sample in samples]
    rows = np.arange(arrays[0].shape[0])[:, None]
    drawn = _drawn(arrays[0], rng, jointly, resamples)
    if at_once:
        value = float(figure(*(array[None] for array in arrays))[0])
        return _percentiles(value, figure(*(array[rows, drawn] for array in arrays)))
    values = [figure(*(array[rows, seeds] for array in arrays)) for seeds in drawn]
    return _percentiles(figure(*arrays), np.array(values))


def bootstrap_a12(first: ArrayLike, second: ArrayLike, rng: Rng, resamples: int = RESAMPLES) -> Estimate:
    """Return `a12` as `bootstrap` does, seeds resampled jointly, in a thousandth of the time."""
    one, other = np.atleast_2d(np.asarray(first, float)), np.atleast_2d(np.asarray(second, float))
    drawn = _drawn(one, rng, True, resamples)[:, 0]
    # How often each seed was drawn weighs its row and its column of the seeds against the seeds.
    times = (drawn[:, :, None] == np.arange(one.shape[1])).sum(axis=1)
    wins = _wins(one, other).mean(axis=0)
    return _percentiles(a12(one, other), np.einsum("ri,ij,rj->r", times, wins, times) / one.shape[1] ** 2)


def bootstrap_ratio(
    first: ArrayLike, second: ArrayLike, budget: float, rng: Rng, resamples: int = RESAMPLES
) -> Estimate:
    """Return `ratio_of_means` as `bootstrap` does, seeds resampled within targets."""

    def ratio(one: Floats, other: Floats) -> Floats:
        means = [np.minimum(values, budget).mean(axis=(1, 2)) for values in (one, other)]
        ratios: Floats = means[0] / means[1]
        return ratios

    return bootstrap(ratio, first, second, rng=rng, resamples=resamples, at_once=True)


def bootstrap_running_time(evaluations: ArrayLike, spent: ArrayLike, rng: Rng, resamples: int = RESAMPLES) -> Estimate:
    """Return `expected_running_time` as `bootstrap` does, seeds resampled within targets."""

    def running_time(evaluations: Floats, spent: Floats) -> Floats:
        successes = np.isfinite(evaluations).sum(axis=(1, 2))
        times: Floats = np.full(len(successes), math.inf)
        np.divide(spent.sum(axis=(1, 2)), successes, out=times, where=successes > 0)
        return times

    return bootstrap(running_time, evaluations, spent, rng=rng, resamples=resamples, at_once=True)


def _drawn(sample: Floats, rng: Rng, jointly: bool, resamples: int) -> NDArray[np.int64]:
    targets, seeds = sample.shape
    return rng.integers(0, seeds, (resamples, 1 if jointly else targets, seeds))


def _percentiles(value: float, values: Floats) -> Estimate:
    tail = (1 - LEVEL) / 2
    return Estimate(value, quantile(values, tail), quantile(values, 1 - tail))
