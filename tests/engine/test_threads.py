"""Two threads of one process: each gets the results it gets alone, and the state of the process is restored."""

import os
import sys
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import matplotlib
import pytest
from helpers.experiments import run, tiny
from threadpoolctl import threadpool_info, threadpool_limits

from fooldeap import lazy_tensorflow, randomness, registry
from fooldeap.configuration import reading
from fooldeap.engine import timeout
from fooldeap.images.drawing import drawing
from fooldeap.runs.experiment_session import ExperimentSession
from fooldeap_plugins._blas import libraries, single_thread

pytestmark = pytest.mark.slow

SEEDS = range(18)
STOP = {"generations": 8, "confidence": None}
DEAP = {
    "deap_simple": {"algorithm": "deap_simple"},
    "deap_mu_plus_lambda": {"algorithm": {"name": "deap_mu_plus_lambda", "mu": 6, "children": 12}},
    "deap_mu_comma_lambda": {"algorithm": {"name": "deap_mu_comma_lambda", "mu": 6, "children": 12}},
    "mutation": {"mutation": "deap"},
    "crossover": {"crossover": "deap"},
    "selection": {
        "algorithm": {"name": "generational", "population": 60},
        "selection": {"name": "deap", "operator": "selDoubleTournament"},
    },
    "operators in an algorithm": {"algorithm": "deap_simple", "mutation": "deap", "selection": "deap"},
}


@pytest.fixture
def restless():
    """Threads that take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def by_two_threads(work, items):
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(work, items))


# --- Global random generators ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "choices",
    [
        pytest.param(choices, id=name, marks=[pytest.mark.slow] * (name != "operators in an algorithm"))
        for name, choices in DEAP.items()
    ],
)
def test_runs_with_deap_are_the_same_beside_another_thread(restless, choices):
    small = {"algorithm": {"name": "generational", "population": 12}, **choices}
    if small["algorithm"] == "deap_simple":
        small["algorithm"] = {"name": "deap_simple", "population": 12}

    def logs(seed):
        result, _ = run(tiny(seed=seed, targets=[0, 2], stop=STOP, **small))
        return [each.log for each in result]

    alone = [logs(seed) for seed in SEEDS]
    beside = by_two_threads(logs, SEEDS)
    assert [seed for seed in SEEDS if beside[seed] != alone[seed]] == []


def test_the_generators_are_free_while_images_are_evaluated():
    free = []

    def try_lock():
        free.append(randomness.LOCK.acquire(timeout=5))
        randomness.LOCK.release()

    def watched(images):
        other = threading.Thread(target=try_lock)
        other.start()
        other.join()
        return answer(images)

    prepared = ExperimentSession(tiny(algorithm="deap_simple", mutation="deap", targets=[1], stop={"generations": 3}))
    answer, prepared.classifier.logits = prepared.classifier.logits, watched
    prepared.run(None)
    assert len(free) >= 4
    assert all(free)


# --- What is set and restored ---------------------------------------------------------------------------------------


def overlapping(context, observe):
    """Have a thread enter a block while another is in it, and leave it later; return its observation at its end."""
    first_is_in, second_comes, seen = threading.Event(), threading.Event(), []

    def first():
        with context():
            first_is_in.set()
            second_comes.wait()
            time.sleep(0.2)

    def second():
        first_is_in.wait()
        second_comes.set()
        with context():
            time.sleep(0.4)
            seen.append(observe())

    threads = [threading.Thread(target=work) for work in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return seen[0]


def test_the_limit_of_blas_is_kept_and_lifted():
    def counts():
        return {each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"}

    blas = libraries()
    with threadpool_limits(2, "blas"):  # the main thread controls them, so newer versions ignore all others
        assert overlapping(lambda: single_thread(blas), counts) == {1}
        assert counts() == {2}


def test_figures_are_drawn_with_their_own_settings(monkeypatch):
    monkeypatch.setitem(matplotlib.rcParams, "lines.linewidth", 9.0)
    seen = overlapping(lambda: drawing({"font.size": 3.0}), lambda: dict(matplotlib.rcParams))
    assert (seen["font.size"], seen["lines.linewidth"]) == (3.0, matplotlib.rcParamsDefault["lines.linewidth"])
    assert matplotlib.rcParams["lines.linewidth"] == 9.0
    assert matplotlib.rcParams["font.size"] != 3.0


def test_stderr_is_restored():
    before = os.fstat(2)
    overlapping(lazy_tensorflow._stderr_held_back, lambda: None)
    assert os.path.samestat(os.fstat(2), before)


def test_warnings_are_not_switched_off_by_files_that_are_read(restless):
    before = list(warnings.filters)
    by_two_threads(lambda _: reading.parse("a: &x 1\nb: &x 2\n", "file", Path.cwd()), range(1000))
    assert list(warnings.filters) == before


# --- Others ---------------------------------------------------------------------------------------------------------

PLUGIN = """
import time

time.sleep(0.2)  # the other thread comes meanwhile

from fooldeap.plugin import mutation


@mutation("slowly_imported")
def slowly_imported(images, rng):
    '''Change nothing.'''
    return images
"""


def test_a_plugin_file_is_imported_to_its_end(tmp_path):
    (tmp_path / "slow.py").write_text(PLUGIN)
    found = by_two_threads(registry.found_in, [tmp_path / "slow.py"] * 2)
    assert [[plugin.name for plugin in each] for each in found] == [["slowly_imported"]] * 2
    assert found[0][0].target is found[1][0].target


def test_a_deadline_is_not_lifted_by_another_thread(monkeypatch):
    told, watch = [], timeout._Watch()
    monkeypatch.setattr(timeout, "last_resort", told.append)
    monkeypatch.setattr(timeout, "TICK", 0.02)
    monkeypatch.setattr(timeout, "GRACE", 0.0)

    def call_in_time():
        call = timeout._Call(threading.get_ident(), time.monotonic() + 60, "no", interrupted=False)
        watch.add(call)
        watch.remove(call)

    hanging = timeout._Call(threading.get_ident(), time.monotonic(), "it hangs", interrupted=True)
    watch.add(hanging)
    other = threading.Thread(target=call_in_time)
    other.start()
    other.join()
    time.sleep(0.3)
    watch.remove(hanging)
    assert told == ["it hangs"]
