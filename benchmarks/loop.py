"""How fast the main job is: its evaluations a second against the bare forward pass, and against textbook DEAP.

    python benchmarks/loop.py [--repeats 25] [--json FILE]

loop      a real run of configs/mnist.yaml, all ten targets, for a fixed number of generations, with journal and log.csv
forward   the same classifier's compiled function on images that are ready in memory, at its best batch size
textbook  DEAP as in its tutorials: lists of 784 integers, each evaluated by itself, by the same compiled function

The best batch size is found first. Every repeat then measures all three within some two seconds, the forward pass
before and after the loop, and ratios are taken within it, so that a machine that changes its pace changes all of
them. A repeat in which other processes took the cores is discarded and measured again. The exit status is 1 where the
median of a ratio misses its goal, or too few repeats were undisturbed.
"""

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from _measure import Figure, Spread, ratio, repeated, report
from deap import algorithms, base, creator, tools

from fooldeap import config
from fooldeap.plugin import Classifier
from fooldeap.prepared import Prepared
from fooldeap.quiet import tensorflow
from fooldeap.rundir import RunFolder, environment

CONFIG = Path(__file__).parent.parent / "configs" / "mnist.yaml"
STOP = "stop={confidence: null, score: null, evaluations: null, generations: 15}"
BATCHES = (128, 256, 512, 1000, 1024, 2048)
FORWARD_SECONDS = 0.3  # at a time
SEARCH_ROUNDS = 6  # over all batch sizes
TEXTBOOK_GENERATIONS = 3
GOALS = {"loop / forward": 0.85, "loop / textbook": 20.0}

Rates = dict[str, float]  # images a second


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=25)
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    arguments = parser.parse_args()

    prepared = Prepared(config.load(CONFIG, [STOP, "reporters=[csv]"]))
    batches = _forward_at_all_sizes(prepared.classifier)
    best = max(batches, key=lambda size: batches[size].median)
    measured, discarded = repeated(lambda: _repeat(prepared, best), arguments.repeats)
    figures = [Figure(name, ratio(measured, *name.split(" / ")), goal) for name, goal in GOALS.items()]
    rates = "; ".join(f"{name}: {Spread.of(values).median:,.0f}" for name, values in measured.items())
    sizes = "; ".join(f"{size}: {spread.median:,.0f}" for size, spread in batches.items())
    notes = [
        f"Images a second: {rates}; {discarded} repeats discarded.",
        f"The forward pass at batches of {sizes}; best: {best}.",
    ]
    return report(figures, notes, arguments.json, environment=environment())


def _forward_at_all_sizes(classifier: Classifier) -> dict[int, Spread]:
    rounds = [{size: _forward(classifier, size) for size in BATCHES} for _ in range(1 + SEARCH_ROUNDS)]
    return {size: Spread.of([rates[size] for rates in rounds[1:]]) for size in BATCHES}  # the first warms up


def _repeat(prepared: Prepared, batch: int) -> Rates:
    before = _forward(prepared.classifier, batch)
    loop = _loop(prepared)
    after = _forward(prepared.classifier, batch)
    return {"loop": loop, "forward": fmean((before, after)), "textbook": _textbook(prepared.classifier)}


def _loop(prepared: Prepared) -> float:
    with tempfile.TemporaryDirectory() as folder:
        result = prepared.run(RunFolder.create(prepared.experiment, Path(folder) / "run"))
    return result.evaluations / result.seconds


def _forward(classifier: Classifier, size: int) -> float:
    noise = np.random.default_rng(0).integers(0, 256, (size, *classifier.input_shape), dtype=np.uint8)
    images = tensorflow().constant(noise)
    shown, start = 0, time.perf_counter()
    while time.perf_counter() < start + FORWARD_SECONDS:
        classifier.logits(images)
        shown += size
    return shown / (time.perf_counter() - start)


def _textbook(classifier: Classifier, target: int = 3) -> float:
    """Run the main job's algorithm as DEAP's tutorials write it."""

    def evaluate(individual: list[int]) -> tuple[float]:
        image = np.array(individual, np.uint8).reshape(1, *classifier.input_shape)
        scores = classifier.logits(image)[0].astype(float)
        loss = scores.max() - scores[target] + np.log(np.exp(scores - scores.max()).sum())
        return (1 / max(loss, 1e-15),)

    if not hasattr(creator, "Individual"):
        creator.create("Fitness", base.Fitness, weights=(1.0,))
        creator.create("Individual", list, fitness=creator.Fitness)
    random.seed(1)
    toolbox: Any = base.Toolbox()
    toolbox.register("pixel", random.randint, 0, 255)
    values = int(np.prod(classifier.input_shape))
    toolbox.register("individual", tools.initRepeat, creator.Individual, toolbox.pixel, values)
    toolbox.register("population", tools.initRepeat, list, toolbox.individual)
    toolbox.register("evaluate", evaluate)
    toolbox.register("select", tools.selTournament, tournsize=5)
    toolbox.register("mate", tools.cxUniform, indpb=0.5)
    toolbox.register("mutate", tools.mutUniformInt, low=0, up=255, indpb=0.01)
    population = toolbox.population(100)

    start = time.perf_counter()
    _, log = algorithms.eaSimple(population, toolbox, cxpb=1.0, mutpb=1.0, ngen=TEXTBOOK_GENERATIONS, verbose=False)
    return float(sum(log.select("nevals")) / (time.perf_counter() - start))


if __name__ == "__main__":
    sys.exit(main())
