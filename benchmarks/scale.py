"""The loop against the bare forward pass, for populations of 10 to 10 000 and images up to 160 x 160 x 3.

    python benchmarks/scale.py [--repeats 9] [--json FILE] [--only TEXT]

Each is a real run of ten targets with journal and log.csv, for a fixed number of generations: the default is the main
job on mnist_cnn, the others are on a network of its layers for that input. Whenever the loop has shown a batch to the
classifier, the bare forward pass is taken there and then, twice, on as many images that are ready in memory, and the
second is what counts. So a machine that changes its pace changes both sides of every ratio, and what the loop did just
before is not held against the bare pass. A ratio is the time of all bare passes over that of the loop less theirs.
"""

import contextlib
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from _measure import Figure, Spread, options, ratio, repeated, report

from fooldeap.configuration import config
from fooldeap.configuration.experiment import Experiment
from fooldeap.lazy_tensorflow import tensorflow
from fooldeap.plugin import Classifier, Images
from fooldeap.runs.api import wrapped
from fooldeap.runs.experiment_session import ExperimentSession
from fooldeap.runs.provenance import environment
from fooldeap.runs.run_folder import RunFolder

SHAPES = ((28, 28, 1), (64, 64, 1), (160, 160, 3))
POPULATIONS = (10, 100, 1000, 10_000)
SECONDS = 1.0  # of evolution, about, in a repeat
LEAST_GENERATIONS = 3
GOALS = {((28, 28, 1), 100): 0.92, ((160, 160, 3), 100): 0.95}


def main() -> int:
    arguments = options(__doc__, only="cases").parse_args()
    figures, notes, ratios = [], [], {}
    for shape, population in cases():
        name = f"loop / forward, {'x'.join(map(str, shape))}, population {population}"
        if arguments.only not in name:
            continue
        measured, discarded = measure(shape, population, arguments.repeats)
        ratios[shape, population] = ratio(measured, "bare", "loop")
        figures.append(Figure(name, ratios[shape, population], GOALS.get((shape, population))))
        spent = {side: Spread.of(values).median for side, values in measured.items()}
        notes.append(
            f"{name}: {spent['loop']:.1f} us an image, of which the bare pass takes {spent['bare']:.1f}; "
            f"{discarded} repeats discarded"
        )
    large, usual = ratios.get((SHAPES[0], 10_000)), ratios.get((SHAPES[0], 1000))
    if large and usual:
        relative = Spread(*(one / usual.median for one in large))
        figures.append(Figure("population 10 000 relative to 1000", relative, least=0.9))
    return report(figures, notes, arguments.json, environment=environment())


def cases() -> list[tuple[tuple[int, int, int], int]]:
    """Return what is measured: all populations on the smallest images, and the usual one on the others."""
    return [(SHAPES[0], population) for population in POPULATIONS] + [(shape, 100) for shape in SHAPES[1:]]


def measure(shape: tuple[int, int, int], population: int, repeats: int) -> tuple[dict[str, list[float]], int]:
    """Measure the default experiment on images of a shape: see `timed`."""
    runs = min(10, 10_000 // population)
    classifier = Alternating(network(shape))
    generations = max(LEAST_GENERATIONS, round(SECONDS / (classifier.seconds_an_image() * runs * population)))
    return timed(experiment(population, generations, runs), classifier, repeats)


def timed(experiment: Experiment, classifier: "Alternating", repeats: int) -> tuple[dict[str, list[float]], int]:
    """Return the microseconds an image of the loop and of the bare pass, by repeat, and how many did not count."""
    prepared = ExperimentSession(experiment, classifier)

    def repeat() -> dict[str, float]:
        with tempfile.TemporaryDirectory() as folder, classifier.alternating():
            result = prepared.run(RunFolder.create(prepared.experiment, Path(folder) / "run"))
        loop = result.seconds - classifier.aside
        return {name: 1e6 * spent / result.evaluations for name, spent in (("loop", loop), ("bare", classifier.bare))}

    return repeated(repeat, repeats)


class Alternating:
    """A classifier that, while ``alternating``, measures the bare forward pass after every batch that it answers.

    ``bare`` are the seconds of the bare passes that count, ``aside`` of all that was not the loop's.
    """

    def __init__(self, classifier: Classifier) -> None:
        self.input_shape, self.classes = classifier.input_shape, classifier.classes
        self._classifier, self._on = classifier, False
        self.bare = self.aside = 0.0

    def logits(self, images: Images) -> Any:
        """Answer, then show as many images again, twice, where that is asked for."""
        answer = self._classifier.logits(images)
        if self._on:
            start = time.perf_counter()
            ready = _ready(images.shape)
            self._classifier.logits(ready)
            between = time.perf_counter()
            self._classifier.logits(ready)
            end = time.perf_counter()
            self.bare += end - between
            self.aside += end - start
        return answer

    @contextlib.contextmanager
    def alternating(self) -> Iterator[None]:
        """Measure within the block."""
        self._on, self.bare, self.aside = True, 0.0, 0.0
        try:
            yield
        finally:
            self._on = False

    def seconds_an_image(self) -> float:
        """Return about how long an image takes."""
        images = _ready((128, *self.input_shape))
        self._classifier.logits(images)
        start = time.perf_counter()
        self._classifier.logits(images)
        return (time.perf_counter() - start) / 128


@cache
def _ready(shape: tuple[int, ...]) -> Any:
    """Return images that TensorFlow has in memory."""
    return tensorflow().constant(np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))


def experiment(population: int, generations: int, runs: int) -> Experiment:
    """Return the main job's experiment with another population, and nothing but its generations to end it."""
    stop = {"confidence": None, "evaluations": None, "generations": generations}
    algorithm = {"name": "generational", "population": population}
    return config.load({"stop": stop, "algorithm": algorithm, "reporters": ["csv"], "targets": list(range(runs))})


@cache
def network(shape: tuple[int, int, int]) -> Classifier:
    """Return mnist_cnn, or a network of its layers for another input, its weights fixed."""
    if shape == SHAPES[0]:
        return config.load({}).classifier.build()
    tensorflow()
    import keras

    keras.utils.set_random_seed(1)
    layers: list[Any] = [keras.Input(shape), keras.layers.Rescaling(1 / 255)]
    for filters in (32, 64):
        layers += [keras.layers.Conv2D(filters, 3, activation="relu"), keras.layers.MaxPooling2D()]
    layers += [keras.layers.Flatten(), keras.layers.Dense(10)]
    classifier = wrapped(keras.Sequential(layers), config.load({}, ["classifier.outputs=logits"]).classifier)
    return classifier


if __name__ == "__main__":
    sys.exit(main())
