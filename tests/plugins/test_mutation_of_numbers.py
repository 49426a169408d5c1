"""The stock mutations of real numbers and of black and white: published densities, DEAP, and limits."""

import math
import random

import numpy as np
import pytest
from helpers.operators import LEVEL, operator, reals, rng
from scipy import stats


def test_gaussian_on_real_numbers_adds_normal_noise():
    moved = operator("mutation", "gaussian", rate=0.3, sigma=20.0)(reals(300, 1000.25), rng()) - 1000.25
    assert stats.binomtest(int((moved != 0).sum()), moved.size, 0.3).pvalue > LEVEL
    assert stats.kstest(moved[moved != 0], stats.norm(0, 20).cdf).pvalue > LEVEL


def test_reset_draws_normal_numbers():
    genomes = operator("mutation", "reset", rate=0.3, sigma=20.0)(reals(300, 1000.25), rng())
    new = genomes != 1000.25
    assert stats.binomtest(int(new.sum()), new.size, 0.3).pvalue > LEVEL
    assert stats.chisquare(new.sum(axis=0).ravel()).pvalue > LEVEL
    assert stats.kstest(genomes[new], stats.norm(0, 20).cdf).pvalue > LEVEL


@pytest.mark.parametrize("eta", [0.0, 2.0, 15.0])
@pytest.mark.parametrize("value", [-300.0, 0.5])
def test_polynomial_on_real_numbers_has_the_published_density(eta, value):
    # P(d) = (eta + 1) / 2 * (1 - |d|)^eta, where d is the step divided by the largest step (Deb and Agrawal 1999).
    moved = operator("mutation", "polynomial", rate=1.0, eta=eta, largest=40.0)(reals(200, value), rng())
    steps = (moved - value).ravel() / 40

    def cdf(d):
        tail = (1 - np.abs(d)) ** (eta + 1) / 2
        return np.where(d < 0, tail, 1 - tail)

    assert np.abs(steps).max() <= 1
    assert stats.kstest(steps, cdf).pvalue > LEVEL


def test_self_adaptive_equals_deap_if_all_genes_mutate():
    # DEAP's mutESLogNormal multiplies each step size by a global and a local factor, and then makes a step.
    from deap import tools

    class Individual(list):
        pass

    random.seed(3)
    theirs = []
    for _ in range(5000):
        one = Individual([0.0] * 4)
        one.strategy = [5.0] * 4
        tools.mutESLogNormal(one, c=1.5, indpb=1.0)
        theirs.append((one[0], *np.log(one.strategy)))
    theirs = np.array(theirs)
    genomes = np.stack([np.zeros((5000, 1, 2, 2)), np.full((5000, 1, 2, 2), math.log(5))], axis=1)
    ours = operator("mutation", "self_adaptive", pace=1.5)(genomes, rng()).reshape(5000, 2, 4)
    assert stats.ks_2samp(ours[:, 0, 0], theirs[:, 0]).pvalue > LEVEL
    for statistic in (lambda steps: steps[:, 0], lambda steps: steps.mean(axis=1), lambda steps: np.ptp(steps, axis=1)):
        assert stats.ks_2samp(statistic(ours[:, 1]), statistic(theirs[:, 1:])).pvalue > LEVEL


@pytest.mark.parametrize("own", [True, False])
def test_self_adaptive_mutates_step_sizes_before_it_uses_them(own):
    n = 9
    genomes = np.stack([np.full((4000, 1, 3, 3), 7.0), np.full((4000, 1, 3, 3), math.log(5))], axis=1)
    after = operator("mutation", "self_adaptive", own_steps=own)(genomes, rng()).reshape(4000, 2, n)
    changes, steps = after[:, 1] - math.log(5), after[:, 0] - 7
    variance = 1 / (2 * n) + 1 / (2 * math.sqrt(n)) if own else 1 / n
    assert stats.kstest(changes[:, 0], stats.norm(0, math.sqrt(variance)).cdf).pvalue > LEVEL
    assert stats.kstest((steps / np.exp(after[:, 1])).ravel(), stats.norm.cdf).pvalue > LEVEL
    apart = changes[:, 0] - changes[:, 1]
    if own:
        assert stats.kstest(apart, stats.norm(0, math.sqrt(1 / math.sqrt(n))).cdf).pvalue > LEVEL
    else:
        assert np.abs(apart).max() < 1e-12


@pytest.mark.parametrize("logarithm", [-1e300, 1e300])
def test_self_adaptive_bounds_step_sizes(logarithm):
    after = operator("mutation", "self_adaptive")(np.full((3, 2, 1, 2, 2), logarithm), rng())
    assert np.isfinite(after).all()
    assert np.abs(after[:, 1]).max() == pytest.approx(math.log(1e6))


def test_self_adaptation_converges_to_an_optimum():
    # With adapting steps, the distance falls by orders of magnitude. With a fixed step, it stays at about its size.
    mutate, stream = operator("mutation", "self_adaptive", own_steps=False), rng()
    parents = np.stack([np.full((5, 1, 3, 3), 100.0), np.full((5, 1, 3, 3), math.log(10))], axis=1)
    for _ in range(300):
        children = mutate(parents[stream.integers(5, size=35)], stream)
        distance = np.sqrt((children[:, 0] ** 2).sum(axis=(1, 2, 3)))
        parents = children[np.argsort(distance)[:5]]
    assert distance.min() < 1e-3
    assert np.exp(parents[:, 1]).max() < 1e-3


@pytest.mark.parametrize(("name", "flips"), [("invert", 0.2), ("random_pixels", 0.1)])
def test_bits_are_flipped_or_redrawn(name, flips):
    before = rng(5).random((400, 10, 10, 1)) < 0.7
    changed = operator("mutation", name, rate=0.2)(before.copy(), rng()) != before
    for value in (True, False):
        assert stats.binomtest(int(changed[before == value].sum()), int((before == value).sum()), flips).pvalue > LEVEL
    assert stats.chisquare(changed.sum(axis=0).ravel()).pvalue > LEVEL
