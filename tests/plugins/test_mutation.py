"""The stock mutations of images, compared with closed forms and required properties."""

import math

import numpy as np
import pytest
from helpers.operators import LEVEL, noise, operator, rng
from scipy import stats

from fooldeap_plugins.mutation._places import draw_positions


def test_random_pixels_replaces_each_value_independently():
    rate, images = 0.03, np.full((2000, 10, 10, 1), 300 % 256, np.uint8)
    changed = operator("mutation", "random_pixels", rate=rate)(images.copy(), rng()) != images
    # A replaced value is equal to the old one with probability 1 / 256.
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


def test_random_pixels_draws_all_values_equally_often():
    images = operator("mutation", "random_pixels", rate=1.0)(np.zeros((500, 20, 20, 1), np.uint8), rng())
    assert stats.chisquare(np.bincount(images.ravel(), minlength=256)).pvalue > LEVEL


def test_gaussian_is_normal_and_clipped():
    images = np.full((400, 20, 20, 1), 128, np.uint8)
    moved = operator("mutation", "gaussian", rate=0.5, sigma=10.0)(images.copy(), rng()).astype(float) - 128
    hit = moved[moved != 0]
    # A step rounds to 0 with the probability of (-1/2, 1/2).
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
    """Return the counts of grey values and the counts expected from a distribution function of real numbers."""
    cut = np.arange(-0.5, 256)
    expected = np.diff(edges_cdf(np.concatenate([[-np.inf], cut[1:-1], [np.inf]])))
    return np.bincount(values.ravel(), minlength=256), expected * values.size


@pytest.mark.parametrize("start", [128, 20, 255])
@pytest.mark.parametrize(("eta", "largest"), [(15.0, 255.0), (2.0, 255.0), (2.0, 60.0)])
def test_polynomial_has_the_published_density(start, eta, largest):
    # P(d) = (eta + 1) / 2 * (1 - |d|)^eta, where d is the step divided by the largest step (Deb and Agrawal 1999). Near
    # a bound, the half on that side is truncated there and scaled to 1/2 again.
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
def test_sparse_mutations_change_each_value_with_the_given_rate(name):
    images = np.full((2000, 10, 10, 1), 100, np.uint8)
    values = {"step": 1} if name == "creep" else {"eta": 0.0} if name == "polynomial" else {}
    values |= {"sigma": 1e6} if name == "gaussian" else {}
    changed = operator("mutation", name, rate=0.03, **values)(images.copy(), rng()) != images
    still = 1 / 256 if name == "polynomial" else 0  # upper limit
    low, high = (stats.binom.ppf([LEVEL / 2, 1 - LEVEL / 2], changed.size, p) for p in (0.03 * (1 - still), 0.03))
    assert low[0] <= changed.sum() <= high[1]
    assert stats.chisquare(changed.sum(axis=0).ravel()).pvalue > LEVEL


@pytest.mark.parametrize("rate", [1e-17, 1e-20, 1e-300, 5e-324])
@pytest.mark.parametrize("name", ["gaussian", "polynomial", "creep", "invert"])
def test_tiny_rates_change_nothing(name, rate):
    images = noise(100, (28, 28, 1))
    assert np.array_equal(operator("mutation", name, rate=rate)(images.copy(), rng()), images)


def test_positions_are_sums_of_geometric_gaps():
    for size, rate in ((78_400, 0.05), (1000, 1.0), (78_400, 1e-5)):
        draws = rng().geometric(rate, size + 1000)
        stream = rng()
        places = draw_positions(size, rate, stream)
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


def test_pixel_swap_moves_whole_pixels_at_most_two_per_pair():
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
    # Every position is reached, and the centre more often than the corners.
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


def test_mixed_draws_one_mutation_per_individual_by_weight():
    def to(value):
        def fill(images, rng):
            images[:] = value
            return images

        return fill

    images = operator("mutation", "mixed", of=((to(1), 1.0), (to(2), 3.0)))(noise(4000), rng())
    assert (np.ptp(images.reshape(4000, -1), axis=1) == 0).all()
    assert stats.binomtest(int((images[:, 0, 0, 0] == 2).sum()), 4000, 0.75).pvalue > LEVEL
