"""A paid classifier, killed at random moments: the query log agrees with what the service counted."""

import os
import random
import subprocess
import sys
import time

import pytest
from helpers.experiments import KIT, bits
from helpers.query_logs import sessions

from fooldeap.configuration import config
from fooldeap.runs.experiment_session import ExperimentSession
from fooldeap.runs.folder import State
from fooldeap.runs.run_folder import RunFolder

SEED = os.environ.get("FOOLDEAP_TEST_SEED", "paid")
BUDGET, POPULATION, TARGETS = 600, 20, 2
BATCH = POPULATION * TARGETS  # images of one query: both runs share it

SERVICE = """
import os
import time
from pathlib import Path

import numpy as np

WEIGHTS = np.random.default_rng(7).normal(size=(64, 4)) * 0.002
BILL = Path(__file__).with_name("bill")


def service(images):
    with BILL.open("ab", buffering=0) as bill:
        os.write(bill.fileno(), b"." * len(images))  # it counts what it receives
    time.sleep(0.004)
    return np.einsum("ij,jk->ik", images.reshape(len(images), -1) - 127.5, WEIGHTS).astype(np.float32)
"""
EXPERIMENT = f"""
classifier:
  name: callable
  function: "{{file}}:service"
  shape: [8, 8, 1]
  classes: 4
  outputs: logits
  billable: true
targets: [0, 1]
algorithm: {{name: generational, population: {POPULATION}}}
stop: {{evaluations: {BUDGET}, confidence: null}}
reporters: [csv, images]
report: false
"""


@pytest.fixture
def place(tmp_path):
    """A folder with a service and an experiment on it."""
    (tmp_path / "service.py").write_text(SERVICE)
    (tmp_path / "paid.yaml").write_text(EXPERIMENT.replace("{file}", str(tmp_path / "service.py")))
    return tmp_path


def command(folder, *words):
    return [sys.executable, "-m", "fooldeap", "run", *words, "--quiet"], {"cwd": folder, "stderr": subprocess.PIPE}


def billed(place):
    bill = place / "bill"
    return bill.stat().st_size if bill.exists() else 0


def killed(place, words, images):
    """Start a command and kill it when the service has received so many more images; return whether it was killed."""
    before, (line, more) = billed(place), command(place, *words)
    process = subprocess.Popen(line, text=True, **more)
    while process.poll() is None and billed(place) < before + images:
        time.sleep(0.0005)
    process.kill()
    _, said = process.communicate()
    assert process.returncode in (0, -9), said
    return process.returncode == -9


def check_bill(place, kills):
    """Assert that the query log brackets the bill, and does so within one query a kill."""
    rows = sessions(place / "out")
    certain, uncertain = sum(row["shown"] for row in rows), sum(row["uncertain"] for row in rows)
    assert certain <= billed(place) <= certain + uncertain
    assert uncertain <= kills * BATCH
    assert all(row["uncertain"] <= BATCH for row in rows)


@pytest.mark.slow
def test_eleven_kills(place):
    chance, kills = random.Random(SEED), 0
    while kills < 11:
        words = ["--resume", "out"] if (place / "out").exists() else ["paid.yaml", "--out", "out"]
        kills += killed(place, words, chance.randrange(1, 2 * BUDGET // 11))
        if (place / "out").exists():
            check_bill(place, kills)
    line, more = command(place, "--resume", "out")
    subprocess.run(line, check=True, **more)
    check_bill(place, kills)
    paid = billed(place)
    assert TARGETS * BUDGET <= paid <= TARGETS * BUDGET + kills * BATCH
    (place / "bill").unlink()
    line, more = command(place, "paid.yaml", "--out", "whole")
    subprocess.run(line, check=True, **more)
    assert billed(place) == TARGETS * BUDGET
    assert bits(place / "out") == bits(place / "whole")


@pytest.mark.parametrize("signal", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_a_signal_leaves_a_row(place, signal):
    line, more = command(place, "paid.yaml", "--out", "out")
    process = subprocess.Popen(line, text=True, **more)
    while process.poll() is None and billed(place) < BUDGET:
        time.sleep(0.0005)
    process.send_signal(getattr(__import__("signal"), signal))
    process.communicate()
    assert process.returncode != 0
    check_bill(place, 1)


def test_a_kill_between_logits_and_gradient_pays_for_one_query_twice(tmp_path, monkeypatch):
    data = {
        "classifier": "billable",
        "plugins": [str(KIT)],
        "targets": [1],
        "algorithm": "gradient_ascent",
        "genome": "pixels",
        "stop": {"evaluations": 6, "confidence": None},
        "reporters": [],
    }
    shown = []

    def run(gradients, place="out"):
        """Run or resume until so many gradients were answered; count the images of each kind."""
        with ExperimentSession(config.load(data)) as session:
            logits, gradient = session.classifier.logits, session.classifier.gradient
            asked = []

            def killing(images, targets):
                if len(asked) == gradients:
                    raise KeyboardInterrupt
                asked.append(len(images))
                return gradient(images, targets)

            def counting(images):
                shown.append(len(images))
                return logits(images)

            session.classifier.logits, session.classifier.gradient = counting, killing
            folder = RunFolder(tmp_path / place)
            resumed = folder.state is State.UNFINISHED
            folder = RunFolder.open(folder.path) if resumed else RunFolder.create(session.experiment, folder.path)
            return session.run(folder, resumed=resumed, quiet=True)

    with pytest.raises(KeyboardInterrupt):
        run(2)
    before = sum(shown)
    result = run(10)
    assert result.evaluations == 6
    # `Tiny.gradient` calls `logits`, so both kinds of queries are counted. The killed one shows no image here.
    assert before == 3 + 2
    assert sum(shown) == 6 + 6, "no answer was lost"
    run(10, "undisturbed")
    journals = [(tmp_path / place / "journal/seed1-target1.journal").read_bytes() for place in ("out", "undisturbed")]
    assert journals[0] == journals[1]
