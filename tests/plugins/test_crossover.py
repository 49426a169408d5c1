"""The stock crossovers, compared with published densities, DEAP, and required properties."""

import random

import numpy as np
import pytest
from helpers.operators import LEVEL, operator, reals, rng
from scipy import stats


@pytest.mark.parametrize("share", [0.5, 0.2])
def test_uniform_swaps_each_gene_with_probability_share(share):
    first, second = np.zeros((500, 8, 8, 1), np.uint8), np.ones((500, 8, 8, 1), np.uint8)
    swapped, _ = operator("crossover", "uniform", share=share)(first, second, rng())
    assert stats.binomtest(int(swapped.sum()), swapped.size, share).pvalue > LEVEL
    assert stats.chisquare(swapped.sum(axis=0, dtype=int).ravel()).pvalue > LEVEL


@pytest.mark.parametrize("name", ["one_point", "two_point", "rectangle"])
def test_swapped_genes_are_contiguous(name):
    # All cuts are equally likely, so the expected counts follow from counting the cuts.
    first, second = np.zeros((60_000, 4, 3, 1), np.uint8), np.ones((60_000, 4, 3, 1), np.uint8)
    swapped = operator("crossover", name)(first, second, rng())[0][..., 0]
    flat = swapped.reshape(len(swapped), -1)
    if name == "rectangle":
        heights, widths = swapped.any(axis=2).sum(axis=1), swapped.any(axis=1).sum(axis=1)
        assert np.array_equal(swapped.sum(axis=(1, 2)), heights * widths)
        assert stats.chisquare(np.bincount(heights)[1:], len(heights) * np.array([4, 3, 2, 1]) / 10).pvalue > LEVEL
        assert stats.chisquare(np.bincount(widths)[1:], len(widths) * np.array([3, 2, 1]) / 6).pvalue > LEVEL
        return
    edges = np.abs(np.diff(flat.astype(int), axis=1)).sum(axis=1)
    lengths = np.bincount(flat.sum(axis=1), minlength=13)[1:]
    if name == "one_point":
        assert (edges == 1).all()
        assert (flat[:, -1] == 1).all()
        assert stats.chisquare(lengths[:11]).pvalue > LEVEL
    else:
        assert (edges <= 2).all()
        assert stats.chisquare(lengths, len(flat) * np.arange(12, 0, -1) / 78).pvalue > LEVEL


def test_blend_is_uniform_on_the_extended_interval():
    first, second = np.full((300, 20, 20, 1), 100, np.uint8), np.full((300, 20, 20, 1), 140, np.uint8)
    one, other = operator("crossover", "blend", alpha=0.25)(first, second, rng())
    for child in (one, other):
        counts = np.bincount(child.ravel(), minlength=256)
        inner, ends = counts[91:150], counts[[90, 150]]
        assert counts.sum() == inner.sum() + ends.sum()
        # Rounding gives the ends of 90 ... 150 half the probability of the inner values.
        expected = child.size * np.array([0.5, *[1] * 59, 0.5]) / 60
        assert stats.chisquare([ends[0], *inner, ends[1]], expected).pvalue > LEVEL
    clipped, _ = operator("crossover", "blend", alpha=2.0)(first * 0, first * 0 + 255, rng())
    assert (clipped == 0).mean() == pytest.approx(0.4, abs=0.02)


@pytest.mark.parametrize("eta", [2.0, 15.0])
def test_sbx_has_the_published_density(eta):
    # The spread factor b = |difference of children| / |difference of parents| has the density
    # (eta + 1) / 2 * b^eta up to 1 and (eta + 1) / 2 / b^(eta + 2) above (Deb and Agrawal 1995), far from the bounds.
    low, high = 118, 138
    first, second = np.full((400, 20, 20, 1), low, np.uint8), np.full((400, 20, 20, 1), high, np.uint8)
    one, other = operator("crossover", "sbx", rate=1.0, eta=eta)(first, second, rng())
    nearer = np.minimum(one, other)

    def cdf(x):  # of the lower child, 128 - 10 b
        b = np.maximum((128 - np.asarray(x, float)) / 10, 0)
        with np.errstate(divide="ignore"):
            return 1 - np.where(b <= 1, b ** (eta + 1) / 2, 1 - b ** -(eta + 1) / 2)

    values = np.arange(60, 128)
    expected = nearer.size * (cdf(values + 0.5) - cdf(values - 0.5))
    counts = np.array([(nearer == value).sum() for value in values])
    kept = expected > 5
    kept[-1] = False  # 128 can be the lower or the upper child
    observed = counts[kept]
    assert stats.chisquare(observed, expected[kept] * observed.sum() / expected[kept].sum()).pvalue > LEVEL
    assert observed.sum() / nearer.size == pytest.approx(expected[kept].sum() / nearer.size, abs=0.01)
    assert stats.binomtest(int((one < other).sum()), int((one != other).sum()), 0.5).pvalue > LEVEL


def test_sbx_near_a_bound_equals_deap():
    from deap import tools

    random.seed(5)
    theirs = []
    for _ in range(20_000):
        one, other = tools.cxSimulatedBinaryBounded([5.0], [60.0], eta=3.0, low=0.0, up=255.0)
        theirs += [*one, *other]
    first, second = np.full((20_000, 1, 1, 1), 5, np.uint8), np.full((20_000, 1, 1, 1), 60, np.uint8)
    ours = np.concatenate(operator("crossover", "sbx", rate=0.5, eta=3.0)(first, second, rng())).ravel()
    # DEAP crosses every gene with probability 1/2.
    rounded = np.rint(theirs).clip(0, 255).astype(int)
    table = np.array([np.bincount(values, minlength=256) for values in (rounded, ours)])
    table = table[:, table.sum(axis=0) > 10]
    assert stats.chi2_contingency(table).pvalue > LEVEL


@pytest.mark.parametrize("alpha", [0.0, 0.5])
def test_blend_on_real_numbers_is_uniform_on_the_extended_interval(alpha):
    one, other = operator("crossover", "blend", alpha=alpha)(reals(200, -3.0), reals(200, 5.0), rng())
    for child in (one, other):
        assert stats.kstest(child.ravel(), stats.uniform(-3 - 8 * alpha, 8 + 16 * alpha).cdf).pvalue > LEVEL
    assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.03


def test_sbx_on_real_numbers_equals_deap_without_bounds():
    from deap import tools

    random.seed(5)
    theirs = np.array([tools.cxSimulatedBinary([-3.0], [5.0], eta=3.0) for _ in range(20_000)])[..., 0]
    one, other = operator("crossover", "sbx", rate=1.0, eta=3.0)(reals(100, -3.0), reals(100, 5.0), rng())
    assert one + other == pytest.approx(reals(100, 2.0))
    assert stats.ks_2samp(np.minimum(one, other).ravel(), theirs.min(axis=1)).pvalue > LEVEL
    assert stats.binomtest(int((one < other).sum()), one.size, 0.5).pvalue > LEVEL


def test_sbx_does_not_change_genes_that_it_does_not_cross():
    first, second = rng(1).normal(size=(2, 500, 30))
    one, other = operator("crossover", "sbx", rate=0.2)(first.copy(), second.copy(), rng())
    crossed = one != first
    assert np.array_equal(crossed, other != second)
    assert stats.binomtest(int(crossed.sum()), crossed.size, 0.2).pvalue > LEVEL
    same, again = operator("crossover", "sbx", rate=1.0)(first.copy(), first.copy(), rng())
    assert np.array_equal(same, first)
    assert np.array_equal(again, first)


def test_halves_swaps_the_lower_halves():
    first, second = np.zeros((3, 7, 4, 1), np.uint8), np.ones((3, 7, 4, 1), np.uint8)
    one, other = operator("crossover", "halves")(first, second, rng())
    assert (one[:, :3] == 0).all()
    assert (one[:, 3:] == 1).all()
    assert (other[:, :3] == 1).all()
    assert (other[:, 3:] == 0).all()
