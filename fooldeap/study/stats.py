"""Statistics for comparing strategies by their evaluations to the goal, with censored runs.

Evaluations are float64. They are infinite for a run that did not reach the goal within its budget. Such a run is
censored. It counts as worse than every success and is never left out. Arrays have the shape (targets, seeds). If runs
pursue their targets jointly, the shape is (1, seeds), with the evaluations to all targets. Paired arrays have the same
seed at the same index.
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
EXACT = 50  # the signed-rank test is exact up to this number of differing blocks, the limit that scipy uses too


class Estimate(NamedTuple):
    """A statistic with its 95 % interval."""

    value: float
    low: float
    high: float


# --- One strategy ---------------------------------------------------------------------------------------------------


def success_rate(evaluations: ArrayLike) -> Estimate:
    """Return the share of the runs that reached the goal, with the score interval (Wilson 1927)."""
    from scipy.stats import binomtest

    reached = np.isfinite(np.asarray(evaluations, float)).ravel()
    test = binomtest(int(reached.sum()), reached.size)
    interval = test.proportion_ci(LEVEL, method="wilson")
    return Estimate(float(test.statistic), float(interval.low), float(interval.high))


def quantile(evaluations: ArrayLike, share: float) -> float:
    """Return a quantile over all runs, interpolated linearly; infinite if it falls among the censored runs."""
    ordered = np.sort(np.asarray(evaluations, float).ravel())
    place = share * (len(ordered) - 1)
    below, fraction = int(place), place - int(place)
    if not fraction:
        return float(ordered[below])
    if math.isinf(ordered[below + 1]):
        return math.inf
    return float((1 - fraction) * ordered[below] + fraction * ordered[below + 1])


def expected_running_time(evaluations: ArrayLike, spent: ArrayLike) -> float:
    """Return the expected running time, the mean cost of a success if failed runs restart (Hansen et al. 2021).

    ``spent`` has the evaluations of each run until its success or its end. The result is infinite without a success.
    """
    successes = int(np.isfinite(np.asarray(evaluations, float)).sum())
    return float(np.sum(np.asarray(spent, float))) / successes if successes else math.inf


def restricted_mean(evaluations: ArrayLike, budget: float) -> float:
    """Return the mean of min(evaluations, budget) (Irwin 1949)."""
    return float(np.minimum(np.asarray(evaluations, float), budget).mean())


# --- Two strategies -------------------------------------------------------------------------------------------------


def a12(first: ArrayLike, second: ArrayLike) -> float:
    """Return the probability that a run of ``first`` needs fewer evaluations than a run of ``second``.

    Ties count half. The probability is computed over all pairs of seeds within each target, then averaged over targets
    (Vargha and Delaney 2000).
    """
    one, other = np.atleast_2d(np.asarray(first, float)), np.atleast_2d(np.asarray(second, float))
    return float(_wins(one, other).mean(axis=(1, 2)).mean())


def _wins(one: Floats, other: Floats) -> Floats:
    fewer = one[:, :, None] < other[:, None, :]
    equal = one[:, :, None] == other[:, None, :]
    wins: Floats = fewer + 0.5 * equal
    return wins


def ratio_of_means(first: ArrayLike, second: ArrayLike, budget: float) -> float:
    """Return the restricted mean of ``first`` divided by that of ``second``; below 1, ``first`` is faster."""
    return restricted_mean(first, budget) / restricted_mean(second, budget)


def signed_rank(first: ArrayLike, second: ArrayLike) -> float:
    """Return the two-sided p-value of Wilcoxon's signed-rank test over paired blocks; 1 if all blocks tie.

    The arrays have the same shape, and each element is a block. Ties are ranked, then dropped (Pratt 1959). Censored
    runs get the worst rank (Lachin 1999): if only one side reached the goal, the difference is the largest of all; if
    neither did, the block is a tie. The p-value is exact, given the sizes of the differences, if at most 50 blocks
    differ. Otherwise it is the normal approximation.
    """
    from scipy.stats import wilcoxon

    differences = _worst_rank(np.asarray(first, float).ravel(), np.asarray(second, float).ravel())
    if np.count_nonzero(differences) <= EXACT:
        return _exact_signed_rank(differences)
    return float(wilcoxon(differences, zero_method="pratt", method="asymptotic").pvalue)


def _exact_signed_rank(differences: Floats) -> float:
    """Return the share of all combinations of signs whose rank sum is at least as extreme as the observed one.

    scipy computes this only for up to 13 blocks or without ties. If 4 of 15 blocks differ, all in favour of one
    strategy, its normal approximation gives p = .046, but the exact value is .125.
    """
    from scipy.stats import rankdata

    ranks = np.rint(2 * rankdata(np.abs(differences))).astype(int)[
        differences != 0
    ]  # doubled, because ranks of ties may be halves
    above, total = int(ranks[differences[differences != 0] > 0].sum()), int(ranks.sum())
    shares = np.zeros(total + 1)  # probability that the positive ranks sum to 0, 1, 2, ...
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
    """Return the p-value of Friedman's test of the null hypothesis that strategies do not differ.

    ``blocks`` has the shape (strategies, blocks), with at least three strategies. The p-value is 1 if all tie in
    every block.
    """
    from scipy.stats import friedmanchisquare

    values = np.asarray(blocks, float)
    if (values == values[0]).all():
        return 1.0
    return float(friedmanchisquare(*values).pvalue)


def friedman_statistic(blocks: ArrayLike) -> float:
    """Return the chi-square statistic of Friedman's test, corrected for ties; 0 if all tie in every block.

    It has one degree of freedom less than there are strategies.
    """
    from scipy.stats import friedmanchisquare

    values = np.asarray(blocks, float)
    return 0.0 if (values == values[0]).all() else float(friedmanchisquare(*values).statistic)


def mean_ranks(blocks: ArrayLike) -> Floats:
    """Return the mean rank of each strategy over blocks. Rank 1 has the fewest evaluations; ties share a mean rank."""
    from scipy.stats import rankdata

    ranks: Floats = rankdata(np.asarray(blocks, float), axis=0).mean(axis=1)
    return ranks


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p-values of a family adjusted by Holm's method (1979), in the same order."""
    values = np.asarray(p_values, float)
    order, adjusted = np.argsort(values), np.empty_like(values)
    adjusted[order] = np.minimum(np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1)), 1)
    return [float(p) for p in adjusted]


def cliques(ranks: Sequence[float], separated: ArrayLike) -> list[tuple[int, ...]]:
    """Return the groups of strategies that a critical-difference diagram connects (Demsar 2006).

    A group consists of two or more neighbours in the order of mean ranks. No pair in it is separated, and no larger
    group contains it. ``separated`` is a symmetric boolean matrix.
    """
    apart = np.asarray(separated, bool)
    order = [int(index) for index in np.argsort(np.asarray(ranks, float), kind="stable")]
    found: list[tuple[int, ...]] = []
    reach = 0
    for start in range(len(order)):
        end = start + 1
        while end < len(order) and not apart[np.ix_(order[start : end + 1], order[start : end + 1])].any():
            end += 1
        if end - start > 1 and end > reach:  # otherwise the previous group contains it
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
    """Return a statistic of samples (targets, seeds) with its bootstrap percentile interval (Efron 1979).

    Seeds are resampled. All samples get the same seeds, because they are paired. Each target draws its own seeds, or
    all targets share them if ``jointly`` is set. A bound is infinite if its quantile falls among resamples with an
    infinite statistic. With ``at_once``, ``figure`` maps arrays (resamples, targets, seeds) to an array (resamples,),
    which is much faster.
    """
    arrays = [np.atleast_2d(np.asarray(sample, float)) for sample in samples]
    rows = np.arange(arrays[0].shape[0])[:, None]
    drawn = _draw_seeds(arrays[0], rng, jointly, resamples)
    if at_once:
        value = float(figure(*(array[None] for array in arrays))[0])
        return _percentile_interval(value, figure(*(array[rows, drawn] for array in arrays)))
    values = [figure(*(array[rows, seeds] for array in arrays)) for seeds in drawn]
    return _percentile_interval(figure(*arrays), np.array(values))


def bootstrap_a12(first: ArrayLike, second: ArrayLike, rng: Rng, resamples: int = RESAMPLES) -> Estimate:
    """Return `a12` with its interval, as `bootstrap` with ``jointly`` does, about a thousand times faster."""
    one, other = np.atleast_2d(np.asarray(first, float)), np.atleast_2d(np.asarray(second, float))
    drawn = _draw_seeds(one, rng, True, resamples)[:, 0]
    # Weight each pair of seeds by how often both seeds were drawn.
    times = (drawn[:, :, None] == np.arange(one.shape[1])).sum(axis=1)
    wins = _wins(one, other).mean(axis=0)
    return _percentile_interval(a12(one, other), np.einsum("ri,ij,rj->r", times, wins, times) / one.shape[1] ** 2)


def bootstrap_ratio(
    first: ArrayLike, second: ArrayLike, budget: float, rng: Rng, resamples: int = RESAMPLES
) -> Estimate:
    """Return `ratio_of_means` with its interval; each target draws its own seeds."""

    def ratio(one: Floats, other: Floats) -> Floats:
        means = [np.minimum(values, budget).mean(axis=(1, 2)) for values in (one, other)]
        ratios: Floats = means[0] / means[1]
        return ratios

    return bootstrap(ratio, first, second, rng=rng, resamples=resamples, at_once=True)


def bootstrap_running_time(evaluations: ArrayLike, spent: ArrayLike, rng: Rng, resamples: int = RESAMPLES) -> Estimate:
    """Return `expected_running_time` with its interval; each target draws its own seeds."""

    def running_time(evaluations: Floats, spent: Floats) -> Floats:
        successes = np.isfinite(evaluations).sum(axis=(1, 2))
        times: Floats = np.full(len(successes), math.inf)
        np.divide(spent.sum(axis=(1, 2)), successes, out=times, where=successes > 0)
        return times

    return bootstrap(running_time, evaluations, spent, rng=rng, resamples=resamples, at_once=True)


def _draw_seeds(sample: Floats, rng: Rng, jointly: bool, resamples: int) -> NDArray[np.int64]:
    targets, seeds = sample.shape
    return rng.integers(0, seeds, (resamples, 1 if jointly else targets, seeds))


def _percentile_interval(value: float, values: Floats) -> Estimate:
    tail = (1 - LEVEL) / 2
    return Estimate(value, quantile(values, tail), quantile(values, 1 - tail))
