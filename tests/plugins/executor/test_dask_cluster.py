"""Dask: a cluster that fooldeap did not start is used and left as it was."""

import itertools
import os
import signal
import subprocess
import sys
import threading

import pytest
from distributed import Client
from helpers.dask_cluster import cluster
from helpers.experiments import KIT, bits
from helpers.parallel import ON_LINUX, SLOW, dask, prepared, said_until_its_end, start, wait_for, write
from helpers.processes import descendants
from helpers.query_logs import check_adds_up

import fooldeap
from fooldeap.configuration import config
from fooldeap.errors import InputError, OvertimeError, PluginError, RunError
from fooldeap.runs.experiment_session import ExperimentSession
from fooldeap.runs.run_folder import RunFolder

pytestmark = [ON_LINUX, pytest.mark.slow]


def plugins_of(client):
    """Return the names of fooldeap's plugins in the scheduler and the workers."""

    def names(dask_worker=None, dask_scheduler=None):
        return [name for name in (dask_worker or dask_scheduler).plugins if name.startswith("fooldeap")]

    return [*client.run_on_scheduler(names), *itertools.chain(*client.run(names).values())]


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A cluster with two workers."""
    with cluster(tmp_path_factory.mktemp("dask"), 2) as made:
        yield made


@pytest.mark.parametrize("mode", ["chunks", "runs"])
def test_client_of_the_user_gives_identical_bits_and_is_left_as_it_was(shared, slow, tmp_path, mode):
    with Client(shared.address, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)
        result = fooldeap.run(SLOW, f"executor.mode={mode}", executor=client, out=tmp_path / "run", quiet=True)
        assert bits(result.folder) == slow
        assert len((result.folder / "workers.csv").read_text().splitlines()) == 1 + 2
        assert client.submit(sum, [1, 2]).result(timeout=10) == 3
        assert plugins_of(client) == []
    check_adds_up(tmp_path / "run")


def test_scheduler_file(shared, slow, tmp_path):
    executor = {"name": "dask", "scheduler_file": str(shared.file), "workers": 2}
    done = prepared(SLOW, tmp_path / "run", executor=executor)
    assert bits(tmp_path / "run") == slow
    assert {place.process for place in done} == {worker.pid for worker in shared.workers}


def test_tls(slow, tmp_path):
    with cluster(tmp_path / "cluster", 2, tls=True) as made:
        assert made.address.startswith("tls://")
        executor = {"name": "dask", "scheduler": made.address, "workers": 2, **made.keys}
        done = prepared(SLOW, tmp_path / "run", executor=executor)
        assert len(done) == 2
        with pytest.raises(InputError, match="tls:// needs certificates; set tls_ca, tls_cert and tls_key"):
            prepared(SLOW, executor={"name": "dask", "scheduler": made.address})
    assert bits(tmp_path / "run") == slow


def test_workers_with_several_threads_evaluate_one_batch_at_a_time(tmp_path):
    (tmp_path / "alone.py").write_text(
        "import sys, time\n"
        f"sys.path.append({str(KIT)!r})\n"
        "from labour import Slow\n"
        "from fooldeap.plugin import classifier, dataclass\n\n"
        '@classifier("alone")\n'
        "@dataclass\n"
        "class Alone(Slow):\n"
        '    """A classifier that is not thread-safe."""\n\n'
        "    busy = False\n\n"
        "    def logits(self, images):\n"
        "        assert not self.busy, 'two threads'\n"
        "        self.busy = True\n"
        "        found = super().logits(images)\n"
        "        self.busy = False\n"
        "        return found\n"
    )
    experiment = {**SLOW, "plugins": [str(tmp_path / "alone.py")], "classifier": {"name": "alone", "pause": 0.0005}}
    prepared(experiment, tmp_path / "serial")
    with cluster(tmp_path / "cluster") as made:
        made.add_worker("--nthreads", "4")
        executor = {"name": "dask", "scheduler": made.address}
        for mode in ("chunks", "runs"):
            done = prepared(experiment, tmp_path / mode, executor={**executor, "mode": mode})
            assert len(done) == 1
            assert bits(tmp_path / mode) == bits(tmp_path / "serial")


@pytest.mark.parametrize("mode", ["chunks", "runs"])
def test_killed_scheduler_ends_the_run_which_can_be_resumed(slow, tmp_path, mode):
    with cluster(tmp_path / "cluster", 2) as made:
        experiment = {**SLOW, "executor": {"name": "dask", "scheduler": made.address, "workers": 2, "mode": mode}}
        process = start(write(tmp_path / "slow.yaml", experiment), tmp_path / "run")
        wait_for(lambda: list(tmp_path.glob("run/journal/*")), process)
        made.scheduler.send_signal(signal.SIGKILL)
        said = said_until_its_end(process, 60)
        assert process.returncode == 1, said
        lost = f"fooldeap: the connection to the Dask scheduler {made.address} was lost; the traceback is in"
        assert said.splitlines()[-1].startswith(lost)
        assert said.count("\n") == 3, said  # plugins, scheduler, error
    fooldeap.resume(tmp_path / "run", "executor=serial", quiet=True)
    assert bits(tmp_path / "run") == slow
    check_adds_up(tmp_path / "run")


@pytest.mark.parametrize("mode", ["chunks", "runs"])
def test_run_of_a_killed_client_is_resumed_on_the_same_cluster(slow, tmp_path, mode):
    """In the mode runs, the workers may still write to the journals of the killed client."""
    with cluster(tmp_path / "cluster", 2) as made:
        experiment = {**SLOW, "executor": {"name": "dask", "scheduler": made.address, "workers": 2, "mode": mode}}
        process = start(write(tmp_path / "slow.yaml", experiment), tmp_path / "run")
        wait_for(lambda: list(tmp_path.glob("run/journal/*")), process)
        process.kill()
        process.communicate()
        assert not descendants(process.pid)
        assert all(worker.poll() is None for worker in made.workers), "they belong to the user"
        fooldeap.resume(tmp_path / "run", quiet=True)
    assert bits(tmp_path / "run") == slow
    check_adds_up(tmp_path / "run")


@pytest.mark.parametrize("hangs", ["Python", "C"])
def test_hanging_classifier_is_reported_and_not_tried_again(tmp_path, hangs):
    classifier = {"name": "slow", "only": os.getpid(), "hangs": hangs}
    with cluster(tmp_path / "cluster", 1) as made:
        executor = {"name": "dask", "scheduler": made.address, "batch_timeout": 0.5}
        late = rf"^classifier 'slow' took longer than 0.5 s .*process {made.workers[0].pid}\); the traceback is in"
        with ExperimentSession(config.load({**SLOW, "classifier": classifier, "executor": executor})) as ready:
            folder = RunFolder.create(ready.experiment, tmp_path / "run")
            with pytest.raises(OvertimeError, match=late):
                ready.run(folder)
        assert made.workers[0].poll() is None, "it belongs to the user"


def test_worker_that_joins_later_takes_part(slow, tmp_path):
    with cluster(tmp_path / "cluster", 1) as made:
        experiment = config.load({**SLOW, "executor": {"name": "dask", "scheduler": made.address}})
        with ExperimentSession(experiment) as ready:
            ready.executor.wait()
            made.add_worker("--nthreads", "1")
            ready.executor._connection.wait(2)
            ready.run(RunFolder.create(ready.experiment, tmp_path / "run"), quiet=True)
            assert len(ready.dispatcher.done) == 2 or ready.evaluator.shares == 1
    assert bits(tmp_path / "run") == slow


def test_cluster_without_workers_is_an_error(tmp_path):
    with cluster(tmp_path / "cluster") as made:
        executor = {"name": "dask", "scheduler": made.address, "start_timeout": 0.5}
        none = rf"^the Dask scheduler {made.address} has 0 workers after 0.5 s, expected at least 1; start some"
        with pytest.raises(RunError, match=none):
            prepared(SLOW, executor=executor)


def test_lost_workers_of_a_cluster_are_waited_for(slow, tmp_path):
    with cluster(tmp_path / "cluster", 1) as made:
        executor = {"name": "dask", "scheduler": made.address, "start_timeout": 60}

        def replace():
            wait_for(lambda: list(tmp_path.glob("run/journal/*")))
            made.workers[0].send_signal(signal.SIGKILL)
            made.add_worker("--nthreads", "1")

        thread = threading.Thread(target=replace)
        thread.start()
        prepared(SLOW, tmp_path / "run", executor=executor)
        thread.join()
    assert bits(tmp_path / "run") == slow
    check_adds_up(tmp_path / "run")


def test_resume_with_another_executor(shared, slow, tmp_path):
    path = write(tmp_path / "slow.yaml", {**SLOW, "executor": dask(2)})
    process = start(path, tmp_path / "run")
    wait_for(lambda: len(list(tmp_path.glob("run/journal/*"))) > 3, process)
    process.kill()
    process.communicate()
    resume = [sys.executable, "-m", "fooldeap", "run", "--resume", str(tmp_path / "run"), "--quiet"]
    process = subprocess.Popen([*resume, "executor={name: scoop, workers: 2, mode: runs}"])
    wait_for(lambda: descendants(process.pid), process)
    process.kill()
    process.wait()
    with Client(shared.address, set_as_default=False) as client:
        fooldeap.resume(tmp_path / "run", executor=client, quiet=True)
    assert bits(tmp_path / "run") == slow
    check_adds_up(tmp_path / "run")


def test_error_in_a_worker_is_one_line_with_traceback_in_the_log(shared, tmp_path):
    classifier = {"name": "slow", "only": os.getpid()}
    executor = {"name": "dask", "scheduler": shared.address, "mode": "runs"}
    with pytest.raises(PluginError, match=r"^classifier 'slow' raised ValueError: no luck today; the traceback is"):
        prepared(SLOW, tmp_path / "run", classifier=classifier, executor=executor)
    log = (tmp_path / "run/error.log").read_text()
    assert "In a worker (" in log
    assert 'raise ValueError("no luck today")' in log
