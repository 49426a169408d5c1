"""Throughput by number of workers, with the executors `scoop` and `dask` in both modes.

    python benchmarks/scaling.py [--engines scoop] [--workers 1 4 16] [--networks | --study | --limit] [--json FILE]

The classifier sleeps 10 or 100 ms per image, so that many workers can be measured on few cores. In the mode chunks, ten
runs (population 100) share batches. In the mode runs, there are four runs for each of 16 workers; with one worker,
there are four runs. Each setting has its own process, which is measured after all workers are ready. `--networks`
measures mnist_cnn with one and two workers. `--study` measures a study of 500 runs on 16 workers. `--limit` measures
where the distribution of the work limits the speed: the number of tasks without work per second, and the speed of 16
workers with pauses below 10 ms, relative to one worker that never waits.
"""

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from _measure import Figure, Spread, options, report

from fooldeap.configuration import config
from fooldeap.runs.environment import current_environment
from fooldeap.runs.experiment_session import ExperimentSession
from fooldeap.runs.run_folder import RunFolder

ENGINES, MODES, PAUSES = ("scoop", "dask"), ("chunks", "runs"), (0.01, 0.1)
SHORT = (0.0003, 0.001, 0.003)  # pauses per image in seconds
TASKS = 2000
GOALS = {("chunks", 0.01): 12.0, ("chunks", 0.1): 14.0, ("runs", 0.01): 14.0, ("runs", 0.1): 14.0}
TOGETHER = 40  # workers that are measured at the same time; they sleep


def main() -> int:
    parser = options(__doc__)
    parser.add_argument("--engines", nargs="+", default=ENGINES, choices=ENGINES)
    parser.add_argument("--workers", nargs="+", type=int, default=[1, 4, 16], help="numbers of workers")
    parser.add_argument("--networks", action="store_true", help="measure mnist_cnn")
    parser.add_argument("--study", action="store_true", help="measure a study")
    parser.add_argument("--limit", action="store_true", help="measure where the distribution of work limits the speed")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        return serve(json.loads(arguments.child))
    notes, figures, engines = [], [], arguments.engines
    settings = list(itertools.product(engines, MODES, PAUSES, arguments.workers))
    if arguments.networks:
        settings = list(itertools.product(engines, MODES, [0.0], [1, 2]))
    elif arguments.study:
        settings = [(engine, "study", 0.01, 16) for engine in engines]
    elif arguments.limit:
        settings = [(engine, "tasks", 0.0, 16) for engine in engines]
        settings += itertools.product(engines, ["chunks"], SHORT, [16])
    speeds = measured(settings)
    for (engine, mode, pause, count), speed in speeds.items():
        unit = "tasks" if mode == "tasks" else "images"
        notes.append(f"{engine}, {mode}, {1000 * pause:g} ms, {count} workers: {speed:,.1f} {unit}/s")
        if pause in SHORT:
            name = f"{engine}, {mode}, {1000 * pause:g} ms: {count} workers / one that never waits"
            figures.append(Figure(name, Spread.of([speed * pause])))
        if (one := speeds.get((engine, mode, pause, 1))) and count > 1:
            goal = GOALS.get((mode, pause)) if count == 16 else None
            name = f"{engine}, {mode}, {1000 * pause:.0f} ms: {count} workers / 1"
            figures.append(Figure(name, Spread.of([speed / one]), goal))
    return report(figures, notes, arguments.json, environment=current_environment())


def measured(settings: list[tuple[str, str, float, int]]) -> dict[tuple[str, str, float, int], float]:
    """Return the images or tasks per second for each setting. Some are measured at the same time: few slow workers."""
    found = {}
    for count, group in itertools.groupby(sorted(settings, key=lambda each: each[3]), key=lambda each: each[3]):
        each = list(group)
        at_once = 1 if any(pause < min(PAUSES) for _, _, pause, _ in each) else max(1, TOGETHER // count)
        with ThreadPoolExecutor(min(at_once, len(each))) as pool:
            found.update(zip(each, pool.map(speed_of, each), strict=True))
    return found


def speed_of(setting: tuple[str, str, float, int]) -> float:
    command = [sys.executable, __file__, "--child", json.dumps(setting)]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    print(*setting, ended.stdout.strip(), file=sys.stderr, flush=True)
    return float(ended.stdout)


def serve(setting: tuple[str, str, float, int]) -> int:
    """Measure a setting, and print its images or tasks per second."""
    print({"study": study, "tasks": tasks}.get(setting[1], experiment)(*setting))
    return 0


def experiment(engine: str, mode: str, pause: float, workers: int) -> float:
    targets, seeds = (10, 1) if mode == "chunks" else (4, 1 if workers == 1 else 16)
    data: dict[str, Any] = {
        "classifier": {"name": "sleeping", "pause": pause} if pause else "keras",
        "algorithm": {"name": "generational", "population": 100},
        "stop": {"confidence": None, "evaluations": None, "generations": generations(mode, pause, workers)},
        "targets": list(range(targets)),
        "seeds": seeds,
        "reporters": ["csv"],
        "executor": {"name": engine, "workers": workers, "mode": mode},
    }
    loaded = config.load(data, plugins=[Path(__file__).parent / "_sleeping.py"])
    with ExperimentSession(loaded) as prepared, tempfile.TemporaryDirectory() as folder:
        prepared.executor.wait()  # type: ignore[attr-defined]
        if workers > 1:  # the first batch also compares the bits of the processes
            prepared.evaluator.probe_logits(np.zeros((64 * workers, *prepared.classifier.input_shape), np.uint8))
        result = prepared.run(RunFolder.create(prepared.experiment, Path(folder) / "run"), quiet=True)
        return float(result.evaluations / result.seconds)


def tasks(engine: str, mode: str, pause: float, workers: int) -> float:
    """Return the number of tasks without work that the executor distributes per second, each on its own."""
    data = {"classifier": "sleeping", "executor": {"name": engine, "workers": workers}}
    loaded = config.load(data, plugins=[Path(__file__).parent / "_sleeping.py"])
    with ExperimentSession(loaded) as prepared:
        prepared.executor.wait()  # type: ignore[attr-defined]
        start = time.monotonic()
        assert sum(prepared.executor.map(int, ["1"] * TASKS)) == TASKS
        return TASKS / (time.monotonic() - start)


def generations(mode: str, pause: float, workers: int) -> int:
    """Return as many generations as take some seconds at least."""
    if pause < min(PAUSES):
        return 100
    if pause == 0.1:
        return 1 if workers == 1 else 3
    return 5 if workers == 1 or mode == "runs" else 20


def study(engine: str, mode: str, pause: float, workers: int) -> float:
    """Return the images per second of a study with two variants and 500 runs."""
    import fooldeap

    data = {
        "classifier": {"name": "sleeping", "pause": pause},
        "variants": {"one": {}, "other": {"selection": "random"}},
        "targets": list(range(10)),
        "seeds": 25,
        "budget": 200,
        "goal": {"confidence": 0.9999},
    }
    executor = {"name": engine, "workers": workers, "mode": "runs"}
    with tempfile.TemporaryDirectory() as folder:
        start = time.monotonic()
        fooldeap.compare(
            data,
            out=Path(folder) / "study",
            quiet=True,
            executor=executor,
            plugins=[Path(__file__).parent / "_sleeping.py"],
        )
        return 500 * 200 / (time.monotonic() - start)


if __name__ == "__main__":
    sys.exit(main())
