"""The stock operators against independent truth: formulas worked by hand, closed forms, properties that must hold.

Goodness-of-fit tests are at the level 1e-4, with fixed seeds: they fail when the operator is wrong, not by chance.
"""

import math
import random

import numpy as np
import pytest
from scipy import special, stats

from fooldeap import config, registry
from fooldeap.plugin import Predictions
from fooldeap_plugins.mutation._places import hit

REGISTRY = registry.load()
LEVEL = 1e-4
NAMED = [
    (plugin.kind, plugin.name) for plugin in REGISTRY.all() if config.fits(plugin, REGISTRY.get("genome", "pixels"))
]


def operator(kind, name, *given, **values):
    plugin = REGISTRY.get(kind, name)
    defaults = {key: parameter.default for key, parameter in plugin.parameters.items()}
    if name == "mixed":
        values.setdefault("of", ((operator("mutation", "invert"), 1.0), (operator("mutation", "block"), 3.0)))
    return plugin.build({**defaults, **values}, *given)


def noise(count, shape=(6, 5, 1), seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), dtype=np.uint8)


def rng(seed=1):
    return np.random.default_rng(seed)


def named(kind):
    return [name for each, name in NAMED if each == kind]


def on_genomes(kind):
    """Return the operators of a kind, each with each genome of arrays that it works on."""
    genomes = [plugin for plugin in REGISTRY.all("genome") if plugin.target.dtype is not None]
    return [
        (plugin.name, genome.name) for plugin in REGISTRY.all(kind) for genome in genomes if config.fits(plugin, genome)
    ]


def sampled(genome, count, seed=0):
    return operator("genome", genome, (12, 10, 1)).sample(count, rng(seed))


# --- What holds for all ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "genome"), on_genomes("mutation"))
@pytest.mark.parametrize("count", [0, 1, 7])
def test_a_mutation_gives_as_many_genomes_and_depends_on_its_stream_alone(name, genome, count):
    of = {"of": ((operator("mutation", "gaussian" if genome.startswith("dct") else "invert"), 1.0),)}
    mutate, genomes = operator("mutation", name, **(of if name == "mixed" else {})), sampled(genome, count)
    first, again = (mutate(genomes.copy(), rng()) for _ in range(2))
    assert (first.shape, first.dtype) == (genomes.shape, genomes.dtype)
    assert np.array_equal(first, again)
    assert len({mutate(genomes.copy(), rng(seed)).tobytes() for seed in range(80)}) > (1 if count else 0)


@pytest.mark.parametrize(("name", "genome"), on_genomes("crossover"))
@pytest.mark.parametrize("count", [0, 1, 7])
def test_a_crossover_gives_two_batches_of_its_own(name, genome, count):
    mate, first, second = operator("crossover", name), sampled(genome, count), sampled(genome, count, 1)
    one, other = mate(first.copy(), second.copy(), rng())
    assert (one.shape, one.dtype) == (other.shape, other.dtype) == (first.shape, first.dtype)
    assert not np.shares_memory(one, other)
    assert np.array_equal([one, other], mate(first.copy(), second.copy(), rng()))


@pytest.mark.parametrize(
    ("name", "genome"), [pair for pair in on_genomes("crossover") if pair[0] not in ("blend", "sbx")]
)
@pytest.mark.parametrize("count", [0, 1, 7])
def test_a_crossover_keeps_every_gene_at_its_place(name, genome, count):
    mate, first, second = operator("crossover", name), sampled(genome, count), sampled(genome, count, 1)
    kept = first.copy(), second.copy()
    one, other = mate(first, second, rng())
    assert np.array_equal(np.sort([one, other], axis=0), np.sort([*kept], axis=0))


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
    genome = operator("genome", name, (12, 9, 3))
    genomes = genome.sample(9, rng())
    images = genome.decode(genomes)
    assert (images.shape, images.dtype) == ((9, 12, 9, 3), np.uint8)
    for row in range(9):
        assert np.array_equal(genome.decode(genome.take(genomes, [row]))[0], images[row])
    taken = genome.take(genomes, [2, 2])
    if isinstance(taken, np.ndarray):
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


def test_cross_entropy_confidence_and_margin_by_hand():
    said = predictions([2, 0, 1], [0, 5, 0])
    p = math.exp(2) / (math.exp(2) + 1 + math.e)
    assert operator("fitness", "confidence")(said, 0)[0] == pytest.approx(p, rel=1e-12)
    assert operator("fitness", "cross_entropy")(said, 0)[0] == pytest.approx(math.log(p), rel=1e-12)
    assert operator("fitness", "margin")(said, 0).tolist() == [1, -5]
    assert operator("fitness", "margin")(said, 1).tolist() == [-2, 5]
    assert operator("fitness", "cross_entropy")(predictions([800, 0, 0]), 1)[0] == -800


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


def binned(edges_cdf, values):
    """Return the counts of grey values and their expectation under a distribution function of real numbers."""
    cut = np.arange(-0.5, 256)
    expected = np.diff(edges_cdf(np.concatenate([[-np.inf], cut[1:-1], [np.inf]])))
    return np.bincount(values.ravel(), minlength=256), expected * values.size


@pytest.mark.parametrize("start", [128, 20, 255])
@pytest.mark.parametrize(("eta", "largest"), [(15.0, 255.0), (2.0, 255.0), (2.0, 60.0)])
def test_polynomial_has_its_published_density(start, eta, largest):
    # P(d) = (eta + 1) / 2 * (1 - |d|)^eta, d the step in units of the largest (Deb and Agrawal 1999); near a bound, the
    # half on that side is cut off there and scaled up to one half again.
    def cdf(x):
        d = (np.clip(x, 0, 255) - start) / largest
        low, high = min(start / largest, 1), min((255 - start) / largest, 1)

        def half(step, room):
            whole = 1 - (1 - room) ** (eta + 1)
            return np.where(room > 0, (1 - (1 - step) ** (eta + 1)) / (whole or 1), 0) / 2

        below = 0.5 - half(np.clip(-d, 0, low), low) if low else np.full(np.shape(d), 0.5)
        above = half(np.clip(d, 0, high), high) if high else np.full(np.shape(d), 0.5) * (np.asarray(x) > start)
        inside = np.where(d < 0, below, 0.5 + above)
        return np.where(np.asarray(x) == -np.inf, 0, np.where(np.asarray(x) == np.inf, 1, inside))

    images = np.full((400, 20, 20, 1), start, np.uint8)
    moved = operator("mutation", "polynomial", rate=1.0, eta=eta, largest=largest)(images, rng())
    counts, expected = binned(cdf, moved)
    kept = expected > 5
    assert counts[~kept].sum() <= 10 * max(1, expected[~kept].sum())
    assert stats.chisquare(counts[kept], expected[kept] * counts[kept].sum() / expected[kept].sum()).pvalue > LEVEL


@pytest.mark.parametrize("name", ["gaussian", "polynomial", "creep", "invert"])
def test_a_sparse_mutation_hits_each_value_with_its_rate(name):
    images = np.full((2000, 10, 10, 1), 100, np.uint8)
    values = {"step": 1} if name == "creep" else {"eta": 0.0} if name == "polynomial" else {}
    values |= {"sigma": 1e6} if name == "gaussian" else {}
    changed = operator("mutation", name, rate=0.03, **values)(images.copy(), rng()) != images
    still = 1 / 256 if name == "polynomial" else 0  # at most
    low, high = (stats.binom.ppf([LEVEL / 2, 1 - LEVEL / 2], changed.size, p) for p in (0.03 * (1 - still), 0.03))
    assert low[0] <= changed.sum() <= high[1]
    assert stats.chisquare(changed.sum(axis=0).ravel()).pvalue > LEVEL


@pytest.mark.parametrize("rate", [1e-17, 1e-20, 1e-300, 5e-324])
@pytest.mark.parametrize("name", ["gaussian", "polynomial", "creep", "invert"])
def test_a_rate_however_small_leaves_the_images_alone(name, rate):
    images = noise(100, (28, 28, 1))
    assert np.array_equal(operator("mutation", name, rate=rate)(images.copy(), rng()), images)


def test_where_a_sparse_mutation_hits_is_a_sum_of_geometric_gaps():
    for size, rate in ((78_400, 0.05), (1000, 1.0), (78_400, 1e-5)):
        draws = rng().geometric(rate, size + 1000)
        stream = rng()
        places = hit(size, rate, stream)
        expected = np.cumsum(draws) - 1
        assert np.array_equal(places, expected[expected < size])
        expected_draws = math.ceil(size * rate + 6 * math.sqrt(size * rate) + 16)
        again = rng()
        again.geometric(rate, expected_draws)
        assert stream.bit_generator.state == again.bit_generator.state


def test_creep_steps_are_uniform_and_clipped():
    moved = operator("mutation", "creep", rate=1.0, step=3)(np.full((300, 20, 20, 1), 50, np.uint8), rng())
    counts = np.bincount(moved.ravel(), minlength=60)
    assert counts[[47, 48, 49, 51, 52, 53]].sum() == moved.size
    assert stats.chisquare(counts[[47, 48, 49, 51, 52, 53]]).pvalue > LEVEL
    assert operator("mutation", "creep", rate=1.0, step=255)(np.full((9, 9, 9, 1), 250, np.uint8), rng()).max() == 255


def test_pixel_swap_keeps_pixels_whole_and_moves_at_most_two_a_pair():
    images = noise(50, (9, 7, 3))
    moved = operator("mutation", "pixel_swap", pairs=3)(images.copy(), rng())
    pixels = [sorted(map(tuple, image.reshape(-1, 3).tolist())) for image in (*images, *moved)]
    assert pixels[:50] == pixels[50:]
    places = (moved != images).any(axis=3).sum(axis=(1, 2))
    assert 2 <= places.max() <= 6
    assert places.mean() > 4


def test_block_refills_one_rectangle():
    changed = operator("mutation", "block", size=0.5)(np.full((3000, 8, 6, 1), 7, np.uint8), rng())[..., 0] != 7
    rows, columns = changed.any(axis=2), changed.any(axis=1)
    assert rows.sum(axis=1).max() == 4
    assert columns.sum(axis=1).max() == 3
    for image, row, column in zip(changed, rows, columns, strict=True):
        inside = image[np.ix_(row, column)]
        assert inside.size == image[row][:, column].size
        assert np.ptp(np.flatnonzero(row)) < 4 if row.any() else not inside.size
    # Every place is reached, the middle more often than the corners.
    assert (changed.sum(axis=0) > 0).all()
    assert changed.mean() == pytest.approx((2.5 / 8) * (2 / 6) * 255 / 256, rel=0.05)


def test_row_and_column_refills_one_line():
    changed = operator("mutation", "row_and_column")(np.full((4000, 6, 5, 1), 7, np.uint8), rng())[..., 0] != 7
    rows, columns = changed.any(axis=2).sum(axis=1), changed.any(axis=1).sum(axis=1)
    lines = (rows == 1) & (columns > 1)
    assert ((rows <= 1) | (columns <= 1)).all()
    assert stats.binomtest(int(lines.sum()), 4000, 0.5).pvalue > LEVEL
    assert stats.chisquare(changed[lines].any(axis=2).sum(axis=0)).pvalue > LEVEL


def test_invert_is_its_own_inverse():
    images = noise(9)
    twice = operator("mutation", "invert", rate=1.0)
    assert np.array_equal(twice(twice(images.copy(), rng()), rng()), images)
    assert np.array_equal(twice(images.copy(), rng()), 255 - images)


def test_mixed_draws_one_mutation_for_each_individual_by_weight():
    def to(value):
        def fill(images, rng):
            images[:] = value
            return images

        return fill

    images = operator("mutation", "mixed", of=((to(1), 1.0), (to(2), 3.0)))(noise(4000), rng())
    assert (np.ptp(images.reshape(4000, -1), axis=1) == 0).all()
    assert stats.binomtest(int((images[:, 0, 0, 0] == 2).sum()), 4000, 0.75).pvalue > LEVEL


# --- Mutation of real numbers, and of black and white ---------------------------------------------------------------


def reals(count, value=0.0):
    return np.full((count, 2, 10, 10), value)


def test_gaussian_on_real_numbers_adds_normal_noise_to_its_share():
    moved = operator("mutation", "gaussian", rate=0.3, sigma=20.0)(reals(300, 1000.25), rng()) - 1000.25
    assert stats.binomtest(int((moved != 0).sum()), moved.size, 0.3).pvalue > LEVEL
    assert stats.kstest(moved[moved != 0], stats.norm(0, 20).cdf).pvalue > LEVEL


def test_reset_on_real_numbers_draws_them_anew():
    genomes = operator("mutation", "reset", rate=0.3, sigma=20.0)(reals(300, 1000.25), rng())
    new = genomes != 1000.25
    assert stats.binomtest(int(new.sum()), new.size, 0.3).pvalue > LEVEL
    assert stats.chisquare(new.sum(axis=0).ravel()).pvalue > LEVEL
    assert stats.kstest(genomes[new], stats.norm(0, 20).cdf).pvalue > LEVEL


@pytest.mark.parametrize("eta", [0.0, 2.0, 15.0])
@pytest.mark.parametrize("value", [-300.0, 0.5])
def test_polynomial_on_real_numbers_has_its_published_density(eta, value):
    # P(d) = (eta + 1) / 2 * (1 - |d|)^eta, d the step in units of the largest (Deb and Agrawal 1999).
    moved = operator("mutation", "polynomial", rate=1.0, eta=eta, largest=40.0)(reals(200, value), rng())
    steps = (moved - value).ravel() / 40

    def cdf(d):
        tail = (1 - np.abs(d)) ** (eta + 1) / 2
        return np.where(d < 0, tail, 1 - tail)

    assert np.abs(steps).max() <= 1
    assert stats.kstest(steps, cdf).pvalue > LEVEL


def test_self_adaptive_is_deaps_where_all_genes_are_hit():
    # mutESLogNormal of DEAP: a global and a local factor for each step size, then a step of that size.
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
def test_self_adaptive_changes_step_sizes_as_published_and_then_takes_them(own):
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
def test_self_adaptive_keeps_step_sizes_that_numbers_can_hold(logarithm):
    after = operator("mutation", "self_adaptive")(np.full((3, 2, 1, 2, 2), logarithm), rng())
    assert np.isfinite(after).all()
    assert np.abs(after[:, 1]).max() == pytest.approx(math.log(1e6))


def test_self_adaptation_comes_nearer_and_nearer_to_an_optimum():
    # With steps that adapt, the distance falls by orders of magnitude; with a fixed step it stays at about that.
    mutate, stream = operator("mutation", "self_adaptive", own_steps=False), rng()
    parents = np.stack([np.full((5, 1, 3, 3), 100.0), np.full((5, 1, 3, 3), math.log(10))], axis=1)
    for _ in range(300):
        children = mutate(parents[stream.integers(5, size=35)], stream)
        distance = np.sqrt((children[:, 0] ** 2).sum(axis=(1, 2, 3)))
        parents = children[np.argsort(distance)[:5]]
    assert distance.min() < 1e-3
    assert np.exp(parents[:, 1]).max() < 1e-3


@pytest.mark.parametrize(("name", "flips"), [("invert", 0.2), ("random_pixels", 0.1)])
def test_bits_are_flipped_or_drawn_anew(name, flips):
    before = rng(5).random((400, 10, 10, 1)) < 0.7
    changed = operator("mutation", name, rate=0.2)(before.copy(), rng()) != before
    for value in (True, False):
        assert stats.binomtest(int(changed[before == value].sum()), int((before == value).sum()), flips).pvalue > LEVEL
    assert stats.chisquare(changed.sum(axis=0).ravel()).pvalue > LEVEL


# --- Crossover ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.5, 0.2])
def test_uniform_swaps_each_gene_with_its_share(share):
    first, second = np.zeros((500, 8, 8, 1), np.uint8), np.ones((500, 8, 8, 1), np.uint8)
    swapped, _ = operator("crossover", "uniform", share=share)(first, second, rng())
    assert stats.binomtest(int(swapped.sum()), swapped.size, share).pvalue > LEVEL
    assert stats.chisquare(swapped.sum(axis=0, dtype=int).ravel()).pvalue > LEVEL


@pytest.mark.parametrize("name", ["one_point", "two_point", "rectangle"])
def test_what_is_swapped_is_one_piece(name):
    # All cuts are equally likely: the number of genes swapped follows from counting them.
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


def test_blend_is_uniform_between_and_beyond_the_parents():
    first, second = np.full((300, 20, 20, 1), 100, np.uint8), np.full((300, 20, 20, 1), 140, np.uint8)
    one, other = operator("crossover", "blend", alpha=0.25)(first, second, rng())
    for child in (one, other):
        counts = np.bincount(child.ravel(), minlength=256)
        inner, ends = counts[91:150], counts[[90, 150]]
        assert counts.sum() == inner.sum() + ends.sum()
        # From 90 to 150, rounded: the ends get half of what each inner value gets.
        expected = child.size * np.array([0.5, *[1] * 59, 0.5]) / 60
        assert stats.chisquare([ends[0], *inner, ends[1]], expected).pvalue > LEVEL
    clipped, _ = operator("crossover", "blend", alpha=2.0)(first * 0, first * 0 + 255, rng())
    assert (clipped == 0).mean() == pytest.approx(0.4, abs=0.02)


@pytest.mark.parametrize("eta", [2.0, 15.0])
def test_sbx_has_its_published_density(eta):
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
    kept[-1] = False  # 128 itself is the lower or the upper child
    observed = counts[kept]
    assert stats.chisquare(observed, expected[kept] * observed.sum() / expected[kept].sum()).pvalue > LEVEL
    assert observed.sum() / nearer.size == pytest.approx(expected[kept].sum() / nearer.size, abs=0.01)
    assert stats.binomtest(int((one < other).sum()), int((one != other).sum()), 0.5).pvalue > LEVEL


def test_sbx_near_a_bound_is_deaps():
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
def test_blend_on_real_numbers_is_uniform_between_and_beyond(alpha):
    one, other = operator("crossover", "blend", alpha=alpha)(reals(200, -3.0), reals(200, 5.0), rng())
    for child in (one, other):
        assert stats.kstest(child.ravel(), stats.uniform(-3 - 8 * alpha, 8 + 16 * alpha).cdf).pvalue > LEVEL
    assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.03


def test_sbx_on_real_numbers_is_deaps_without_bounds():
    from deap import tools

    random.seed(5)
    theirs = np.array([tools.cxSimulatedBinary([-3.0], [5.0], eta=3.0) for _ in range(20_000)])[..., 0]
    one, other = operator("crossover", "sbx", rate=1.0, eta=3.0)(reals(100, -3.0), reals(100, 5.0), rng())
    assert one + other == pytest.approx(reals(100, 2.0))
    assert stats.ks_2samp(np.minimum(one, other).ravel(), theirs.min(axis=1)).pvalue > LEVEL
    assert stats.binomtest(int((one < other).sum()), one.size, 0.5).pvalue > LEVEL


def test_sbx_leaves_alone_what_it_does_not_cross():
    first, second = rng(1).normal(size=(2, 500, 30))
    one, other = operator("crossover", "sbx", rate=0.2)(first.copy(), second.copy(), rng())
    crossed = one != first
    assert np.array_equal(crossed, other != second)
    assert stats.binomtest(int(crossed.sum()), crossed.size, 0.2).pvalue > LEVEL
    same, again = operator("crossover", "sbx", rate=1.0)(first.copy(), first.copy(), rng())
    assert np.array_equal(same, first)
    assert np.array_equal(again, first)


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


def test_stochastic_universal_gives_everyone_its_share_to_less_than_one():
    fitness = np.array([1.0, 2, 3, 4.5, 0])
    for seed in range(200):
        counts = np.bincount(operator("selection", "stochastic_universal")(fitness, 17, rng(seed)), minlength=5)
        assert (np.abs(counts - 17 * fitness / fitness.sum()) < 1).all()
    singles = [operator("selection", "stochastic_universal")(fitness, 1, rng(seed))[0] for seed in range(4000)]
    assert fits(np.bincount(singles, minlength=5), fitness / fitness.sum())


def test_linear_rank_is_bakers_line():
    # The i-th worst of n, from 0: (2 - s) / n + 2 i (s - 1) / (n (n - 1)).
    n, s = 6, 1.7
    order = np.array([3, 0, 5, 1, 4, 2])
    expected = (2 - s) / n + 2 * order * (s - 1) / (n * (n - 1))
    assert fits(frequencies("linear_rank", 10.0**order, pressure=s), expected)
    assert fits(frequencies("linear_rank", [2.0, 2, 9], pressure=2.0), np.array([1, 1, 4]) / 6)


def test_exponential_rank_falls_by_its_base():
    weights = np.array([1, 0.5, 0.25, 0.125])
    assert fits(frequencies("exponential_rank", [4.0, 3, 2, 1], base=0.5), weights / weights.sum())
    assert fits(frequencies("exponential_rank", [4.0, 3, 3, 1], base=0.5), np.array([8, 3, 3, 1]) / 15)


def test_boltzmann_is_boltzmanns():
    fitness = np.array([-1.0, 0, 0.5, 3])
    weights = np.exp(fitness / 2)
    assert fits(frequencies("boltzmann", fitness, temperature=2.0), weights / weights.sum())


def test_retain_draws_from_the_best_and_some_lucky_ones():
    fitness = np.arange(20.0)
    assert fits(frequencies("retain", fitness, best=0.1, others=0.0), np.array([0.0] * 18 + [0.5] * 2))
    chosen = [operator("selection", "retain")(fitness, 50, rng(seed)) for seed in range(2000)]
    lucky = np.array([np.isin(np.arange(18), each) for each in chosen])
    # Each of the 18 is in the pool with probability .1, and nearly surely drawn then, 50 times from a pool of some 4.
    assert stats.chisquare(lucky.sum(axis=0)).pvalue > LEVEL
    assert lucky.mean() == pytest.approx(0.1, abs=0.01)


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


def test_pixels_start_constant_or_with_a_share_of_black():
    flat = operator("genome", "pixels", (6, 6, 3), start="constant", value=9).sample(4, rng())
    assert (flat == 9).all()
    holes = operator("genome", "pixels", (20, 20, 3), start="constant", value=9, black=0.3).sample(100, rng())
    black = (holes == 0).all(axis=3)
    assert np.array_equal(black, (holes == 0).any(axis=3))
    assert stats.binomtest(int(black.sum()), black.size, 0.3).pvalue > LEVEL
