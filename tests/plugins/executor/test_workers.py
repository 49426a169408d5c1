"""Workers of SCOOP and Dask: wrong ones are refused by name, and the queries of lost ones are counted."""

import os
import signal
import threading
import time

import pytest
from helpers.experiments import bits
from helpers.parallel import ON_LINUX, SLOW, WORKER, dask, scoop, wait_for
from helpers.processes import descendants, named
from helpers.query_logs import check_adds_up, sessions

from fooldeap.configuration import config
from fooldeap.errors import InputError, RunError
from fooldeap.runs.experiment_session import ExperimentSession
from fooldeap.runs.run_folder import RunFolder
from fooldeap.runs.worker_task import WorkerTask

pytestmark = [ON_LINUX, pytest.mark.slow]
ENGINES = {"scoop": scoop, "dask": dask}


@pytest.fixture(params=ENGINES)
def engine(request):
    """A function that returns the settings of an executor."""
    return ENGINES[request.param]


@pytest.fixture(params=["chunks", "runs"])
def mode(request):
    """The mode of an executor."""
    return request.param


def workers():
    """Return the workers of this process."""
    return [each for each in descendants(os.getpid()) if each in named(WORKER)]


def test_worker_with_other_bits_is_refused_by_name(engine, mode, monkeypatch):
    with ExperimentSession(config.load({**SLOW, "executor": engine(3, mode)})) as ready:
        ready.executor.wait()
        monkeypatch.setattr(WorkerTask, "probe", b"other bits")
        names = "|".join(rf"\(process {each}\)" for each in workers())
        with pytest.raises(RunError, match=f"({names}) computes other bits than"):
            ready.run(None)


def test_worker_with_another_model_is_refused_by_name(engine, mode, monkeypatch):
    with ExperimentSession(config.load({**SLOW, "executor": engine(3, mode)})) as ready:
        ready.executor.wait()
        monkeypatch.setattr(WorkerTask, "digest", "another")
        names = "|".join(rf"\(process {each}\)" for each in workers())
        with pytest.raises(InputError, match=f"({names}) has another classifier .*; copy the model"):
            ready.run(None)


def test_images_of_a_lost_worker_are_in_the_query_log(slow, tmp_path, engine, mode):
    """A worker is suspended while it has a task, then killed, so that its task is surely sent again."""
    with ExperimentSession(config.load({**SLOW, "executor": engine(2, mode)})) as ready:
        folder = RunFolder.create(ready.experiment, tmp_path / "run")
        ready.executor.wait()
        victim = workers()[0]

        def all_have_begun():
            if mode == "chunks":
                return list(folder.path.glob("journal/*"))
            path = folder.path / "queries.csv"
            rows = sessions(folder.path) if path.exists() else []
            # one row for this process, and one for each group of runs
            return len(rows) == 3 and all(row["shown"] for row in rows[1:])

        def suspend_and_kill():
            wait_for(all_have_begun)
            os.kill(victim, signal.SIGSTOP)
            time.sleep(0.5)
            os.kill(victim, signal.SIGKILL)

        killer = threading.Thread(target=suspend_and_kill)
        killer.start()
        ready.run(folder, quiet=True)
        killer.join()
        rows = ready.evaluator.rows
    (session,) = sessions(tmp_path / "run")
    assert session["uncertain"] >= rows if mode == "chunks" else session["lost"] + session["uncertain"] > 0
    assert bits(tmp_path / "run") == slow
    check_adds_up(tmp_path / "run")
