"""Speed of the executor `scoop` in both modes with one and two workers, relative to serial runs.

    python benchmarks/parallel.py [--repeats 9] [--json FILE]

The classifiers are mnist_cnn and a network that needs at least 10 ms per image on one core. Each setting has its own
process that has already loaded everything. The processes take turns, so that a change in the speed of the machine
affects all of them. The cost of a chunk is that of an empty task with 32 images.
"""

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from _measure import Figure, Spread, options, ratio, repeated, report

from fooldeap.configuration import config
from fooldeap.lazy_tensorflow import tensorflow
from fooldeap.runs.environment import current_environment
from fooldeap.runs.experiment_session import ExperimentSession
from fooldeap.runs.run_folder import RunFolder

WAYS = {
    "serial": "serial",
    "chunks, 1": {"name": "scoop", "workers": 1, "mode": "chunks"},
    "chunks, 2": {"name": "scoop", "workers": 2, "mode": "chunks"},
    "runs, 1": {"name": "scoop", "workers": 1, "mode": "runs"},
    "runs, 2": {"name": "scoop", "workers": 2, "mode": "runs"},
}
GOAL = 0.95  # for two workers relative to serial runs, on the slow network
CHUNKS = 400


def main() -> int:
    parser = options(__doc__)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        return serve(json.loads(arguments.child))
    figures, notes = [], []
    with tempfile.TemporaryDirectory() as folder:
        slow, cost = slow_network(Path(folder))
        for name, classifier, population, generations in (
            ("mnist_cnn", "keras", 100, 15),
            (f"{cost:.0f} ms per image", {"name": "keras", "model": slow, "outputs": "logits"}, 32, 1),
        ):
            measured, discarded = measure(classifier, population, generations, arguments.repeats)
            for way in list(WAYS)[1:]:
                least = GOAL if way.endswith("2") and classifier != "keras" else None
                figures.append(Figure(f"{name}: {way} / serial", ratio(measured, way, "serial"), least))
            notes.append(f"{name}: serial {Spread.of(measured['serial']).median:,.1f} images/s; {discarded} discarded")
    figures.append(Figure("cost of a chunk, ms", Spread.of([1000 * chunk_seconds() for _ in range(arguments.repeats)])))
    return report(figures, notes, arguments.json, environment=current_environment())


def measure(classifier: Any, population: int, generations: int, repeats: int) -> tuple[dict[str, list[float]], int]:
    """Return the evaluations per second of every setting in each repeat, and the number of discarded repeats."""
    data = {
        "classifier": classifier,
        "algorithm": {"name": "generational", "population": population},
        "stop": {"confidence": None, "evaluations": None, "generations": generations},
        "targets": list(range(8)),
        "reporters": ["csv"],
    }
    with contextlib.ExitStack() as stack:
        children = {way: stack.enter_context(child({**data, "executor": executor})) for way, executor in WAYS.items()}
        return repeated(lambda: {way: ask(process) for way, process in children.items()}, repeats)


@contextlib.contextmanager
def child(data: dict[str, Any]) -> Iterator["subprocess.Popen[str]"]:
    """Start a process that runs an experiment on request, see `serve`."""
    command = [sys.executable, __file__, "--child", json.dumps(data)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.communicate()


def ask(process: "subprocess.Popen[str]") -> float:
    """Let a process run its experiment, and return its evaluations per second."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("go\n")
    process.stdin.flush()
    return float(process.stdout.readline())


def serve(data: dict[str, Any]) -> int:
    """Run an experiment for each line on standard input, and print its evaluations per second."""
    with ExperimentSession(config.load(data)) as prepared:
        getattr(prepared.executor, "wait", lambda: None)()
        print("ready", flush=True)
        for _ in sys.stdin:
            with tempfile.TemporaryDirectory() as folder:
                result = prepared.run(RunFolder.create(prepared.experiment, Path(folder) / "run"))
            print(result.evaluations / result.seconds, flush=True)
    return 0


def slow_network(folder: Path) -> tuple[str, float]:
    """Save a network that needs at least 10 ms per image on one core; return its file and the milliseconds."""
    tf = tensorflow()
    import keras

    keras.utils.set_random_seed(1)
    layers: list[Any] = [keras.Input((96, 96, 3)), keras.layers.Rescaling(1 / 255)]
    layers += [keras.layers.Conv2D(filters, 3, activation="relu") for filters in (48, 64, 64)]
    model = keras.Sequential([*layers, keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(10)])
    model.save(folder / "slow.keras")
    answer = tf.function(lambda images: model(images, training=False))
    images = tf.zeros((32, 96, 96, 3), tf.uint8)
    answer(images)
    start = time.process_time()
    answer(images)
    return str(folder / "slow.keras"), 1000 * (time.process_time() - start) / 32


def chunk_seconds() -> float:
    """Return the seconds of an empty task with 32 images, with one worker besides this process."""
    images = np.zeros((32, 28, 28, 1), np.uint8)
    executor = config.load({"executor": WAYS["chunks, 2"]}).executor.build()
    executor.open(None)
    executor.wait()
    executor.map(len, [images] * CHUNKS)
    start = time.perf_counter()
    list(executor.map(len, [images] * CHUNKS))
    seconds = time.perf_counter() - start
    executor.close()
    return seconds / CHUNKS


if __name__ == "__main__":
    sys.exit(main())
