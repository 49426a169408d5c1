"""Memory and the time to begin, against a process that has the classifier and nothing else.

    python benchmarks/footprint.py [--repeats 9] [--json FILE]

memory   the highest resident memory of a run of ten populations of 100 without reports, less that of a process that
         answers batches of the same size: at most 4 times the bytes of all populations and 80 MB
start    the command from its start to the end of the first generation, against that other process to its first answer
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

from fooldeap.runs.provenance import environment

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
        Figure("memory over the bare classifier's, MB", Spread.of(more), most=MOST_MB),
        Figure("to the first generation / to the first answer", ratio(measured, "start", "answer")),
    ]
    return report(figures, [f"{discarded} repeats discarded"], arguments.json, environment=environment())


def repeat() -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "fooldeap", "run", str(CONFIG), *FIRST, "--quiet"]
        start = time.perf_counter()
        subprocess.run(command, check=True, cwd=folder)
        begun = time.perf_counter() - start
    start = time.perf_counter()
    subprocess.run([sys.executable, __file__, "--child", "answer"], check=True, stdout=subprocess.DEVNULL)
    answered = time.perf_counter() - start
    return {"start": begun, "answer": answered, "run MB": peak("run"), "bare MB": peak("bare")}


def peak(what: str) -> float:
    """Return the highest resident memory of a child in MB, as it reports it."""
    ended = subprocess.run([sys.executable, __file__, "--child", what], check=True, capture_output=True, text=True)
    return float(json.loads(ended.stdout)["megabytes"])


def answer() -> int:
    """Load the classifier, and answer one batch."""
    from fooldeap.configuration import config

    classifier = config.load(CONFIG).classifier.build()
    classifier.logits(np.zeros((1024, *classifier.input_shape), np.uint8))
    return told()


def bare() -> int:
    """Load the classifier, and answer some batches."""
    from fooldeap.configuration import config

    classifier = config.load(CONFIG).classifier.build()
    images = np.zeros((1024, *classifier.input_shape), np.uint8)
    for _ in range(30):
        classifier.logits(images)
    return told()


def run() -> int:
    """Run the main job's experiment, writing nothing."""
    from fooldeap.configuration import config
    from fooldeap.runs.experiment_session import ExperimentSession

    with ExperimentSession(config.load(CONFIG, WORDS), rows=1024) as prepared:
        prepared.run(None)
    return told()


def told() -> int:
    print(json.dumps({"megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
