"""SCOOP: nothing listens, and the rest of the process is unchanged."""

import logging
import os
import sys
import threading

import pytest
from helpers.experiments import KIT
from helpers.parallel import ON_LINUX, SLOW, WORKER, scoop
from helpers.processes import descendants, listening, named, unix_sockets

import fooldeap
from fooldeap.configuration import config
from fooldeap.errors import InputError
from fooldeap.runs.experiment_session import ExperimentSession
from fooldeap.runs.run_folder import RunFolder

pytestmark = [ON_LINUX, pytest.mark.slow]


@pytest.mark.parametrize("mode", ["chunks", "runs"])
def test_nothing_listens(mode, tmp_path):
    with ExperimentSession(config.load({**SLOW, "executor": scoop(3, mode)})) as ready:
        ready.executor.wait()
        workers = [each for each in descendants(os.getpid()) if each in named(WORKER)]
        assert len(workers) == 2
        assert not listening([os.getpid(), *workers])
        assert not unix_sockets([os.getpid(), *workers])
    assert not set(workers) & set(named(WORKER))


def test_logging_and_excepthook_are_unchanged():
    hook, logger = sys.excepthook, logging.getLogger("somebody.elses")
    with ExperimentSession(config.load({**SLOW, "executor": scoop()})) as ready:
        ready.run(None)
    assert sys.excepthook is hook
    assert not logger.disabled


def test_second_session_on_a_folder_is_refused(tmp_path):
    experiment = config.load({**SLOW, "executor": scoop(1, "runs")})
    folder = RunFolder.create(experiment, tmp_path / "run")
    with folder.locked(), pytest.raises(InputError, match="in use by another process"):
        fooldeap.resume(tmp_path / "run", quiet=True)


def test_second_parallel_run_in_a_process_is_refused():
    refused = []

    def other():
        try:
            fooldeap.fool(SLOW["classifier"], 1, workers=2, plugins=[str(KIT)])
        except InputError as error:
            refused.append(str(error))

    with ExperimentSession(config.load({**SLOW, "executor": scoop()})) as ready:
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        ready.run(None)
    assert "another thread of this process uses SCOOP" in refused[0]
