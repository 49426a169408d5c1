"""The stock selections, compared with their published probabilities."""

import numpy as np
import pytest
from helpers.operators import LEVEL, operator, rng
from scipy import stats


def frequencies(name, fitness, draws=200_000, **values):
    drawn = operator("selection", name, **values)(np.asarray(fitness, float), draws, rng(11))
    return np.bincount(drawn, minlength=len(fitness))


def fits(counts, probabilities):
    expected = np.asarray(probabilities) * counts.sum()
    assert (counts[expected == 0] == 0).all()
    possible = expected > 0
    return possible.sum() == 1 or stats.chisquare(counts[possible], expected[possible]).pvalue > LEVEL


@pytest.mark.parametrize("size", [1, 2, 5])
def test_tournament_probabilities(size):
    # The i-th worst of n wins with probability (i^s - (i-1)^s) / n^s.
    n = 8
    ranks = np.arange(1, n + 1)
    assert fits(frequencies("tournament", ranks, size=size), (ranks**size - (ranks - 1) ** size) / n**size)


def test_roulette_is_proportional_to_fitness():
    fitness = np.array([1.0, 2, 3, 4, 0])
    assert fits(frequencies("roulette", fitness), fitness / 10)
    # With negative values, proportional to the distance to the worst.
    assert fits(frequencies("roulette", [-3.0, -1, 0]), np.array([0, 2, 3]) / 5)
    assert fits(frequencies("roulette", [-2.0, -2, -2, -2]), np.full(4, 0.25))


def test_stochastic_universal_draws_each_share_rounded_up_or_down():
    fitness = np.array([1.0, 2, 3, 4.5, 0])
    for seed in range(200):
        counts = np.bincount(operator("selection", "stochastic_universal")(fitness, 17, rng(seed)), minlength=5)
        assert (np.abs(counts - 17 * fitness / fitness.sum()) < 1).all()
    singles = [operator("selection", "stochastic_universal")(fitness, 1, rng(seed))[0] for seed in range(4000)]
    assert fits(np.bincount(singles, minlength=5), fitness / fitness.sum())


def test_linear_rank_has_the_published_probabilities():
    # The i-th worst of n, from 0: (2 - s) / n + 2 i (s - 1) / (n (n - 1)).
    n, s = 6, 1.7
    order = np.array([3, 0, 5, 1, 4, 2])
    expected = (2 - s) / n + 2 * order * (s - 1) / (n * (n - 1))
    assert fits(frequencies("linear_rank", 10.0**order, pressure=s), expected)
    assert fits(frequencies("linear_rank", [2.0, 2, 9], pressure=2.0), np.array([1, 1, 4]) / 6)


def test_exponential_rank_decreases_by_base_per_rank():
    weights = np.array([1, 0.5, 0.25, 0.125])
    assert fits(frequencies("exponential_rank", [4.0, 3, 2, 1], base=0.5), weights / weights.sum())
    assert fits(frequencies("exponential_rank", [4.0, 3, 3, 1], base=0.5), np.array([8, 3, 3, 1]) / 15)


def test_boltzmann_has_the_published_probabilities():
    fitness = np.array([-1.0, 0, 0.5, 3])
    weights = np.exp(fitness / 2)
    assert fits(frequencies("boltzmann", fitness, temperature=2.0), weights / weights.sum())


def test_retain_draws_from_the_best_and_random_others():
    fitness = np.arange(20.0)
    assert fits(frequencies("retain", fitness, best=0.1, others=0.0), np.array([0.0] * 18 + [0.5] * 2))
    chosen = [operator("selection", "retain")(fitness, 50, rng(seed)) for seed in range(2000)]
    lucky = np.array([np.isin(np.arange(18), each) for each in chosen])
    # Each of the 18 is in the pool with probability .1. It is then nearly always among 50 draws from about 4.
    assert stats.chisquare(lucky.sum(axis=0)).pvalue > LEVEL
    assert lucky.mean() == pytest.approx(0.1, abs=0.01)


def test_truncation_is_uniform_on_the_best_share():
    fitness = [5.0, 1, 4, 2, 3, 0]
    assert fits(frequencies("truncation", fitness, share=0.5), np.array([1, 0, 1, 0, 1, 0]) / 3)
    assert fits(frequencies("truncation", fitness, share=0.01), np.array([1, 0, 0, 0, 0, 0]))


def test_random_is_uniform():
    assert fits(frequencies("random", [9.0, 1, 5]), np.full(3, 1 / 3))
