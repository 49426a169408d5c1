"""Runs killed with SIGKILL at moments drawn from all of their journals, and while they start: the same bits at the end.

`make faults` kills 90 runs of a small classifier, 10 of the real network, and 10 while they start, `make test-slow`
some.
"""

import functools
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers.experiments import KIT, ROOT, bits
from helpers.query_logs import check_adds_up

EVERY = "FOOLDEAP_FAULTS" in os.environ
SEED = os.environ.get("FOOLDEAP_TEST_SEED", "kills")
ALGORITHMS = (
    "generational",
    "steady_state",
    "mu_plus_lambda",
    "retain_and_breed",
    "deap_simple",
    "deap_mu_comma_lambda",
    "tiny_map_elites",  # a third party's, all targets in one run
    "ascent",  # a third party's, by gradients
    "map_elites",
    "cma_es",
)
EXECUTORS = ("serial", "serial", "{name: scoop, workers: 2, mode: chunks}", "{name: scoop, workers: 2, mode: runs}")
SMALL = ["classifier={name: slow_steps, pause: 0.0002}", "targets=[0,1,2]", "stop.confidence=null"]
REAL = ["targets=[2,3]", "stop.confidence=null"]

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the tests read /proc")


def command(words, folder):
    plain = [str(ROOT / "configs/mnist.yaml"), *words, "reporters=[csv, images]", "--plugins", str(KIT)]
    return [sys.executable, "-m", "fooldeap", "run", *plain, "--out", str(folder), "--quiet"]


def resumption(folder):
    return [sys.executable, "-m", "fooldeap", "run", "--resume", str(folder), "--quiet"]


def recorded(folder):
    return sum(path.stat().st_size for path in folder.glob("journal/*.journal"))


def killed(words, reached):
    """Start a command, and kill it as soon as something is ``reached``. True if it had not ended before."""
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    begun = time.monotonic()
    while process.poll() is None and not reached() and time.monotonic() < begun + 120:
        time.sleep(0.0005)
    process.kill()
    _, said = process.communicate()
    assert process.returncode in (0, -signal.SIGKILL), said
    return process.returncode != 0


@functools.cache
def reference(words, folder):
    """The bits of an undisturbed run, and the bytes of its journals."""
    whole = Path(folder) / f"{abs(hash(words))}"
    subprocess.run(command(words, whole), check=True, capture_output=True)
    found = bits(whole), recorded(whole)
    shutil.rmtree(whole)
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return str(tmp_path_factory.mktemp("references"))


def survived(words, folder, tmp_path, chance):
    """Kill a run once to three times at moments uniform over its journals, and let it end. How often it was killed."""
    expected, total = reference(words, folder)
    moments = sorted(chance.uniform(0, total) for _ in range(chance.choice([1, 1, 2, 3])))
    run, kills = tmp_path / "run", 0
    for number, moment in enumerate(moments):
        start = resumption(run) if number and (run / "config.yaml").exists() else command(words, run)
        kills += killed(start, lambda moment=moment: recorded(run) > moment)
    again = resumption(run) if (run / "config.yaml").exists() else command(words, run)
    subprocess.run(again, check=True, capture_output=True)
    check_adds_up(run)
    assert bits(run) == expected, f"{words}, killed at {[round(moment / total, 3) for moment in moments]}"
    return kills


@pytest.mark.slow
@pytest.mark.parametrize("number", range(90 if EVERY else 4))
def test_a_killed_run_ends_in_the_same_bits(tmp_path, folder, number, record_property):
    chance = random.Random(f"{SEED} {number}")
    algorithm, executor = ALGORITHMS[number % len(ALGORITHMS)], chance.choice(EXECUTORS)
    words = (*SMALL, f"algorithm={algorithm}", f"executor={executor}", "stop.evaluations=1500")
    record_property("kills", survived(words, folder, tmp_path, chance))


ADAPTIVE = (
    "mutation={name: adaptive_mixed, of: [one_fifth, creep, block], pace: 0.5}",
    "selection=fitness_sharing",
    "fitness=confidence",
)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(20 if EVERY else 2))
def test_operators_with_state_are_resumed_exactly(tmp_path, folder, number, record_property):
    chance = random.Random(f"{SEED} adaptive {number}")
    algorithm = ("generational", "mu_plus_lambda", "deap_simple")[number % 3]
    words = (*SMALL, *ADAPTIVE, f"algorithm={algorithm}", f"executor={chance.choice(EXECUTORS)}")
    record_property("kills", survived((*words, "stop.evaluations=1500"), folder, tmp_path, chance))


@pytest.mark.slow
@pytest.mark.skipif(not EVERY, reason="tests/runs/test_resume.py kills such a run twice")
@pytest.mark.parametrize("number", range(10))
def test_a_killed_run_of_the_real_network_ends_in_the_same_bits(tmp_path, folder, number, record_property):
    chance = random.Random(f"{SEED} real {number}")
    executor = EXECUTORS[number % len(EXECUTORS)]
    words = (*REAL, f"executor={executor}", "stop.evaluations=3000")
    record_property("kills", survived(words, folder, tmp_path, chance))


@pytest.mark.slow
@pytest.mark.parametrize("number", range(10 if EVERY else 2))
def test_killed_while_it_starts(tmp_path, folder, number):
    """At any moment from the start of the process to its first record; then there may be no folder yet."""
    words = (*SMALL, f"algorithm={ALGORITHMS[number % 4]}", "stop.evaluations=600")
    expected, _ = reference(words, folder)
    begun = time.monotonic()
    killed(command(words, tmp_path / "first"), lambda: recorded(tmp_path / "first") > 0)
    moment = random.Random(f"{SEED} start {number}").uniform(0, time.monotonic() - begun)
    run, begun = tmp_path / "run", time.monotonic()
    killed(command(words, run), lambda: time.monotonic() > begun + moment)
    if (run / "config.yaml").exists() and (run / "environment.json").exists():
        subprocess.run(resumption(run), check=True, capture_output=True)
    else:
        shutil.rmtree(run, ignore_errors=True)  # as its owner would: it says that it holds no run
        subprocess.run(command(words, run), check=True, capture_output=True)
    check_adds_up(run)
    assert bits(run) == expected
