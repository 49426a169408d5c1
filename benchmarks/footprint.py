"""Memory and start-up time, compared with a process that only loads the classifier.

    python benchmarks/footprint.py [--repeats 9] [--json FILE]

memory   the peak resident memory of a run with ten populations of 100 and no reporters, minus that of a process that
         only answers batches of the same size. The goal is at most 4 times the bytes of all populations plus 80 MB
start    the time from the start of the command to the end of the first generation, divided by the time of the other
         process to its first answer
whole    the time and the peak resident memory of ``fooldeap run configs/mnist.yaml``, with files, figures and page,
         compared with a process without fooldeap that imports TensorFlow, loads the model and shows it the same number
         of images in batches of 100. The goals are at most 1.15 times its time, and at most 120 MB more
"""

import argparse
import csv
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from importlib import resources
from pathlib import Path

import numpy as np
from _measure import Figure, Spread, options, ratio, repeated, report

from fooldeap.runs.environment import current_environment

CONFIG = Path(__file__).parent.parent / "configs" / "mnist.yaml"
POPULATIONS = 10 * 100 * 28 * 28  # bytes
MOST_MB = (4 * POPULATIONS + 80e6) / 1e6
MOST_TIME, MOST_WHOLE_MB = 1.15, 120
WORDS = "stop={confidence: null, evaluations: null, generations: 30}", "reporters=[]"
FIRST = "stop.generations=0", "reporters=[]"
PLAIN = """
import os
import sys

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as in fooldeap: on some processors, this is not the default
import keras
import numpy as np
import tensorflow as tf

model, shown = keras.models.load_model(sys.argv[1]), int(sys.argv[2])
answer = tf.function(
    lambda images: model(tf.cast(images, tf.float32) / 255, training=False),
    input_signature=[tf.TensorSpec((None, 28, 28, 1), tf.uint8)],
)
images = np.random.default_rng(1).integers(0, 256, (100, 28, 28, 1), np.uint8)
for _ in range(shown // 100):
    answer(images).numpy()
"""


def main() -> int:
    parser = options(__doc__)
    parser.add_argument("--child", choices=["answer", "bare", "run"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        return {"answer": answer, "bare": bare, "run": run}[arguments.child]()
    measured, discarded = repeated(repeat, arguments.repeats)
    more = [a - b for a, b in zip(measured["run MB"], measured["bare MB"], strict=True)]
    whole = [a - b for a, b in zip(measured["whole MB"], measured["plain MB"], strict=True)]
    figures = [
        Figure("memory more than the bare classifier, MB", Spread.of(more), most=MOST_MB),
        Figure("time to first generation / to first answer", ratio(measured, "start", "answer")),
        Figure("time of the whole command / of TensorFlow alone", ratio(measured, "whole", "plain"), most=MOST_TIME),
        Figure("memory of the whole command, more than TensorFlow alone, MB", Spread.of(whole), most=MOST_WHOLE_MB),
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
    return {"start": run_seconds, "answer": answer_seconds, "run MB": peak("run"), "bare MB": peak("bare")} | compare()


def compare() -> dict[str, float]:
    """Return seconds and MB of the whole command, and of a process that uses TensorFlow alone."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "fooldeap", "run", str(CONFIG), "--out", f"{folder}/run", "--quiet"]
        whole, whole_mb = timed(command)
        with Path(folder, "run", "queries.csv").open(newline="") as file:
            shown = sum(int(row["shown"]) for row in csv.DictReader(file))
    model = resources.files("fooldeap.data") / "classifiers" / "mnist_cnn.keras"
    with resources.as_file(model) as path:
        plain, plain_mb = timed([sys.executable, "-c", PLAIN, str(path), str(shown)])
    return {"whole": whole, "whole MB": whole_mb, "plain": plain, "plain MB": plain_mb}


def timed(command: list[str]) -> tuple[float, float]:
    """Return the seconds and the peak resident memory in MB of a command."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return time.perf_counter() - start, usage.ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)


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
