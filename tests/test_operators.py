"""The stock operators against independent truth: formulas worked by hand, closed forms, properties that must hold.

Goodness-of-fit tests are at the level 1e-4, with fixed seeds: they fail when the operator is wrong, not by chance.
"""

import math

import numpy as np
import pytest
from scipy import special, stats

from fooldeap import registry
from fooldeap.plugin import Predictions

REGISTRY = registry.load()
LEVEL = 1e-4
NAMED = [(plugin.kind, plugin.name) for plugin in REGISTRY.all()]


def operator(kind, name, *given, **values):
    plugin = REGISTRY.get(kind, name)
    defaults = {key: parameter.default for key, parameter in plugin.parameters.items()}
    return plugin.build({**defaults, **values}, *given)


def noise(count, shape=(6, 5, 1), seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), dtype=np.uint8)


def rng(seed=1):
    return np.random.default_rng(seed)


def named(kind):
    return [name for each, name in NAMED if each == kind]


# --- What holds for all ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", named("mutation"))
@pytest.mark.parametrize("count", [0, 1, 7])
def test_a_mutation_gives_as_many_genomes_and_depends_on_its_stream_alone(name, count):
    mutate, images = operator("mutation", name), noise(count)
    first, again, other = (mutate(images.copy(), rng(seed)) for seed in (1, 1, 2))
    assert (first.shape, first.dtype) == (images.shape, images.dtype)
    assert np.array_equal(first, again)
    if count:
        assert any(not np.array_equal(mutate(images.copy(), rng(seed)), images) for seed in range(9))
        assert count == 1 or not np.array_equal(first, other)


@pytest.mark.parametrize("name", named("crossover"))
@pytest.mark.parametrize("count", [0, 1, 7])
def test_a_crossover_keeps_every_gene_at_its_place(name, count):
    mate, first, second = operator("crossover", name), noise(count), noise(count, seed=1)
    kept = first.copy(), second.copy()
    one, other = mate(first, second, rng())
    assert (one.shape, one.dtype) == (other.shape, other.dtype) == (first.shape, first.dtype)
    assert np.array_equal(np.sort([one, other], axis=0), np.sort([*kept], axis=0))
    assert not np.shares_memory(one, other)
    again = mate(kept[0].copy(), kept[1].copy(), rng())
    assert np.array_equal([one, other], again)


@pytest.mark.parametrize("name", named("selection"))
@pytest.mark.parametrize(
    "fitness",
    [np.arange(5.0), -np.arange(5.0), np.zeros(5), np.array([-1e300, 0, 1e300]), np.array([3.0]), 1e15 * np.ones(4)],
    ids=["rising", "negative", "equal", "huge", "one", "capped"],
)
def test_a_selection_gives_as_many_indices_as_are_wanted(name, fitness):
    select = operator("selection", name)
    for count in (0, 1, 17):
        indices = select(fitness, count, rng())
        assert indices.shape == (count,)
        assert indices.dtype.kind == "i"
        assert count == 0 or (indices.min() >= 0 and indices.max() < len(fitness))
    assert np.array_equal(select(fitness, 9, rng()), select(fitness, 9, rng()))


@pytest.mark.parametrize("name", named("selection"))
def test_no_selection_prefers_the_worse(name):
    fitness = rng(3).permutation(np.arange(1.0, 11))
    counts = np.bincount(operator("selection", name)(fitness, 100_000, rng()), minlength=10)[np.argsort(fitness)]
    # Neighbours in rank may be drawn equally often: a drop of more than four standard deviations is a preference.
    assert (np.diff(counts) > -4 * np.sqrt(2 * counts.mean())).all()


@pytest.mark.parametrize("name", named("genome"))
def test_a_genome_gives_images_row_by_row_and_copies(name):
    genome = operator("genome", name, (6, 5, 3))
    genomes = genome.sample(9, rng())
    images = genome.decode(genomes)
    assert (images.shape, images.dtype) == ((9, 6, 5, 3), np.uint8)
    for row in range(9):
        assert np.array_equal(genome.decode(genome.take(genomes, [row]))[0], images[row])
    taken = genome.take(genomes, [2, 2])
    taken[0][:] = 0
    assert np.array_equal(genome.decode(taken[1:])[0], images[2])
    assert np.array_equal(genome.decode(genomes), images)
    assert len(genome.take(genomes, np.array([], int))) == 0


# --- Fitness --------------------------------------------------------------------------------------------------------


def predictions(*rows):
    logits = np.array(rows, np.float32)
    return Predictions(logits, noise(len(rows)))


def test_predictions_are_scipys_softmax():
    logits = rng().normal(0, 30, (50, 10)).astype(np.float32)
    got = Predictions(logits, noise(50))
    assert np.allclose(got.log_probabilities, special.log_softmax(logits.astype(float), axis=1), atol=1e-12, rtol=0)
    assert np.allclose(got.probabilities, special.softmax(logits.astype(float), axis=1), atol=1e-14, rtol=0)


def test_softmax_loss_on_logits_by_hand():
    # L = -2 + log(e^2 + e^0 + e^1)
    loss = -2 + math.log(math.exp(2) + 1 + math.e)
    assert operator("fitness", "softmax_loss")(predictions([2, 0, 1]), 0)[0] == pytest.approx(1 / loss, rel=1e-12)


def test_softmax_loss_has_a_cap_where_the_loss_underflows():
    score = operator("fitness", "softmax_loss", cap=1e6)
    assert score(predictions([500, 0, 0], [0, 500, 0]), 0).tolist() == [1e6, pytest.approx(1 / 500)]


def test_softmax_loss_on_probabilities_has_the_scale_of_the_published_table():
    score = operator("fitness", "softmax_loss", scores="probabilities")
    certain = [200] + [0] * 9
    reached, missed = score(predictions(certain), 0)[0], score(predictions(certain), 5)[0]
    assert reached == pytest.approx(1 / (math.log(math.e + 9) - 1)) == pytest.approx(0.68439, abs=1e-5)
    assert missed == pytest.approx(1 / math.log(math.e + 9)) == pytest.approx(0.40631, abs=1e-5)


# --- Mutation -------------------------------------------------------------------------------------------------------


def test_random_pixels_is_in_distribution_a_coin_for_each_value():
    rate, images = 0.03, np.full((2000, 10, 10, 1), 300 % 256, np.uint8)
    changed = operator("mutation", "random_pixels", rate=rate)(images.copy(), rng()) != images
    # A hit draws the old value again with probability 1 / 256.
    p = rate * 255 / 256
    assert stats.binomtest(int(changed.sum()), changed.size, p).pvalue > LEVEL
    per_image = np.bincount(changed.reshape(2000, -1).sum(axis=1), minlength=12)[:12]
    expected = stats.binom.pmf(np.arange(12), 100, p) * 2000
    kept = expected > 5
    assert (
        stats.chisquare(per_image[kept], expected[kept] * per_image[kept].sum() / expected[kept].sum()).pvalue > LEVEL
    )
    per_place = changed.sum(axis=0).ravel()
    assert stats.chisquare(per_place).pvalue > LEVEL


def test_random_pixels_draws_all_256_values_alike():
    images = operator("mutation", "random_pixels", rate=1.0)(np.zeros((500, 20, 20, 1), np.uint8), rng())
    assert stats.chisquare(np.bincount(images.ravel(), minlength=256)).pvalue > LEVEL


def test_gaussian_has_its_moments_and_stays_in_range():
    images = np.full((400, 20, 20, 1), 128, np.uint8)
    moved = operator("mutation", "gaussian", rate=0.5, sigma=10.0)(images.copy(), rng()).astype(float) - 128
    hit = moved[moved != 0]
    # A hit rounds to 0 with the mass of (-1/2, 1/2).
    still = stats.norm.cdf(0.05) - stats.norm.cdf(-0.05)
    assert stats.binomtest(len(hit), moved.size, 0.5 * (1 - still)).pvalue > LEVEL
    values = np.arange(-40, 41)
    expected = stats.norm.cdf((values + 0.5) / 10) - stats.norm.cdf((values - 0.5) / 10)
    expected[values == 0] = 0
    counts = np.array([(hit == value).sum() for value in values])
    kept = (values != 0) & (expected * len(hit) > 5)
    assert stats.chisquare(counts[kept], expected[kept] / expected[kept].sum() * counts[kept].sum()).pvalue > LEVEL
    wild = operator("mutation", "gaussian", rate=1.0, sigma=1000.0)(images.copy(), rng())
    assert 0.4 < (wild == 0).mean() < 0.6
    assert 0.4 < (wild == 255).mean() < 0.6


# --- Crossover ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.5, 0.2])
def test_uniform_swaps_each_gene_with_its_share(share):
    first, second = np.zeros((500, 8, 8, 1), np.uint8), np.ones((500, 8, 8, 1), np.uint8)
    swapped, _ = operator("crossover", "uniform", share=share)(first, second, rng())
    assert stats.binomtest(int(swapped.sum()), swapped.size, share).pvalue > LEVEL
    assert stats.chisquare(swapped.sum(axis=0, dtype=int).ravel()).pvalue > LEVEL


def test_halves_joins_top_and_bottom():
    first, second = np.zeros((3, 7, 4, 1), np.uint8), np.ones((3, 7, 4, 1), np.uint8)
    one, other = operator("crossover", "halves")(first, second, rng())
    assert (one[:, :3] == 0).all()
    assert (one[:, 3:] == 1).all()
    assert (other[:, :3] == 1).all()
    assert (other[:, 3:] == 0).all()


# --- Selection ------------------------------------------------------------------------------------------------------


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


def test_roulette_is_in_proportion_to_fitness():
    fitness = np.array([1.0, 2, 3, 4, 0])
    assert fits(frequencies("roulette", fitness), fitness / 10)
    # Negative: in proportion to the distance to the worst.
    assert fits(frequencies("roulette", [-3.0, -1, 0]), np.array([0, 2, 3]) / 5)
    assert fits(frequencies("roulette", [-2.0, -2, -2, -2]), np.full(4, 0.25))


def test_truncation_draws_from_the_best_share_alike():
    fitness = [5.0, 1, 4, 2, 3, 0]
    assert fits(frequencies("truncation", fitness, share=0.5), np.array([1, 0, 1, 0, 1, 0]) / 3)
    assert fits(frequencies("truncation", fitness, share=0.01), np.array([1, 0, 0, 0, 0, 0]))


def test_random_is_uniform():
    assert fits(frequencies("random", [9.0, 1, 5]), np.full(3, 1 / 3))


# --- The start ------------------------------------------------------------------------------------------------------


def test_pixels_start_as_uniform_noise():
    images = operator("genome", "pixels", (28, 28, 1)).sample(300, rng())
    assert stats.chisquare(np.bincount(images.ravel(), minlength=256)).pvalue > LEVEL
