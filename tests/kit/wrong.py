"""Plugins with one fault each; the docstring is what `plugins check` must say."""

import random

import numpy as np

from fooldeap.plugin import KW_ONLY, crossover, dataclass, fitness, genome, mutation, selection

_LAST = np.zeros((7, 6, 5, 1), np.uint8)
_FRESH = np.random.default_rng()


@mutation("wrong-global", genome="pixels")
def draws_globally(images, rng):
    """It draws from global randomness."""
    images[:, 0, 0] = random.randrange(256)
    return images


@mutation("wrong-global-numpy", genome="pixels")
def draws_globally_from_numpy(images, rng):
    """It draws from global randomness."""
    images[:, 0, 0] = np.random.randint(256)  # noqa: NPY002
    return images


@mutation("wrong-unseeded", genome="pixels")
def draws_unseeded(images, rng):
    """It gives other children for the same seed."""
    return images ^ _FRESH.integers(0, 256, images.shape, np.uint8)


@mutation("wrong-constant", genome="pixels")
def never_draws(images, rng):
    """It gives the same children for 9 seeds."""
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
    """With a batch of 7 it returned uint8."""
    return images[rng.permutation(len(images))[1:]]


@mutation("wrong-empty", genome="pixels")
def stumbles_over_nothing(images, rng):
    """It raised."""
    images[rng.integers(len(images)), 0] = rng.integers(256)
    return images


@mutation("wrong-shared", genome="pixels")
def gives_one_child_many_times(images, rng):
    """Its children share memory."""
    return np.broadcast_to(rng.integers(0, 256, images.shape[1:], np.uint8), images.shape)


@mutation("wrong-kept", genome="pixels")
def keeps_its_children(images, rng):
    """A second call changes the children of the first."""
    if images.shape != _LAST.shape:
        return images ^ rng.integers(0, 256, images.shape, np.uint8)
    np.bitwise_xor(images, rng.integers(0, 256, images.shape, np.uint8), out=_LAST)
    return _LAST


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


@mutation("wrong-range", genome="reals")
def leaves_the_range(genomes, rng):
    """It leaves the genome's bounds, 0 to 1."""
    return genomes + rng.normal(0, 1, genomes.shape)


@selection("wrong-worst")
def prefers_the_worst(values, count, rng):
    """It prefers worse to better."""
    return np.argsort(values)[rng.integers(0, -(-len(values) // 2), count)]


@selection("wrong-ignorant")
def ignores_the_count(values, count, rng):
    """It returned int64."""
    return rng.integers(0, len(values), len(values))


@selection("wrong-sorting")
def sorts_in_place(values, count, rng):
    """It changes the fitness it is handed."""
    values.sort()
    return rng.integers(0, len(values), count)


@fitness("wrong-nan")
def gives_nan(predictions, target):
    """Returned values that are not finite."""
    with np.errstate(all="ignore"):
        return np.log(predictions.probabilities[:, target])


@fitness("wrong-relative")
def ranks_within_the_batch(predictions, target):
    """An image's score depends on the other images."""
    confidence = predictions.probabilities[:, target]
    return confidence - confidence.mean() if len(confidence) else confidence


@fitness("wrong-heavy-handed")
def changes_the_logits(predictions, target):
    """It changes the predictions it is handed."""
    predictions.logits[:, target] += 1
    return predictions.logits[:, target].astype(np.float64)


@genome("wrong-view")
@dataclass(frozen=True)
class View(Reals):
    """A change to what take gave changes the parents."""

    def take(self, genomes, indices):
        return genomes[: len(indices)]


@genome("wrong-blurred")
@dataclass(frozen=True)
class Blurred(Reals):
    """An image depends on the other genomes."""

    def decode(self, genomes):
        return np.rint(255 * (genomes * (0.9 if len(genomes) > 1 else 1.0))).astype(np.uint8)


def _closure():
    @mutation("wrong-closure", genome="pixels")
    def inner(images, rng):
        """It cannot be pickled."""
        images[:, 0] = rng.integers(0, 256, dtype=np.uint8)
        return images

    return inner


closure = _closure()
