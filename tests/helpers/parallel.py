"""Helpers for tests with several processes: a slow experiment and its workers."""

import json
import subprocess
import sys
import time

import pytest

from fooldeap.configuration import config
from fooldeap.runs.experiment_session import ExperimentSession
from fooldeap.runs.run_folder import RunFolder
from helpers.experiments import KIT
from helpers.processes import descendants, named

WORKER = "fooldeap_plugins.executor._worker"
SLOW = {
    "name": "slow",
    "plugins": [str(KIT)],
    "classifier": {"name": "slow", "pause": 0.0005},
    "algorithm": {"name": "generational", "population": 40},
    "stop": {"confidence": None, "generations": 12},
    "seeds": 2,
    "reporters": ["csv"],
}
ON_LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the tests read /proc")


def scoop(workers=2, mode="chunks", **more):
    return {"name": "scoop", "workers": workers, "mode": mode, **more}


def dask(workers=2, mode="chunks", **more):
    return {"name": "dask", "workers": workers, "mode": mode, **more}


def prepared(source, folder=None, **arguments):
    """Run an experiment after all workers are ready. Return the work done by each process."""
    with ExperimentSession(config.load(source, arguments=arguments)) as ready:
        wait = getattr(ready.executor, "wait", None)
        if wait:
            wait()
        ready.run(RunFolder.create(ready.experiment, folder), quiet=True)
        return ready.dispatcher.done


def write(path, data):
    path.write_text(json.dumps(data))  # JSON is YAML
    return path


def start(path, folder):
    command = [sys.executable, "-m", "fooldeap", "run", str(path), "--out", str(folder), "--quiet"]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def workers_of(process):
    """Return the workers of a run."""
    return [each for each in descendants(process.pid) if each in named(WORKER)]


def said_until_its_end(process, seconds):
    """Return the standard error of a run when it ends. Kill a run that does not end in time."""
    try:
        return process.communicate(timeout=seconds)[1]
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise


def wait_for(condition, process=None, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it takes too long"
        assert process is None or process.poll() is None, process.communicate()
        time.sleep(0.02)
