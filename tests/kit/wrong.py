"""Plugins with one fault each; the docstring is the text that `plugins check` must print."""

import random
import sys

import numpy as np

from fooldeap.plugin import KW_ONLY, InputError, crossover, dataclass, fitness, genome, mutation, selection, statistic

_LAST = np.zeros((7, 16, 12, 1), np.uint8)
_CALLS = []
_FRESH = np.random.default_rng()


@mutation("wrong-global", genome="pixels")
def draws_globally(images, rng):
    """It uses global randomness."""
    images[:, 0, 0] = random.randrange(256)
    return images


@mutation("wrong-global-numpy", genome="pixels")
def draws_globally_from_numpy(images, rng):
    """It uses global randomness."""
    images[:, 0, 0] = np.random.randint(256)  # noqa: NPY002
    return images


@mutation("wrong-unseeded", genome="pixels")
def draws_unseeded(images, rng):
    """It returns different children for the same seed."""
    return images ^ _FRESH.integers(0, 256, images.shape, np.uint8)


@mutation("wrong-constant", genome="pixels")
def never_draws(images, rng):
    """It returns the same children for 9 seeds."""
    return 255 - images


@mutation("wrong-dtype", genome="pixels")
def gives_floats(images, rng):
    """Returned float64."""
    return images + rng.normal(0, 1, images.shape)


@mutation("wrong-none", genome="pixels")
def returns_nothing(images, rng):
    """Returned None; return the genomes."""
    images[:, 0] = rng.integers(0, 256, dtype=np.uint8)


@mutation("wrong-count", genome="pixels")
def loses_one(images, rng):
    """With 7 genomes of 'pixels' for images (16, 12, 1) it returned uint8."""
    return images[rng.permutation(len(images))[1:]]


@mutation("wrong-empty", genome="pixels")
def fails_on_an_empty_batch(images, rng):
    """It raised."""
    images[rng.integers(len(images)), 0] = rng.integers(256)
    return images


@mutation("wrong-shared", genome="pixels")
def repeats_one_child(images, rng):
    """Its children share memory."""
    return np.broadcast_to(rng.integers(0, 256, images.shape[1:], np.uint8), images.shape)


@mutation("wrong-kept", genome="pixels")
def keeps_its_children(images, rng):
    """A second call changes the children of the first."""
    if images.shape != _LAST.shape:
        return images ^ rng.integers(0, 256, images.shape, np.uint8)
    np.bitwise_xor(images, rng.integers(0, 256, images.shape, np.uint8), out=_LAST)
    return _LAST


@mutation("wrong-many", genome="pixels")
def returns_none_for_many(images, rng):
    """With 100 genomes of 'pixels' for images (16, 12, 1) it returned None."""
    return None if len(images) > 7 else images ^ rng.integers(0, 256, images.shape, np.uint8)


@mutation("wrong-exit", genome="pixels")
def ends_the_process(images, rng):
    """It raised SystemExit."""
    sys.exit(0)


@mutation("wrong-claims", genome=("pixels", "reals"))
def handles_one_genome_of_two(genomes, rng):
    """With 7 genomes of 'reals' for images (16, 12, 1) it returned None."""
    return genomes ^ rng.integers(0, 256, genomes.shape, np.uint8) if genomes.dtype == np.uint8 else None


@mutation("wrong-any")
def treats_any_array_as_images(genomes, rng):
    """With 7 genomes of 'vector' for images (16, 12, 1) it raised ValueError."""
    _, height, width, _ = genomes.shape
    genomes[:, rng.integers(height), rng.integers(width)] = 255
    return genomes


@mutation("wrong-shared-state", genome="pixels")
@dataclass
class SharesState:
    """Two runs at the same time change each other's results."""

    calls = [0]  # noqa: RUF012 - it must be in a field

    def __post_init__(self):
        self.calls[0] = 0

    def __call__(self, images, rng):
        self.calls[0] += 1
        return images ^ rng.integers(0, 2 + self.calls[0], images.shape, np.uint8)


@mutation("wrong-module-state", genome="pixels")
def counts_in_the_module(images, rng, generation):
    """It returns different children for the same seed."""
    _CALLS.append(generation)
    return images ^ rng.integers(0, 2 + len(_CALLS) % 200, images.shape, np.uint8)


@selection("wrong-memory")
@dataclass
class RemembersOtherRuns:
    """Two runs at the same time change each other's results."""

    last = [0]  # noqa: RUF012 - it must be in a field

    def __post_init__(self):
        self.last[0] = 0

    def __call__(self, fitness, count, rng):
        self.last[0] += 1
        return rng.permutation(np.resize(np.argsort(-fitness, kind="stable")[: self.last[0]], count))


@crossover("wrong-twins", genome="pixels")
def gives_twins(first, second, rng):
    """Its two batches of children share memory."""
    return first, first


@crossover("wrong-single", genome="pixels")
def gives_one(first, second, rng):
    """Expected two batches of children."""
    return first


@genome("reals")
@dataclass(frozen=True)
class Reals:
    """Real numbers from 0 to 1."""

    shape: tuple[int, int, int]
    _: KW_ONLY
    dtype = "float64"
    bounds = (0.0, 1.0)

    def sample(self, count, rng):
        return rng.random((count, *self.shape))

    def decode(self, genomes):
        return np.rint(255 * genomes).astype(np.uint8)

    def take(self, genomes, indices):
        return genomes.take(indices, axis=0)


@genome("slips")
@dataclass(frozen=True)
class Slips(Reals):
    """A list of arrays."""

    dtype = None
    bounds = None

    def sample(self, count, rng):
        return [rng.random(self.shape) for _ in range(count)]

    def decode(self, genomes):
        return np.rint(255 * np.array(genomes).reshape(-1, *self.shape)).astype(np.uint8)

    def take(self, genomes, indices):
        return [genomes[index].copy() for index in indices]


@mutation("wrong-buffer", genome="slips")
def gives_views_of_one_buffer(genomes, rng):
    """Its children share memory."""
    buffer = rng.random(genomes[0].shape) if genomes else None
    return [buffer[:] for _ in genomes]


@crossover("wrong-buffers", genome="slips")
def gives_views_of_one_parent(first, second, rng):
    """Its two batches of children share memory."""
    return first, [one[:] for one in first]


@mutation("wrong-range", genome="reals")
def leaves_the_range(genomes, rng):
    """It returns values outside the bounds of the genome, 0 to 1."""
    return genomes + rng.normal(0, 1, genomes.shape)


@selection("wrong-worst")
def prefers_the_worst(values, count, rng):
    """From rising values it prefers worse individuals."""
    return np.argsort(values)[rng.integers(0, -(-len(values) // 2), count)]


@selection("wrong-ignorant")
def ignores_the_count(values, count, rng):
    """It returned int64."""
    return rng.integers(0, len(values), len(values))


@selection("wrong-sorting")
def sorts_in_place(values, count, rng):
    """It changes the fitness that it receives."""
    values.sort()
    return rng.integers(0, len(values), count)


@selection("wrong-small")
def prefers_the_worst_of_small_values(values, count, rng):
    """From values within 0 and 1 it prefers worse individuals."""
    order = np.argsort(values if 0 < abs(values).max() < 1 else -values)
    return order[rng.integers(0, -(-len(values) // 2), count)]


@selection("wrong-near")
def prefers_the_worst_of_near_ones(values, count, rng):
    """From near ties it prefers worse individuals."""
    order = np.argsort(values if np.ptp(values) < 1e-6 else -values)
    return order[rng.integers(0, -(-len(values) // 2), count)]


@selection("wrong-large")
def prefers_the_worst_of_many(values, count, rng):
    """From a hundred values it prefers worse individuals."""
    order = np.argsort(values if len(values) > 10 else -values)
    return order[rng.integers(0, -(-len(values) // 2), count)]


@selection("wrong-objectives", objectives="any")
def counts_the_values_of_all_objectives(values, count, rng):
    """It returned indices outside the population."""
    return rng.integers(values.size - 1, values.size, count)


@selection("wrong-worst-of-two", objectives="any")
def prefers_the_worst_by_two(values, count, rng):
    """From two objectives it prefers worse individuals."""
    order = np.argsort(values[:, 0] if values.ndim == 2 else -values)
    return order[rng.integers(0, -(-len(values) // 2), count)]


@selection("wrong-refusal")
def refuses_everything(values, count, rng):
    """When selecting 0 from rising values it raised InputError."""
    raise InputError("no")


@fitness("wrong-nan")
def gives_nan(predictions, target):
    """Returned values that are not finite."""
    with np.errstate(all="ignore"):
        return np.log(predictions.probabilities[:, target])


@fitness("wrong-relative")
def ranks_within_the_batch(predictions, target):
    """The score of an image depends on the other images."""
    confidence = predictions.probabilities[:, target]
    return confidence - confidence.mean() if len(confidence) else confidence


@fitness("wrong-heavy-handed")
def changes_the_logits(predictions, target):
    """It changes the predictions that it receives."""
    predictions.logits[:, target] += 1
    return predictions.logits[:, target].astype(np.float64)


@statistic("wrong-statistic", genome="any")
def gives_an_array(genomes, fitness):
    """Returned float64."""
    return fitness - fitness.mean()


@statistic("wrong-ranking", genome="any")
def sorts_the_fitness(genomes, fitness):
    """It changes the genomes or the fitness; work on a copy."""
    fitness.sort()
    return fitness[0]


@statistic("wrong-bootstrap", genome="any")
def draws_a_sample(genomes, fitness):
    """It returns another number the second time."""
    return _FRESH.choice(fitness)


@statistic("wrong-pair", genome="any")
def needs_two(genomes, fitness):
    """It raised IndexError."""
    return fitness[0] - fitness[1]


@genome("wrong-view")
@dataclass(frozen=True)
class View(Reals):
    """Take returns genomes that share memory with the parents."""

    def take(self, genomes, indices):
        return genomes[: len(indices)]


@genome("wrong-blurred")
@dataclass(frozen=True)
class Blurred(Reals):
    """The bits of an image depend on the other genomes."""

    def decode(self, genomes):
        return np.rint(255 * (genomes * (0.9 if len(genomes) > 1 else 1.0))).astype(np.uint8)


@genome("wrong-deaf")
@dataclass(frozen=True)
class Deaf(Reals):
    """It samples the same genomes for 9 seeds."""

    def sample(self, count, rng):
        return np.random.default_rng(0).random((count, *self.shape))


@genome("wrong-declared")
@dataclass(frozen=True)
class Declared(Reals):
    """It samples an array of float64, expected an array of uint8."""

    dtype = "uint8"


@genome("wrong-wild")
@dataclass(frozen=True)
class Wild(Reals):
    """It samples values outside its bounds, 0 to 1."""

    def sample(self, count, rng):
        return 1e9 * rng.random((count, *self.shape))


@genome("wrong-broadcast")
@dataclass(frozen=True)
class Broadcast(Reals):
    """The individuals that it samples share memory."""

    def sample(self, count, rng):
        return np.broadcast_to(rng.random(self.shape), (count, *self.shape))


@genome("wrong-undecoded")
@dataclass(frozen=True)
class Undecoded(Reals):
    """When decoding 0 genomes of 'wrong-undecoded' for images (16, 12, 1) it raised AssertionError."""

    def decode(self, genomes):
        assert len(genomes)
        return super().decode(genomes)


@genome("wrong-untaken")
@dataclass(frozen=True)
class Untaken(Reals):
    """When taking 0 of 7 genomes of 'wrong-untaken' for images (16, 12, 1) it raised AssertionError."""

    def take(self, genomes, indices):
        assert len(indices)
        return super().take(genomes, indices)


@genome("wrong-encoded")
@dataclass(frozen=True)
class Encoded(Reals):
    """An encoded image decodes to one that is more similar to another image."""

    def encode(self, images):
        return images[::-1] / 255


@genome("wrong-mistaken")
@dataclass(frozen=True)
class Mistaken(Reals):
    """Take does not return the genomes at the indices."""

    def take(self, genomes, indices):
        return genomes[: len(indices)].copy()


@genome("wrong-silent")
@dataclass(frozen=True)
class Silent:
    """It has no 'dtype'."""

    shape: tuple[int, int, int]


@genome("wrong-slips")
@dataclass(frozen=True)
class SlipsInView(Slips):
    """Take returns genomes that share memory with the parents."""

    def take(self, genomes, indices):
        return [genomes[index][:] for index in indices]


def _closure():
    @mutation("wrong-closure", genome="pixels")
    def inner(images, rng):
        """It cannot be pickled."""
        images[:, 0] = rng.integers(0, 256, dtype=np.uint8)
        return images

    return inner


closure = _closure()


@selection("fails_late")
def fails_late(fitness, count, rng, *, beyond: float = 1.0):
    """Select at random, but fail if a fitness is too high."""
    if fitness.max() > beyond:
        raise ValueError("too late")
    return rng.integers(0, len(fitness), count)


@mutation("fails_by_chance")
def fails_by_chance(genomes, rng, *, chance: float = 0.02):
    """Fail with a small probability."""
    if rng.random() < chance:
        raise ValueError("bad luck")
    return genomes


@mutation("unseeded")
def unseeded(genomes, rng):
    """Draw from an unseeded generator instead of rng."""
    genomes[np.random.default_rng().random(genomes.shape) < 0.02] = 0
    return genomes
