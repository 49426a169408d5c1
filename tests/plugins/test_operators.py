"""Properties of all stock operators and of all genomes that are arrays."""

import numpy as np
import pytest
from helpers.operators import LEVEL, REGISTRY, operator, rng, without_feedback
from scipy import stats

from fooldeap.configuration import config

NAMED = [
    (plugin.kind, plugin.name) for plugin in REGISTRY.all() if config.fits(plugin, REGISTRY.get("genome", "pixels"))
]


def named(kind):
    return [name for each, name in NAMED if each == kind]


def on_genomes(kind):
    """Return pairs of an operator of a kind and an array genome that it works on."""
    genomes = [plugin for plugin in REGISTRY.all("genome") if plugin.target.dtype is not None]
    return [
        (plugin.name, genome.name) for plugin in REGISTRY.all(kind) for genome in genomes if config.fits(plugin, genome)
    ]


def sampled(genome, count, seed=0):
    return operator("genome", genome, (12, 10, 1)).sample(count, rng(seed))


# --- All operators --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "genome"), on_genomes("mutation"))
@pytest.mark.parametrize("count", [0, 1, 7])
def test_mutations_keep_the_number_of_genomes_and_use_only_their_rng(name, genome, count):
    of = {"of": ((operator("mutation", "gaussian" if genome.startswith("dct") else "invert"), 1.0),)}
    mixes = name in ("mixed", "adaptive_mixed")
    mutate, genomes = without_feedback("mutation", name, **(of if mixes else {})), sampled(genome, count)
    first, again = (mutate(genomes.copy(), rng()) for _ in range(2))
    assert (first.shape, first.dtype) == (genomes.shape, genomes.dtype)
    assert np.array_equal(first, again)
    assert len({mutate(genomes.copy(), rng(seed)).tobytes() for seed in range(80)}) > (1 if count else 0)


@pytest.mark.parametrize(("name", "genome"), on_genomes("crossover"))
@pytest.mark.parametrize("count", [0, 1, 7])
def test_crossovers_return_two_independent_batches(name, genome, count):
    mate, first, second = operator("crossover", name), sampled(genome, count), sampled(genome, count, 1)
    one, other = mate(first.copy(), second.copy(), rng())
    assert (one.shape, one.dtype) == (other.shape, other.dtype) == (first.shape, first.dtype)
    assert not np.shares_memory(one, other)
    assert np.array_equal([one, other], mate(first.copy(), second.copy(), rng()))


@pytest.mark.parametrize(
    ("name", "genome"), [pair for pair in on_genomes("crossover") if pair[0] not in ("blend", "sbx")]
)
@pytest.mark.parametrize("count", [0, 1, 7])
def test_swapping_crossovers_keep_every_gene_at_its_position(name, genome, count):
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
def test_selections_return_the_requested_number_of_indices(name, fitness):
    select = without_feedback("selection", name)
    for count in (0, 1, 17):
        indices = select(fitness, count, rng())
        assert indices.shape == (count,)
        assert indices.dtype.kind == "i"
        assert count == 0 or (indices.min() >= 0 and indices.max() < len(fitness))
    assert np.array_equal(select(fitness, 9, rng()), select(fitness, 9, rng()))


@pytest.mark.parametrize("name", named("selection"))
def test_no_selection_prefers_worse_individuals(name):
    fitness = rng(3).permutation(np.arange(1.0, 11))
    counts = np.bincount(without_feedback("selection", name)(fitness, 100_000, rng()), minlength=10)[
        np.argsort(fitness)
    ]
    # Neighbours in rank may be drawn equally often, so allow four standard deviations.
    assert (np.diff(counts) > -4 * np.sqrt(2 * counts.mean())).all()


@pytest.mark.parametrize("name", named("genome"))
def test_genomes_decode_row_by_row_and_take_copies(name):
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


# --- First population -----------------------------------------------------------------------------------------------


def test_pixels_start_as_uniform_noise():
    images = operator("genome", "pixels", (28, 28, 1)).sample(300, rng())
    assert stats.chisquare(np.bincount(images.ravel(), minlength=256)).pvalue > LEVEL


def test_pixels_can_start_constant_or_partly_black():
    flat = operator("genome", "pixels", (6, 6, 3), start="constant", value=9).sample(4, rng())
    assert (flat == 9).all()
    holes = operator("genome", "pixels", (20, 20, 3), start="constant", value=9, black=0.3).sample(100, rng())
    black = (holes == 0).all(axis=3)
    assert np.array_equal(black, (holes == 0).any(axis=3))
    assert stats.binomtest(int(black.sum()), black.size, 0.3).pvalue > LEVEL
