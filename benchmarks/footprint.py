"""Memory and start-up time, compared with a process that only loads the classifier.

    python benchmarks/footprint.py [--repeats 9] [--json FILE]

memory   the peak resident memory of a run with ten populations of 100 and no reporters, minus that of a process that
         only answers batches of the same size. The goal is at most 4 times the bytes of all populations plus 80 MB
start    the time from the start of the command to the end of the first generation, divided by the time of the other
         process to its first answer
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from _measure import Figure, Spread, options, ratio, repeated, report

from fooldeap.runs.environment import current_environment

CONFIG = Path(__file__).parent.parent / "configs" / "mnist.yaml"
POPULATIONS = 10 * 100 * 28 * 28  # bytes
MOST_MB = (4 * POPULATIONS + 80e6) / 1e6
WORDS = "stop={confidence: null, evaluations: null, generations: 30}", "reporters=[]"
FIRST = "stop.generations=0", "reporters=[]"


def main() -> int:
    parser = options(__doc__)
    parser.add_argument("--child", choices=["answer", "bare", "run"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        return {"answer": answer, "bare": bare, "run": run}[arguments.child]()
    measured, discarded = repeated(repeat, arguments.repeats)
    more = [a - b for a, b in zip(measured["run MB"], measured["bare MB"], strict=True)]
    figures = [
        Figure("memory more than the bare classifier, MB", Spread.of(more), most=MOST_MB),
        Figure("time to first generation / to first answer", ratio(measured, "start", "answer")),
    ]
    return report(figures, [f"{discarded} repeats discarded"], arguments.json, environment=current_environment())


def repeat() -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "fooldeap", "run", str(CONFIG), *FIRST, "--quiet"]
        start = time.perf_counter()
        subprocess.run(command, check=True, cwd=folder)
        run_seconds = time.perf_counter() - start
    start = time.perf_counter()
    subprocess.run([sys.executable, __file__, "--child", "answer"], check=True, stdout=subprocess.DEVNULL)
    answer_seconds = time.perf_counter() - start
    return {"start": run_seconds, "answer": answer_seconds, "run MB": peak("run"), "bare MB": peak("bare")}


def peak(child: str) -> float:
    """Return the peak resident memory of a child process in MB, as reported by the child."""
    ended = subprocess.run([sys.executable, __file__, "--child", child], check=True, capture_output=True, text=True)
    return float(json.loads(ended.stdout)["megabytes"])


def answer() -> int:
    """Load the classifier and answer one batch."""
    from fooldeap.configuration import config

    classifier = config.load(CONFIG).classifier.build()
    classifier.logits(np.zeros((1024, *classifier.input_shape), np.uint8))
    return report_memory()


def bare() -> int:
    """Load the classifier and answer some batches."""
    from fooldeap.configuration import config

    classifier = config.load(CONFIG).classifier.build()
    images = np.zeros((1024, *classifier.input_shape), np.uint8)
    for _ in range(30):
        classifier.logits(images)
    return report_memory()


def run() -> int:
    """Run the experiment of the main job without writing files."""
    from fooldeap.configuration import config
    from fooldeap.runs.experiment_session import ExperimentSession

    with ExperimentSession(config.load(CONFIG, WORDS), rows=1024) as prepared:
        prepared.run(None)
    return report_memory()


def report_memory() -> int:
    print(json.dumps({"megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
