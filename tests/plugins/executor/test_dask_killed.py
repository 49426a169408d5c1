"""Dask: after processes are killed, results are bit-identical, and no process remains."""

import os
import random
import signal
import subprocess
import sys
import threading
import time

import pytest
from helpers.experiments import bits, unannounced
from helpers.parallel import (
    ON_LINUX,
    SLOW,
    WORKER,
    dask,
    prepared,
    said_until_its_end,
    start,
    wait_for,
    workers_of,
    write,
)
from helpers.processes import descendants, named
from helpers.query_logs import check_adds_up

import fooldeap
from fooldeap.configuration import config
from fooldeap.errors import RunError
from fooldeap.runs.experiment_session import ExperimentSession
from fooldeap.runs.run_folder import RunFolder

pytestmark = ON_LINUX
FAULTS = int(os.environ.get("FOOLDEAP_FAULTS", "1"))  # number of killed workers in each mode; `make faults` kills 20


class Killer(threading.Thread):
    """Kills a process some time after the first journal of a run has been written."""

    def __init__(self, victim, seconds, folder):
        super().__init__()
        self._victim, self._seconds, self._folder = victim, seconds, folder
        self.start()

    def run(self):
        wait_for(lambda: list(self._folder.glob("journal/*")))
        time.sleep(self._seconds)
        os.kill(self._victim, signal.SIGKILL)


@pytest.mark.parametrize("mode", ["chunks", "runs"])
@pytest.mark.parametrize("attempt", range(FAULTS))
def test_killed_worker_does_not_change_results(slow, tmp_path, mode, attempt):
    chance = random.Random(f"{mode} {attempt}")
    with ExperimentSession(config.load({**SLOW, "executor": dask(chance.choice([2, 3]), mode)})) as ready:
        folder = RunFolder.create(ready.experiment, tmp_path / "run")
        ready.executor.wait()
        ready.executor._connection._seconds["ask"] = chance.choice([0.0, 1.0])  # whether chunks are bundled
        victims = [each for each in descendants(os.getpid()) if each in named(WORKER)]
        killer = Killer(chance.choice(victims), chance.uniform(0.0, 0.8), folder.path)
        ready.run(folder, quiet=True)
        killer.join()
    assert bits(tmp_path / "run") == slow, "each evaluation is counted once: they are in the journals and the log"
    check_adds_up(tmp_path / "run")


@pytest.mark.slow
def test_workers_that_end_repeatedly_are_an_error(tmp_path):
    classifier = {"name": "slow", "only": os.getpid(), "dies": True}
    with pytest.raises(RunError, match=r"^(all Dask workers ended repeatedly|4 Dask workers ended while they worked)"):
        prepared(SLOW, classifier=classifier, executor=dask(1))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("by", "mode"),
    [(signal.SIGKILL, "runs"), (signal.SIGINT, "chunks"), (signal.SIGKILL, "chunks"), (signal.SIGINT, "runs")],
)
def test_killed_client_leaves_no_process_and_can_be_resumed(slow, tmp_path, mode, by):
    process = start(write(tmp_path / "slow.yaml", {**SLOW, "executor": dask(3, mode)}), tmp_path / "run")
    wait_for(lambda: len(workers_of(process)) == 3 and list(tmp_path.glob("run/journal/*")), process)
    time.sleep(0.7)
    everybody = descendants(process.pid)
    process.send_signal(by)
    said = said_until_its_end(process, 30)
    if by == signal.SIGINT:
        assert process.returncode == 130, said
        went_on = f"to continue: fooldeap run --resume {tmp_path / 'run'}"
        assert unannounced(said).strip() == f"fooldeap: interrupted; {went_on}"
    wait_for(lambda: not set(everybody) & set(named(WORKER)), seconds=10)
    fooldeap.resume(tmp_path / "run", "executor=serial", quiet=True)
    assert bits(tmp_path / "run") == slow
    check_adds_up(tmp_path / "run")


@pytest.mark.slow
def test_interrupted_start_leaves_no_process(tmp_path):
    process = start(write(tmp_path / "slow.yaml", {**SLOW, "executor": dask(3)}), tmp_path / "run")
    wait_for(lambda: workers_of(process), process)
    everybody = descendants(process.pid)
    process.send_signal(signal.SIGINT)
    said = said_until_its_end(process, 30)
    assert process.returncode == 130, said
    assert unannounced(said).count("\n") == 1, said
    wait_for(lambda: not set(everybody) & set(named(WORKER)), seconds=10)


@pytest.mark.slow
def test_blocked_worker_ends_with_its_client(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import os\nfrom fooldeap.configuration import config\n"
        "from fooldeap.runs.experiment_session import ExperimentSession\n"
        f"data = {SLOW!r}\n"
        "data['classifier'] = {'name': 'slow', 'pause': 0.001, 'only': os.getpid(), 'holds': True}\n"
        "with ExperimentSession(config.load({**data, 'executor': {'name': 'dask', 'workers': 2}})) as ready:\n"
        "    print('ready', flush=True)\n    ready.run(None)\n"
    )
    process = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    wait_for(lambda: workers_of(process), process)
    time.sleep(2.0)
    everybody = descendants(process.pid)
    process.kill()
    process.communicate()
    wait_for(lambda: not set(everybody) & set(named(WORKER)), seconds=10)
