"""SCOOP: after processes are killed, results are bit-identical, and no process remains."""

import os
import random
import signal
import subprocess
import sys
import threading
import time

import pytest
from helpers.experiments import bits, unannounced
from helpers.parallel import ON_LINUX, SLOW, WORKER, said_until_its_end, scoop, start, wait_for, workers_of, write
from helpers.processes import descendants, named
from helpers.query_logs import check_adds_up

import fooldeap
from fooldeap.configuration import config
from fooldeap.errors import FooldeapWarning
from fooldeap.runs.experiment_session import ExperimentSession
from fooldeap.runs.run_folder import RunFolder

pytestmark = [ON_LINUX, pytest.mark.slow]
FAULTS = int(os.environ.get("FOOLDEAP_FAULTS", "2"))  # number of killed workers; `make faults` kills 20


@pytest.mark.parametrize("mode", ["chunks", "runs"])
@pytest.mark.parametrize("attempt", [0, *(pytest.param(number, marks=pytest.mark.slow) for number in range(1, FAULTS))])
def test_killed_worker_does_not_change_results(slow, tmp_path, mode, attempt):
    chance = random.Random(f"{mode} {attempt}")
    experiment = {**SLOW, "executor": scoop(chance.choice([2, 3]), mode)}
    path = write(tmp_path / "slow.yaml", experiment)
    process = start(path, tmp_path / "run")
    wait_for(lambda: len(workers_of(process)) >= experiment["executor"]["workers"] - 1, process)
    time.sleep(chance.uniform(0.2, 2.5))
    victims = workers_of(process)
    if victims and process.poll() is None:
        os.kill(chance.choice(victims), signal.SIGKILL)
    said = said_until_its_end(process, 120)
    assert process.returncode == 0, said
    assert bits(tmp_path / "run") == slow, "each evaluation is counted once: they are in the journals and the log"
    check_adds_up(tmp_path / "run")


@pytest.mark.slow
def test_killing_all_workers_again_and_again_does_not_change_results(slow, tmp_path):
    with ExperimentSession(config.load({**SLOW, "executor": scoop(3)})) as ready:
        ready.executor.wait()

        def kill():
            wait_for(lambda: list(tmp_path.glob("run/journal/*")))
            killed = set()
            while len(killed) < 2 * 4:
                for victim in {each for each in descendants(os.getpid()) if each in named(WORKER)} - killed:
                    os.kill(victim, signal.SIGKILL)
                    killed.add(victim)

        killer = threading.Thread(target=kill)
        killer.start()
        with pytest.warns(FooldeapWarning, match="one of them ended repeatedly; .*; the run continues"):
            ready.run(RunFolder.create(ready.experiment, tmp_path / "run"), quiet=True)
        killer.join()
    assert bits(tmp_path / "run") == slow
    check_adds_up(tmp_path / "run")


@pytest.mark.parametrize(
    ("by", "mode"),
    [
        (signal.SIGKILL, "runs"),
        (signal.SIGINT, "chunks"),
        pytest.param(signal.SIGKILL, "chunks", marks=pytest.mark.slow),
        pytest.param(signal.SIGINT, "runs", marks=pytest.mark.slow),
    ],
)
def test_killed_root_leaves_no_process_and_can_be_resumed(slow, tmp_path, mode, by):
    process = start(write(tmp_path / "slow.yaml", {**SLOW, "executor": scoop(3, mode)}), tmp_path / "run")
    wait_for(lambda: len(workers_of(process)) >= 2 and list(tmp_path.glob("run/journal/*")), process)
    time.sleep(0.7)
    everybody = descendants(process.pid)
    assert len(everybody) == 2
    process.send_signal(by)
    said = said_until_its_end(process, 30)
    if by == signal.SIGINT:
        assert process.returncode == 130, said
        went_on = f"to continue: fooldeap run --resume {tmp_path / 'run'}"
        assert unannounced(said).strip() == f"fooldeap: interrupted; {went_on}"
    wait_for(lambda: not set(everybody) & set(named(WORKER)), seconds=10)
    fooldeap.resume(tmp_path / "run", quiet=True)
    assert bits(tmp_path / "run") == slow
    check_adds_up(tmp_path / "run")


@pytest.mark.slow
def test_blocked_worker_ends_with_its_root(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import os, sys\nfrom fooldeap.configuration import config\n"
        "from fooldeap.runs.experiment_session import ExperimentSession\n"
        f"data = {SLOW!r}\n"
        "data['classifier'] = {'name': 'slow', 'pause': 0.001, 'only': os.getpid(), 'holds': True}\n"
        "with ExperimentSession(config.load({**data, 'executor': {'name': 'scoop', 'workers': 2}})) as ready:\n"
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


@pytest.mark.slow
def test_worker_killed_while_loading_is_restarted(slow, tmp_path):
    experiment = {**SLOW, "classifier": {"name": "slow", "pause": 0.001, "loads": 0.6}, "executor": scoop()}
    process = start(write(tmp_path / "slow.yaml", experiment), tmp_path / "run")
    wait_for(lambda: workers_of(process), process)
    time.sleep(0.3)
    os.kill(workers_of(process)[0], signal.SIGKILL)
    said = said_until_its_end(process, 60)
    assert (process.returncode, unannounced(said)) == (0, "")
    assert len((tmp_path / "run/workers.csv").read_text().splitlines()) == 1 + 2
    assert bits(tmp_path / "run")["log.csv"] == slow["log.csv"]
