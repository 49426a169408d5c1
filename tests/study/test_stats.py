"""The statistics against independent sources: formulas, other tests of scipy, enumeration and simulation."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats as scipy_stats
from statsmodels.stats.multitest import multipletests

from fooldeap.study import stats

INF = math.inf


def test_success_rate_has_wilsons_interval():
    z, n, k = 1.959963984540054, 12, 9
    p = k / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    got = stats.success_rate([[10.0] * 9 + [INF] * 3])
    assert got == pytest.approx((p, centre - half, centre + half))


@pytest.mark.parametrize("share", [0, 0.1, 0.25, 0.5, 0.75, 1])
def test_quantiles_match_numpy_without_censored_runs(share):
    values = np.random.default_rng(3).integers(1, 100, (3, 7))
    assert stats.quantile(values, share) == pytest.approx(np.quantile(values, share))


def test_censored_runs_stay_in_the_quantiles():
    assert stats.quantile([1, 2, INF], 0.5) == 2
    assert stats.quantile([1, 2, INF, INF], 0.5) == INF
    assert stats.quantile([1, 2, 3, INF], 0.5) == 2.5
    assert stats.quantile([INF, INF], 0.25) == INF


def test_expected_running_time():
    assert stats.expected_running_time([100, INF, 300], [100, 1000, 300]) == 700
    assert stats.expected_running_time([INF], [1000]) == INF


def test_expected_running_time_matches_simulated_restarts():
    """The strategy succeeds after 50 evaluations with probability .3. Otherwise it stops at 200."""
    rng = np.random.default_rng(0)
    runs = np.where(rng.random(20_000) < 0.3, 50.0, INF)
    restarts = rng.geometric(0.3, 20_000)
    expected = float(np.mean(50 + 200 * (restarts - 1)))
    got = stats.expected_running_time(runs, np.where(np.isinf(runs), 200, runs))
    assert got == pytest.approx(expected, rel=0.03)


def test_restricted_mean_takes_the_budget_for_a_failure():
    assert stats.restricted_mean([[100, INF], [300, 5000]], 1000) == 600


def test_a12_matches_the_u_statistic_within_targets():
    rng = np.random.default_rng(1)
    first, second = rng.integers(0, 20, (4, 9)).astype(float), rng.integers(5, 25, (4, 9)).astype(float)
    first[0, 0] = second[1, 1] = INF
    by_target = [
        1 - scipy_stats.mannwhitneyu(a, b, method="asymptotic").statistic / 81
        for a, b in zip(first, second, strict=True)
    ]
    assert stats.a12(first, second) == pytest.approx(np.mean(by_target))
    assert stats.a12(first, first) == 0.5
    assert stats.a12([1, 2], [3, INF]) == 1


def exact_signed_rank(differences):
    """Enumerate all signs of the ranks, all equally likely. Ranks of zeros are dropped."""
    ranks = scipy_stats.rankdata(np.abs(differences))[differences != 0]
    observed = abs(ranks[differences[differences != 0] > 0].sum() - ranks.sum() / 2)
    signs = np.array(list(itertools.product([0, 1], repeat=len(ranks))))
    return float(np.mean(np.abs(signs @ ranks - ranks.sum() / 2) >= observed - 1e-9))


@pytest.mark.parametrize("seed", range(4))
def test_signed_rank_matches_enumeration_of_signs(seed):
    rng = np.random.default_rng(seed)
    first, second = rng.normal(0.5, 1, 9), rng.normal(0, 1, 9)
    assert stats.signed_rank(first, second) == pytest.approx(exact_signed_rank(first - second))


@pytest.mark.parametrize("seed", range(8))
def test_signed_rank_matches_enumeration_of_signs_with_ties_and_censored_runs(seed):
    """Fifteen blocks, as in a study with blocks of seeds. scipy would use the normal approximation."""
    rng = np.random.default_rng(seed)
    first, second = rng.integers(1, 6, (2, 15)).astype(float)
    first[rng.random(15) < 0.4], second[rng.random(15) < 0.6] = INF, INF
    with np.errstate(invalid="ignore"):
        differences = np.where(first == second, 0, np.clip(first - second, -9, 9))  # 9 is the largest difference
    assert stats.signed_rank(first, second) == pytest.approx(exact_signed_rank(differences))


@pytest.mark.parametrize(("differing", "p"), [(1, 1), (4, 1 / 8), (5, 1 / 16), (6, 1 / 32)])
def test_few_differing_blocks_give_large_p_values(differing, p):
    first = np.array([100.0] * differing + [INF] * (15 - differing))
    assert stats.signed_rank(first, np.full(15, INF)) == pytest.approx(p)


@pytest.mark.parametrize("blocks", [50, 51, 150])
def test_signed_rank_matches_scipy_without_ties(blocks):
    rng = np.random.default_rng(blocks)
    first, second = rng.permutation(1000)[:blocks] + 20.0, rng.permutation(1000)[:blocks] + 0.5 * rng.random(blocks)
    expected = scipy_stats.wilcoxon(first - second, zero_method="pratt")
    assert stats.signed_rank(first, second) == pytest.approx(expected.pvalue)


def test_signed_rank_matches_scipy_if_many_blocks_differ():
    rng = np.random.default_rng(3)
    first, second = rng.integers(1, 30, (2, 150)).astype(float)
    assert (first == second).any()
    expected = scipy_stats.wilcoxon(first - second, zero_method="pratt", method="asymptotic")
    assert stats.signed_rank(first, second) == pytest.approx(expected.pvalue)


def test_a_failure_on_one_side_is_the_largest_difference():
    first, second = np.array([10.0, 50, 30, 20, 80, 60]), np.array([20.0, 40, 60, INF, 90, 10])
    worst = np.array([-10, 10, -30, -51, -10, 50])
    assert stats.signed_rank(first, second) == pytest.approx(scipy_stats.wilcoxon(worst, zero_method="pratt").pvalue)


def test_strategies_that_tie_in_every_block_give_p_1():
    assert stats.signed_rank([5, INF, 7], [5, INF, 7]) == 1
    assert stats.signed_rank([INF, INF], [INF, INF]) == 1
    assert stats.friedman([[5, INF, 7]] * 3) == 1


def test_signed_rank_holds_its_level():
    """The data have censored runs and ties, and the strategies do not differ."""
    rng = np.random.default_rng(7)

    def evaluations():
        values = rng.integers(1, 40, 20).astype(float)
        return np.where(values > 30, INF, values)

    rejected = np.mean([stats.signed_rank(evaluations(), evaluations()) < 0.05 for _ in range(2000)])
    assert 0.03 < rejected < 0.065


def test_friedman_matches_its_formula():
    values = np.random.default_rng(2).permuted(np.tile(np.arange(4.0), (10, 1)), axis=1).T
    k, n = values.shape
    ranks = values + 1  # each block is a permutation of 0 ... 3
    chi = 12 * n / (k * (k + 1)) * float(np.sum((ranks.mean(axis=1) - (k + 1) / 2) ** 2))
    assert stats.friedman(values) == pytest.approx(scipy_stats.chi2.sf(chi, k - 1))
    assert stats.mean_ranks(values) == pytest.approx(ranks.mean(axis=1))


def test_censored_runs_share_the_last_ranks():
    assert stats.mean_ranks([[1, INF], [INF, INF], [INF, 4]]).tolist() == [1.75, 2.5, 1.75]


def test_holm_by_hand():
    assert stats.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert stats.holm([]) == []


@pytest.mark.parametrize("count", [1, 2, 10, 100])
def test_holm_matches_statsmodels(count):
    p_values = np.random.default_rng(count).integers(0, 1 + 2 * count, count) / (4 * count)  # with ties and zeros
    assert stats.holm(p_values) == multipletests(p_values, method="holm")[1].tolist()


def test_cliques_are_maximal_groups_without_a_separated_pair():
    ranks = [3.0, 1.0, 2.0, 4.0]  # in order: 1, 2, 0, 3
    separated = np.zeros((4, 4), bool)
    for one, other in ((1, 0), (1, 3), (2, 3)):
        separated[one, other] = separated[other, one] = True
    assert stats.cliques(ranks, separated) == [(1, 2), (2, 0), (0, 3)]
    assert stats.cliques(ranks, np.zeros((4, 4), bool)) == [(1, 2, 0, 3)]
    assert stats.cliques(ranks, ~np.eye(4, dtype=bool)) == []


@pytest.mark.parametrize("jointly", [False, True])
def test_bootstrap_intervals_cover_the_truth(jointly):
    """The mean of exponential times, 40 seeds on 2 targets. The limits allow for the noise of 300 intervals."""
    rng = np.random.default_rng(5)

    def covered():
        sample = rng.exponential(100, (2, 40))
        estimate = stats.bootstrap(lambda x: float(x.mean()), sample, rng=rng, jointly=jointly, resamples=300)
        return estimate.low <= 100 <= estimate.high

    assert 0.89 <= np.mean([covered() for _ in range(300)]) <= 0.985


def test_bootstrap_draws_the_same_seeds_for_paired_samples():
    first = np.random.default_rng(0).normal(100, 30, (3, 10))
    estimate = stats.bootstrap(
        lambda a, b: float((a - b).mean()), first, first - 7, rng=np.random.default_rng(1), resamples=50
    )
    assert estimate == pytest.approx((7, 7, 7))


def test_bootstrap_bound_is_infinite_if_many_resamples_are():
    evaluations = [[10, 20, INF, INF, INF]]
    estimate = stats.bootstrap(
        lambda x: stats.expected_running_time(x, np.minimum(x, 100)), evaluations, rng=np.random.default_rng(0)
    )
    assert estimate.value == 165
    assert estimate.high == INF
    assert math.isfinite(estimate.low)


EVALUATIONS = np.array([[10, 40, INF, 70, 20], [INF, 30, 30, 90, INF], [500, 800, 100, 200, 700]], float)
OTHERS = np.array([[20, 40, 30, INF, 25], [60, 35, 30, INF, INF], [400, 900, 150, 100, INF]], float)


@pytest.mark.parametrize(
    ("fast", "figure", "samples", "jointly"),
    [
        (stats.bootstrap_a12, stats.a12, (EVALUATIONS, OTHERS), True),
        (
            lambda one, other, rng: stats.bootstrap_ratio(one, other, 600, rng),
            lambda one, other: stats.ratio_of_means(one, other, 600),
            (EVALUATIONS, OTHERS),
            False,
        ),
        (
            stats.bootstrap_running_time,
            stats.expected_running_time,
            (EVALUATIONS, np.minimum(EVALUATIONS, 1000)),
            False,
        ),
    ],
)
def test_fast_bootstraps_match_one_resample_at_a_time(fast, figure, samples, jointly):
    slow = stats.bootstrap(figure, *samples, rng=np.random.default_rng(4), jointly=jointly)
    assert slow.low < slow.value < slow.high
    assert fast(*samples, rng=np.random.default_rng(4)) == pytest.approx(slow)


def test_bootstrap_of_a_running_time_without_a_success():
    none = np.full((2, 4), INF)
    assert stats.bootstrap_running_time(none, np.full((2, 4), 9), np.random.default_rng(0)) == (INF, INF, INF)
    few = np.array([[3.0, INF, INF, INF]])
    assert stats.bootstrap_running_time(few, np.minimum(few, 9), np.random.default_rng(0)).high == INF


def test_friedman_statistic_matches_its_p_value():
    values = np.array([[1, 5, INF, 3, 2], [2, 5, INF, 1, 9], [3, 4, 8, INF, INF]], float)
    chi = stats.friedman_statistic(values)
    assert scipy_stats.chi2.sf(chi, 2) == pytest.approx(stats.friedman(values))
    assert stats.friedman_statistic([[5, INF, 7]] * 3) == 0
