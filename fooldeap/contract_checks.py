"""Checks of plugins' results. Each returns a fault, worded to follow the plugin's name, or None."""

import math
from collections.abc import Callable
from numbers import Integral
from typing import Any

import numpy as np

from fooldeap.contracts import Array, Batch, Classifier, Images, Predictions, Rng, Split, confidence_kind_of
from fooldeap.errors import InputError, PluginError
from fooldeap.results import CONFIDENCE_KINDS

Check = Callable[..., str | None]  # from a plugin's result and its arguments to a fault or None

MOST_CLASSES = 1_000_000  # of a dataset: larger labels are identifiers or damage; a table by class would be too large
CHANNELS = (1, 3)  # of images: grey or RGB
MOST_VALUES = 1 << 26  # of an image; larger images are not read from a folder, see `fooldeap.storage.inputs`


def sample(genomes: Batch, count: int) -> str | None:
    """Check the result of ``sample(count)``."""
    return (
        _not_finite(genomes) if _length(genomes) == count else f"sampled {described(genomes)}, expected {count} genomes"
    )


def sampled(dtype: str | None) -> Check:
    """Return a check of ``sample(count)`` for a genome with this dtype, or None for lists."""

    def check(genomes: Batch, count: int) -> str | None:
        declared = isinstance(genomes, list) if dtype is None else getattr(genomes, "dtype", None) == np.dtype(dtype)
        if not declared:
            return f"sampled {described(genomes)}, expected {dtype or 'a list'} because its dtype is {dtype}"
        return sample(genomes, count)

    return check


def encoded(genome: object) -> Callable[[Batch, Images], str | None]:
    """Return a check of ``encode(images)`` for a genome."""

    def check(genomes: Batch, images: Images) -> str | None:
        fault = sampled(getattr(genome, "dtype", None))(genomes, len(images))
        return None if fault is None else f"encoded images, but {fault}"

    return check


def decode(shape: tuple[int, int, int]) -> Callable[[Images, Batch], str | None]:
    """Return a check of ``decode(genomes)`` for images of this shape."""

    def check(images: Images, genomes: Batch) -> str | None:
        wanted = (len(genomes), *shape)
        if isinstance(images, np.ndarray) and images.dtype == np.uint8 and images.shape == wanted:
            return None
        return f"decoded to {described(images)}, expected uint8 {wanted}"

    return check


def take(taken: Batch, genomes: Batch, indices: Any) -> str | None:
    """Check the result of ``take(genomes, indices)``."""
    return (
        None
        if _length(taken) == len(indices)
        else f"returned {described(taken)} from take, expected {len(indices)} genomes"
    )


def same(result: Batch, genomes: Batch, *_: Rng) -> str | None:
    """Check the result of ``mutate(genomes)`` or ``mutate(genomes, rng)``."""
    if result is None:
        return "returned None; return the genomes"
    if isinstance(genomes, np.ndarray):
        alike = isinstance(result, np.ndarray) and (result.shape, result.dtype) == (genomes.shape, genomes.dtype)
        return _not_finite(result) if alike else f"returned {described(result)}, expected {described(genomes)}"
    return None if _length(result) == len(genomes) else f"returned {described(result)}, expected {len(genomes)} genomes"


def pair(result: Any, first: Batch, second: Batch, *_: Rng) -> str | None:
    """Check the result of ``mate(first, second)``."""
    if not (isinstance(result, tuple) and len(result) == 2):
        return f"returned {described(result)}, expected two batches of children"
    return same(result[0], first) or same(result[1], second)


def indices(chosen: Any, fitness: Array, count: int, *_: Rng) -> str | None:
    """Check the result of ``select(fitness, count)``."""
    array = chosen if isinstance(chosen, np.ndarray) else np.asarray(chosen)
    if array.shape != (count,) or array.dtype.kind not in "iu":
        return f"returned {described(array)}, expected {count} indices"
    if count and not (array.min() >= 0 and array.max() < len(fitness)):
        return f"returned indices outside the population of {len(fitness)}"
    return None


def selectable(objectives: str) -> Callable[[Any, int], str | None]:
    """Return a check of the fitness that is passed to a selection."""

    def check(fitness: Any, count: int) -> str | None:
        if not isinstance(fitness, np.ndarray) or fitness.ndim not in (1, 2) or fitness.dtype.kind not in "fiu":
            return f"received {described(fitness)}, expected a fitness (n,) float64"
        if fitness.ndim == 2 and objectives == "one":
            return f"received a fitness {fitness.shape} of several objectives, expected one objective, (n,)"
        if not np.isfinite(fitness).all():
            return "received a fitness with NaN or infinite values, expected finite values"
        if count and not len(fitness):
            return "received an empty population, expected at least one individual"
        return None

    return check


def statistic(value: Any, genomes: Any, fitness: Array) -> str | None:
    """Return the fault of the value of a statistic, or None."""
    valid = isinstance(value, int | float | np.integer | np.floating)
    return None if valid else f"returned {described(value)}, expected a number"


def fitness(values: Any, predictions: Predictions, target: int) -> str | None:
    """Check the result of ``fitness(predictions, target)``."""
    rows = len(predictions.logits)
    shape = values.shape if isinstance(values, np.ndarray) and values.dtype == np.float64 else ()
    if shape[:1] != (rows,) or len(shape) > 2 or 0 in shape[1:]:
        return f"returned {described(values)}, expected float64 ({rows},) or ({rows}, k), k at least 1"
    return _not_finite(values)


def single_objective(values: Any, predictions: Predictions, target: int) -> str | None:
    """Check the result of ``fitness(predictions, target)`` for an algorithm that takes one objective."""
    fault = fitness(values, predictions, target)
    if fault or values.ndim == 1:
        return fault
    return (
        f"returned {described(values)}, expected (n,), because the algorithm takes one objective; declare the names of "
        "the objectives, and choose an algorithm for several, such as nsga2"
    )


def split(data: Any) -> str | None:
    """Check the result of a dataset's ``load()``."""
    if not isinstance(data, Split):
        return f"loads {described(data)}, expected a Split"
    parts = (("training", data.train_images, data.train_labels), ("test", data.test_images, data.test_labels))
    for part, images, labels in parts:
        fault = _image_fault(images, part) or label_fault(labels, len(images), part)
        if fault:
            return f"loads {fault}"
    train, test = data.train_images.shape[1:], data.test_images.shape[1:]
    return None if train == test else f"loads training images {train}, but test images {test}; expected one shape"


def _image_fault(images: Any, part: str) -> str | None:
    if isinstance(images, np.ndarray) and images.dtype == np.uint8 and images.ndim == 4 and len(images):
        return None
    return f"{part} images {described(images)}, expected uint8 (n, height, width, channels)"


def label_fault(labels: Any, count: int, part: str, classes: int = MOST_CLASSES) -> str | None:
    """Check the labels of ``count`` images. ``part`` is the part of the dataset: training or test."""
    if not (isinstance(labels, np.ndarray) and labels.dtype.kind in "iu" and labels.shape == (count,)):
        return f"{part} labels {described(labels)}, expected integers ({count},), one for each image"
    for label in (int(labels.min()), int(labels.max())):
        if not 0 <= label < classes:
            return f"the {part} label {label}, expected classes from 0 to {classes - 1}"
    return None


def check_classifier(classifier: Classifier, name: str) -> None:
    """Check the attributes of a classifier. ``name`` is the name of its plugin, for messages.

    Raises
    ------
    PluginError
        An attribute has the wrong type or value.
    InputError
        The classifier has too many classes, or its images are too large or neither grey nor RGB.
    """
    shape, classes, digest = classifier.input_shape, classifier.classes, getattr(classifier, "digest", "")
    if not (isinstance(shape, tuple) and len(shape) == 3 and all(map(_is_count, shape))):
        raise PluginError(f"{name} has the input_shape {shape!r}, expected (height, width, channels)")
    if not _is_count(classes):
        raise PluginError(f"{name} has {classes!r} classes, expected a number of at least 1")
    if shape[2] not in CHANNELS:
        raise InputError(
            f"{name} has the shape {shape}, expected (height, width, 1 or 3); set 'shape' so, and convert the images "
            "inside the classifier if its model takes them otherwise"
        )
    if math.prod(map(int, shape)) > MOST_VALUES:
        raise InputError(f"{name} takes images {shape}, expected at most {MOST_VALUES:,} values in an image")
    if classes > MOST_CLASSES:
        raise InputError(f"{name} has {classes:,} classes, expected at most {MOST_CLASSES:,}")
    kind = confidence_kind_of(classifier)
    if kind not in CONFIDENCE_KINDS:
        raise PluginError(f"{name} has the confidence_kind {kind!r}, expected {', '.join(CONFIDENCE_KINDS)}")
    names = getattr(classifier, "names", None)
    if names is not None and len(names) != classes:
        raise PluginError(f"{name} has {len(names)} class names, expected {classes}")
    if digest is not None and not isinstance(digest, str):
        raise PluginError(f"{name} has a digest of type {type(digest).__name__}, expected text")


def _is_count(value: object) -> bool:
    return isinstance(value, Integral) and int(value) >= 1


# Checks of the operators that are called in every generation, by kind.
CHECKS: dict[str, Check] = {"fitness": fitness, "mutation": same, "crossover": pair, "selection": indices}


def _not_finite(batch: Batch) -> str | None:
    real = isinstance(batch, np.ndarray) and batch.dtype.kind == "f"
    return "returned values that are not finite" if real and not np.isfinite(batch).all() else None


def _length(batch: Any) -> int:
    return len(batch) if isinstance(batch, np.ndarray | list) else -1


def described(value: object) -> str:
    """Return a short description of a value for a message: ``float64 (3, 10)``, or its type."""
    return f"{value.dtype} {value.shape}" if isinstance(value, np.ndarray) else f"{type(value).__name__}"
