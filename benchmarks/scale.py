"""Overhead of the loop relative to the bare forward pass, for populations of 10 to 10 000 and several image sizes.

    python benchmarks/scale.py [--repeats 9] [--json FILE] [--only TEXT]

Each case is a complete run of ten targets with journal and log.csv, for a fixed number of generations. The default is
the main job on mnist_cnn. The other image sizes use a network with the same layers. After each batch of the loop, the
bare forward pass is measured: the same number of images, already in memory, is evaluated twice, and the second time
counts. So a change in the speed of the machine affects both sides of the ratio, and the bare pass starts with warm
caches. The ratio is the time of all bare passes, divided by the time of the loop without the bare passes.

The cases "imagenet" run MAP-Elites with 1000 classes on images 224 x 224 x 3. The classifier is EfficientNet-Lite0, if
tools/imagenet_models.py has written its ONNX file to ``models``, otherwise an untrained network of about the same cost.

Two further cases do the same with a classifier that costs almost nothing: how does the processor time per generation
depend on the number of classes and on the number of past generations?
"""

import contextlib
import math
import mmap
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
from fooldeap.runs.environment import current_environment
from fooldeap.runs.experiment_session import ExperimentSession
from fooldeap.runs.run_folder import RunFolder
from fooldeap_plugins.classifier.keras import Keras

SHAPES = ((28, 28, 1), (64, 64, 1), (160, 160, 3))
POPULATIONS = (10, 100, 1000, 10_000)
SECONDS = 1.0  # approximate duration of the evolution in a repeat
LEAST_GENERATIONS = 3
MANY_CLASSES, MANY_GENERATIONS = 1000, 120
IMAGENET_GOALS = {"cppn": 0.8, "pixels": 0.85}
IMAGENET_GENERATIONS = 9
IMAGENET_MODEL = Path(__file__).parent.parent / "models/efficientnet_lite0.onnx"
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
            f"{name}: {spent['loop']:.1f} us per image, {spent['bare']:.1f} of them in the bare pass; "
            f"{discarded} repeats discarded"
        )
    for genome, least in IMAGENET_GOALS.items():
        name = f"loop / forward, imagenet, {genome}"
        if arguments.only in name:
            generations = {"stop": {"confidence": None, "evaluations": None, "generations": IMAGENET_GENERATIONS}}
            experiment = config.load({**map_elites(genome, 200), **generations})
            measured, discarded = measure_loop(experiment, Alternating(imagenet()), arguments.repeats, median=True)
            figures.append(Figure(name, ratio(measured, "bare", "loop"), least))
            spent = {side: Spread.of(values).median for side, values in measured.items()}
            notes.append(f"{name}: {spent['loop']:.0f} us per image, {spent['bare']:.0f} of them in the bare pass")
    for genome in ("cppn", "pixels"):
        if arguments.only in f"{genome}, {MANY_CLASSES} classes":
            scaling, note = many_classes(genome)
            figures += scaling
            notes.append(note)
    large, usual = ratios.get((SHAPES[0], 10_000)), ratios.get((SHAPES[0], 1000))
    if large and usual:
        relative = Spread(*(one / usual.median for one in large))
        figures.append(Figure("population 10 000 relative to 1000", relative, least=0.9))
    return report(figures, notes, arguments.json, environment=current_environment())


def cases() -> list[tuple[tuple[int, int, int], int]]:
    """Return shape and population of each case: all populations for the smallest images, 100 for the others."""
    return [(SHAPES[0], population) for population in POPULATIONS] + [(shape, 100) for shape in SHAPES[1:]]


def measure(shape: tuple[int, int, int], population: int, repeats: int) -> tuple[dict[str, list[float]], int]:
    """Measure the default experiment on images of a shape; see `measure_loop`."""
    runs = min(10, 10_000 // population)
    classifier = Alternating(network(shape))
    generations = max(LEAST_GENERATIONS, round(SECONDS / (classifier.seconds_per_image() * runs * population)))
    return measure_loop(experiment(population, generations, runs), classifier, repeats)


def measure_loop(
    experiment: Experiment, classifier: "Alternating", repeats: int, *, median: bool = False
) -> tuple[dict[str, list[float]], int]:
    """Return the microseconds per image of the loop and of the bare pass in each repeat, and the discarded repeats.

    With ``median``, they are medians over the generations, see `Alternating.per_generation`.
    """
    prepared = ExperimentSession(experiment, classifier)
    ask = prepared.evaluator.logits

    def counting(batches: Any) -> Any:
        classifier.generation += 1
        return ask(batches)

    prepared.evaluator.logits = counting  # type: ignore[method-assign]

    def repeat() -> dict[str, float]:
        with tempfile.TemporaryDirectory() as folder, classifier.alternating():
            result = prepared.run(RunFolder.create(prepared.experiment, Path(folder) / "run"))
        if median:
            return classifier.per_generation()
        loop = result.seconds - classifier.aside
        return {name: 1e6 * spent / result.evaluations for name, spent in (("loop", loop), ("bare", classifier.bare))}

    return repeated(repeat, repeats)


class Alternating:
    """A classifier that measures the bare forward pass after every batch, within the context ``alternating``.

    ``bare`` is the time of the bare passes that count, ``aside`` the time of all measurements, in seconds.
    """

    def __init__(self, classifier: Classifier) -> None:
        self.input_shape, self.classes = classifier.input_shape, classifier.classes
        self._classifier, self._on = classifier, False
        self.bare = self.aside = 0.0
        self.generation = 0

    def logits(self, images: Images) -> Any:
        """Return the logits; within ``alternating``, also measure the bare forward pass."""
        answer = self._classifier.logits(images)
        if self._on:
            start = time.perf_counter()
            in_memory = _random_images(images.shape)
            if not isinstance(self._classifier, Keras):
                in_memory = in_memory.numpy()
            self._classifier.logits(in_memory)
            warm = time.perf_counter()
            self._classifier.logits(in_memory)
            end = time.perf_counter()
            self.bare += end - warm
            self.aside += end - start
            self._times.append((self.generation, start - self._ended, end - warm, len(images)))
            self._ended = end
        return answer

    @contextlib.contextmanager
    def alternating(self) -> Iterator[None]:
        """Measure the bare forward pass within the context."""
        self._on, self.bare, self.aside = True, 0.0, 0.0
        self._times, self._ended = list[tuple[int, float, float, int]](), time.perf_counter()
        try:
            yield
        finally:
            self._on = False

    def per_generation(self) -> dict[str, float]:
        """Return the microseconds per image of the loop and of the bare pass: medians over the generations.

        So the snapshots that a large experiment writes at a few generations do not count, nor its end.
        """
        generation, loop, bare, images = np.array(self._times).T
        parts = [generation == each for each in np.unique(generation)[1:]]  # the first one includes the preparation
        found = {"loop": loop, "bare": bare}
        return {
            name: 1e6 * float(np.median([spent[part].sum() / images[part].sum() for part in parts]))
            for name, spent in found.items()
        }

    def seconds_per_image(self) -> float:
        """Return an estimate of the seconds per image."""
        images = _random_images((128, *self.input_shape))
        self._classifier.logits(images)
        start = time.perf_counter()
        self._classifier.logits(images)
        return (time.perf_counter() - start) / 128


@cache
def _random_images(shape: tuple[int, ...]) -> Any:
    """Return random images as a TensorFlow tensor."""
    return tensorflow().constant(np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))


def experiment(population: int, generations: int, runs: int) -> Experiment:
    """Return the experiment of the main job with another population, limited only by the number of generations."""
    stop = {"confidence": None, "evaluations": None, "generations": generations}
    algorithm = {"name": "generational", "population": population}
    return config.load({"stop": stop, "algorithm": algorithm, "reporters": ["csv"], "targets": list(range(runs))})


@cache
def network(shape: tuple[int, int, int]) -> Classifier:
    """Return mnist_cnn, or an untrained network with the same layers for another input shape."""
    if shape == SHAPES[0]:
        return config.load({}).classifier.build()
    tensorflow()
    import keras

    keras.utils.set_random_seed(1)
    layers: list[Any] = [keras.Input(shape), keras.layers.Rescaling(1 / 255)]
    for filters in (32, 64):
        layers += [keras.layers.Conv2D(filters, 3, activation="relu"), keras.layers.MaxPooling2D()]
    layers += [keras.layers.Flatten(), keras.layers.Dense(10)]
    classifier: Classifier = Keras.from_object(keras.Sequential(layers), outputs="logits")
    return classifier


@cache
def imagenet() -> Classifier:
    """Return EfficientNet-Lite0, or an untrained network that takes about as long, about 10 ms for each image."""
    if IMAGENET_MODEL.exists():
        settings = {
            "name": "onnx",
            "model": str(IMAGENET_MODEL),
            "outputs": "logits",
            "mean": [127] * 3,
            "std": [128] * 3,
        }
        return config.load({"classifier": settings}).build_classifier()
    tensorflow()
    import keras

    keras.utils.set_random_seed(1)
    layers: list[Any] = [keras.Input((224, 224, 3)), keras.layers.Rescaling(1 / 255)]
    for filters in (32, 64, 128, 256):
        layers += [keras.layers.Conv2D(filters, 3, strides=2, activation="relu")]
    layers += [keras.layers.Conv2D(256, 3, activation="relu"), keras.layers.GlobalAveragePooling2D()]
    layers += [keras.layers.Dense(MANY_CLASSES)]
    classifier: Classifier = Keras.from_object(keras.Sequential(layers), outputs="logits")
    return classifier


def map_elites(genome: str, population: int) -> dict[str, Any]:
    """Return the keys of an experiment with MAP-Elites over all classes."""
    return {
        "genome": genome,
        "mutation": {"pixels": "polynomial"}.get(genome, genome),
        "crossover": "none",
        "algorithm": {"name": "map_elites", "population": population},
        "reporters": ["csv"],
        "targets": "all",
    }


class StandIn:
    """A classifier of images 224 x 224 x 3 that costs almost nothing: a linear function of 64 pixels.

    ``marks`` are the processor time and the memory in MB at each query.
    """

    input_shape = (224, 224, 3)
    digest = "stand-in"

    def __init__(self, classes: int) -> None:
        rng = np.random.default_rng(0)
        self.classes, self.marks = classes, list[tuple[float, float]]()
        self._places = rng.integers(0, math.prod(self.input_shape), 64)
        self._weights = rng.normal(size=(64, classes)).astype(np.float32)

    def logits(self, images: Images) -> Any:
        """Return the logits."""
        memory = int(Path("/proc/self/statm").read_text().split()[1]) * mmap.PAGESIZE / 1e6
        self.marks.append((time.process_time(), memory))
        pixels = images.reshape(len(images), -1)[:, self._places].astype(np.float32)
        return (pixels / 255 - 0.5) @ self._weights


def many_classes(genome: str) -> tuple[list[Figure], str]:
    """Return how MAP-Elites scales with classes and generations, with a classifier that costs almost nothing."""
    spent, grown, folder_size = {}, {}, 0
    for classes in (MANY_CLASSES // 2, MANY_CLASSES):
        classifier = StandIn(classes)
        stop = {"confidence": None, "evaluations": None, "generations": MANY_GENERATIONS}
        prepared = ExperimentSession(config.load({**map_elites(genome, 50), "stop": stop}), classifier)
        classifier.marks.clear()
        with tempfile.TemporaryDirectory() as folder:
            prepared.run(RunFolder.create(prepared.experiment, Path(folder) / "run"))
            folder_size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
        seconds, memory = np.array(classifier.marks).T
        spent[classes], grown[classes] = np.diff(seconds), memory - memory[0]
    part = MANY_GENERATIONS // 4
    last, first = (np.median(spent[MANY_CLASSES][part_of]) for part_of in (slice(-part, None), slice(part, 2 * part)))
    double = np.median(spent[MANY_CLASSES]) / np.median(spent[MANY_CLASSES // 2])
    name = f"{genome}, {MANY_CLASSES} classes"
    figures = [
        Figure(
            f"{name}: time per generation, last quarter / second quarter", Spread.of([float(last / first)]), most=1.2
        ),
        Figure(f"{name}: time per generation / half the classes", Spread.of([float(double)]), most=2.2),
    ]
    peak = grown[MANY_CLASSES].max()
    note = (
        f"{name}: {1e3 * last:.0f} ms per generation, {peak:.0f} MB above the start, folder {folder_size / 1e6:.0f} MB"
    )
    return figures, note


if __name__ == "__main__":
    sys.exit(main())
