"""The loop against the bare forward pass, for populations of 10 to 10 000 and images up to 160 x 160 x 3.

    python benchmarks/scale.py [--repeats 9] [--json FILE] [--only TEXT]

Each is a real run of ten targets with journal and log.csv, for a fixed number of generations, on a network of the
layers of mnist_cnn for that input; the forward pass is that network's compiled function on images ready in memory, as
many at a time as the loop shows. Every repeat takes forward, loop, forward within some seconds.
"""

import argparse
import sys
import tempfile
import time
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from _measure import Figure, Spread, ratio, repeated, report

from fooldeap import config
from fooldeap.experiment import wrapped
from fooldeap.plugin import Classifier
from fooldeap.prepared import Prepared
from fooldeap.quiet import tensorflow
from fooldeap.rundir import RunFolder, environment

SHAPES = ((28, 28, 1), (64, 64, 1), (160, 160, 3))
POPULATIONS = (10, 100, 1000, 10_000)
SECONDS = 1.0  # of evolution, about, in a repeat
LEAST_GENERATIONS = 3
GOALS = {((28, 28, 1), 100): 0.92, ((160, 160, 3), 100): 0.95}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--only", default="", help="measure only what has this in its name")
    arguments = parser.parse_args()
    figures, notes, ratios = [], [], {}
    for shape, population in cases():
        name = f"loop / forward, {'x'.join(map(str, shape))}, population {population}"
        if arguments.only not in name:
            continue
        measured, discarded = measure(shape, population, arguments.repeats)
        ratios[shape, population] = ratio(measured, "loop", "forward")
        figures.append(Figure(name, ratios[shape, population], GOALS.get((shape, population))))
        rates = {rate: Spread.of(values).median for rate, values in measured.items()}
        best = ratio(measured, "loop", "limit").median
        notes.append(
            f"{name}: {rates['loop']:,.0f} / {rates['forward']:,.0f} images a second; against the forward pass at the "
            f"best batch size of all, {rates['limit']:,.0f} a second, {best:.3f}; {discarded} repeats discarded"
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
    """Return the images a second of the loop and of the forward pass, by repeat, and how many repeats did not count."""
    classifier, runs = network(shape), min(10, 10_000 // population)
    best, rate = best_batch(classifier)
    generations = max(LEAST_GENERATIONS, round(SECONDS * rate / (runs * population)))
    prepared = Prepared(experiment(population, generations, runs), classifier)
    own = min(prepared.evaluator.rows, runs * population)

    # As long as the loop: a machine that lends its speed for a moment only would flatter a short one.
    seconds = (generations + 1) * runs * population / rate / 2

    def repeat() -> dict[str, float]:
        before, limit = forward(classifier, own, seconds), forward(classifier, best)
        with tempfile.TemporaryDirectory() as folder:
            result = prepared.run(RunFolder.create(prepared.experiment, Path(folder) / "run"))
        after, limit_after = forward(classifier, own, seconds), forward(classifier, best)
        return {
            "loop": result.evaluations / result.seconds,
            "forward": fmean((before, after)),
            "limit": fmean((limit, limit_after)),
        }

    return repeated(repeat, repeats)


def experiment(population: int, generations: int, runs: int) -> config.Experiment:
    """Return the main job's experiment with another population, and nothing but its generations to end it."""
    stop = {"confidence": None, "evaluations": None, "generations": generations}
    algorithm = {"name": "generational", "population": population}
    return config.load({"stop": stop, "algorithm": algorithm, "reporters": ["csv"], "targets": list(range(runs))})


@cache
def network(shape: tuple[int, int, int]) -> Classifier:
    """Return a network of the layers of mnist_cnn for that input, its weights fixed."""
    tensorflow()
    import keras

    keras.utils.set_random_seed(1)
    layers: list[Any] = [keras.Input(shape), keras.layers.Rescaling(1 / 255)]
    for filters in (32, 64):
        layers += [keras.layers.Conv2D(filters, 3, activation="relu"), keras.layers.MaxPooling2D()]
    layers += [keras.layers.Flatten(), keras.layers.Dense(10)]
    classifier = wrapped(keras.Sequential(layers), config.load({}, ["classifier.outputs=logits"]).classifier)
    return classifier


def best_batch(classifier: Classifier) -> tuple[int, float]:
    """Return the batch size that goes fastest, and its images a second."""
    most = max(32, min(2048, 40_000_000 // int(np.prod(classifier.input_shape)) // 32 * 32))
    sizes = [size for size in (32, 64, 128, 256, 512, 1024, 2048) if size <= most]
    rates = {size: max(forward(classifier, size) for _ in range(4)) for size in sizes}
    best = max(rates, key=rates.__getitem__)
    return best, rates[best]


def forward(classifier: Classifier, size: int, seconds: float = 0.3) -> float:
    """Return the images a second of the bare forward pass at a batch size."""
    noise = np.random.default_rng(0).integers(0, 256, (size, *classifier.input_shape), dtype=np.uint8)
    images = tensorflow().constant(noise)
    shown, start = 0, time.perf_counter()
    while time.perf_counter() < start + seconds:
        classifier.logits(images)
        shown += size
    return shown / (time.perf_counter() - start)


if __name__ == "__main__":
    sys.exit(main())
