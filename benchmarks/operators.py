"""Time of the operators of the default experiment, and scaling of a sparse mutation with the image size.

    python benchmarks/operators.py [--repeats 9]

operators   the time to select, take, mate and mutate a population of 100 images of 28 x 28, in microseconds per
            individual
sparse      the time of random_pixels on 160 x 160 x 3, divided by that on 28 x 28, if it changes the same number of
            pixels. The times should be similar, although the image is 98 times as large

The exit status is 1 if a figure misses its goal. Times are medians. The ratio is computed within each repeat.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
from _measure import Figure, Spread, options, report

from fooldeap.configuration import config
from fooldeap.configuration.choices import Choice
from fooldeap.configuration.experiment import Experiment

CONFIG = Path(__file__).parent.parent / "configs" / "mnist.yaml"
POPULATION = 100
ROUNDS = 200
LARGE = (160, 160, 3)
MOST_MICROSECONDS = 4.0
MOST_RATIO = 3.0  # memory is slower for larger images; a time proportional to the size would give 98


def main() -> int:
    arguments = options(__doc__).parse_args()
    experiment = config.load(CONFIG)
    generation = _generation(experiment)
    small, large = _sparse(experiment.mutation, (28, 28, 1)), _sparse(experiment.mutation, LARGE)
    rounds = range(arguments.repeats)
    times = [(_microseconds(generation), _microseconds(small), _microseconds(large)) for _ in rounds]
    each = Spread.of([operators / POPULATION for operators, _, _ in times])
    ratio = Spread.of([more / less for _, less, more in times])
    figures = [
        Figure("operators, µs per individual", each, most=MOST_MICROSECONDS),
        Figure("sparse mutation, 160 x 160 x 3 / 28 x 28", ratio, most=MOST_RATIO),
    ]
    return report(figures, file=arguments.json)


def _generation(experiment: Experiment) -> Callable[[], object]:
    """Return a function that makes a generation from the previous one, without the classifier."""
    rng = np.random.Generator(np.random.SFC64(1))
    genome = experiment.genome.build((28, 28, 1))
    select, mate, mutate = (each.build() for each in (experiment.selection, experiment.crossover, experiment.mutation))
    population, fitness = genome.sample(POPULATION, rng), rng.random(POPULATION)

    def generation() -> object:
        children = genome.take(population, select(fitness, POPULATION, rng))
        half = POPULATION // 2
        children[:half], children[half:] = mate(children[:half], children[half:], rng)
        return mutate(children, rng)

    return generation


def _sparse(mutation: Choice, shape: tuple[int, int, int]) -> Callable[[], object]:
    """Return a function that mutates a population and changes about 8 pixels per image of any size."""
    rng = np.random.Generator(np.random.SFC64(1))
    images = rng.integers(0, 256, (POPULATION, *shape), dtype=np.uint8)
    mutate = Choice(mutation.plugin, {"rate": 0.01 * 784 / np.prod(shape).item()}).build()
    return lambda: mutate(images, rng)


def _microseconds(call: Callable[[], object]) -> float:
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return 1e6 * median(times)


if __name__ == "__main__":
    sys.exit(main())
