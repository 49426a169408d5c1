"""Dask: wrong settings and failures are reported in one line; nothing listens beyond this machine."""

import os
import subprocess
import sys

import numpy as np
import pytest
from helpers.experiments import bits, unannounced
from helpers.parallel import ON_LINUX, SLOW, WORKER, dask, prepared, wait_for, write
from helpers.processes import descendants, listening, named, unix_sockets

import fooldeap
from fooldeap.configuration import config
from fooldeap.errors import InputError, OvertimeError, PluginError, RunError
from fooldeap.runs.experiment_session import ExperimentSession
from fooldeap.runs.run_folder import RunFolder

pytestmark = ON_LINUX
LOOPBACK = "0100007F"  # as the kernel writes 127.0.0.1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"scheduler": "tcp://node7:8786"},
            "got 'tcp://node7:8786', on which everyone in the network can run code; use",
        ),
        ({"scheduler": "node7:8786"}, "got 'node7:8786', expected an address such as tls://host:8786"),
        ({"scheduler": "http://node7:8786"}, "expected an address such as"),
        ({"scheduler": "tcp://node7"}, "expected an address such as"),
        ({"scheduler": "tls://node7:8786"}, "tls:// needs certificates; set tls_ca, tls_cert and tls_key"),
        ({"scheduler_file": "{folder}/file.json"}, "file.json has no address; let 'dask scheduler' write it"),
        (
            {"scheduler_file": "{folder}/none.json"},
            "none.json: cannot be read (No such file or directory); check its name",
        ),
        ({"scheduler_file": "{folder}/file.json", "scheduler": "tcp://127.0.0.1:1"}, "leave one of them out"),
        ({"tls_ca": "ca.pem"}, "tls_ca has no effect without a scheduler"),
        ({"dashboard": True}, "dashboard: needs the package 'bokeh'"),
    ],
)
def test_wrong_settings(tmp_path, settings, message):
    (tmp_path / "file.json").write_text('{"id": 1}')
    (tmp_path / "text.json").write_text("tls://node7:8786")
    filled = {
        name: value.format(folder=tmp_path) if isinstance(value, str) else value for name, value in settings.items()
    }
    with pytest.raises(InputError, match="executor: ") as raised:
        ExperimentSession(config.load({**SLOW, "executor": {"name": "dask", **filled}}))
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("key", ["scheduler: tcp://127.0.0.1:1", "scheduler_file: x.json", "insecure: true"])
def test_files_of_others_may_not_choose_a_scheduler(tmp_path, key):
    path = tmp_path / "experiment.yaml"
    path.write_text(f"executor: {{name: dask, {key}}}\n")
    with pytest.raises(InputError, match=r"experiment.yaml:1:\d+: .*, which --no-plugins forbids"):
        fooldeap.run(path, no_plugins=True, quiet=True, out=tmp_path / "run")


@pytest.mark.parametrize("extra", [{}, {"insecure": True}])
def test_scheduler_that_cannot_be_reached_is_an_error(monkeypatch, extra):
    monkeypatch.setattr("fooldeap_plugins.executor._dask_client.CONNECT_SECONDS", 0.3)
    executor = {"name": "dask", "scheduler": "tcp://127.0.0.1:9", **extra}
    none = r"^the Dask scheduler tcp://127.0.0.1:9 cannot be reached \(.*\); start it: dask scheduler$"
    with pytest.raises(RunError, match=none):
        ExperimentSession(config.load({**SLOW, "executor": executor}))


def test_missing_package_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"executor: needs the package 'distributed'; install fooldeap\[dask\]"):
        ExperimentSession(config.load({**SLOW, "executor": dask()}))


def test_dask_is_imported_only_if_it_is_used():
    words = (
        "import sys, fooldeap; from fooldeap import registry\n"
        "registry.load().get('executor', 'dask').build({}, )\n"
        "raise SystemExit(bool({'dask', 'distributed'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", words], timeout=60).returncode == 0


def test_objects_that_no_executor_takes_are_refused():
    with pytest.raises(
        InputError, match=r"executor: got a builtins\.list, expected a name, a mapping, or a Dask client"
    ):
        fooldeap.run(SLOW, executor=[1], quiet=True)


def test_classifier_in_memory_is_refused():
    class Model:
        input_shape, classes, digest = (8, 8, 1), 4, "model"

        def logits(self, images):
            return np.zeros((len(images), 4), np.float32)

    with pytest.raises(InputError, match="executor: a classifier in memory cannot be sent"):
        fooldeap.fool(Model(), 1, executor=dask())


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["chunks", "runs"])
def test_only_the_loopback_interface_is_used(mode):
    before = listening([os.getpid()])
    with ExperimentSession(config.load({**SLOW, "executor": dask(3, mode)})) as ready:
        ready.executor.wait()
        workers = [each for each in descendants(os.getpid()) if each in named(WORKER)]
        assert len(workers) == 3
        assert listening([os.getpid(), *workers]) - before == {LOOPBACK}
        assert all(listening([worker]) == {LOOPBACK} for worker in workers)
        assert not unix_sockets(workers)
        assert list(ready.executor.map(abs, [-1, -2, -3])) == [1, 2, 3]
        assert listening([os.getpid(), *workers]) - before == {LOOPBACK}
    assert not set(workers) & set(named(WORKER))
    assert listening([os.getpid()]) == before


@pytest.mark.slow
def test_others_cannot_connect_without_the_certificate():
    from distributed import Client, Security

    with ExperimentSession(config.load({**SLOW, "executor": dask(1)})) as ready:
        address = ready.executor._connection._client.scheduler.address
        assert address.startswith("tls://127.0.0.1:")
        with pytest.raises((OSError, TypeError)):
            Client(address.replace("tls", "tcp"), timeout=1)
        with pytest.raises((OSError, TypeError)):
            Client(address, security=Security.temporary(), timeout=1)


@pytest.mark.slow
@pytest.mark.parametrize("hangs", ["Python", "C"])
def test_hanging_classifier_ends_the_run_which_can_be_resumed(slow, tmp_path, hangs):
    classifier = {"name": "slow", "pause": 0.0002, "only": os.getpid(), "hangs": hangs}
    changes = {"classifier": classifier, "executor": dask(2, batch_timeout=0.8)}
    late = r"^classifier 'slow' took longer than 0.8 s for a batch of \d+ images; .*executor.batch_timeout"
    with ExperimentSession(config.load({**SLOW, **changes})) as ready:
        folder = RunFolder.create(ready.experiment, tmp_path / "run")
        with pytest.raises(OvertimeError, match=late) as raised:
            ready.run(folder)
        assert "\n" not in str(raised.value)
    wait_for(lambda: not set(descendants(os.getpid())) & set(named(WORKER)), seconds=10)
    with ExperimentSession(config.load(folder.config, arguments={"executor": "serial"})) as ready:
        ready.run(RunFolder.open(folder.path), resumed=True, quiet=True)
    assert bits(folder.path)["log.csv"] == slow["log.csv"]


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["chunks", "runs"])
def test_exit_in_a_worker_is_an_error_of_the_classifier(mode):
    classifier = {"name": "slow", "pause": 0.001, "only": os.getpid(), "exits": True}
    with pytest.raises(PluginError, match=r"^classifier 'slow' raised SystemExit: 5"):
        prepared(SLOW, classifier=classifier, executor=dask(2, mode))


@pytest.mark.slow
def test_script_without_a_main_guard(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        f"import fooldeap\nfooldeap.run({SLOW!r}, executor={dask(2)!r}, seeds=1, quiet=True, out='run')\n"
    )
    ended = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=100, cwd=tmp_path)
    assert (ended.returncode, ended.stdout, unannounced(ended.stderr)) == (0, "", "")


@pytest.mark.slow
def test_command_prints_only_its_own_lines_and_logs_the_output_of_workers(tmp_path):
    (tmp_path / "loud.py").write_text(
        "from fooldeap.plugin import mutation\n\n"
        '@mutation("loud", genome="pixels")\n'
        "def loud(images, rng):\n"
        '    """Print."""\n'
        "    print('hello from a plugin')\n"
        "    return images\n"
    )
    experiment = {**SLOW, "plugins": [*SLOW["plugins"], str(tmp_path / "loud.py")], "mutation": "loud", "seeds": 1}
    path = write(tmp_path / "loud.yaml", {**experiment, "executor": dask(2, "runs")})
    command = [sys.executable, "-m", "fooldeap", "run", str(path), "--out", str(tmp_path / "run"), "--quiet"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert (ended.returncode, unannounced(ended.stderr)) == (0, "")
    assert set(ended.stdout.splitlines()) <= {"hello from a plugin"}, "in the rehearsal"
    assert "hello from a plugin" in (tmp_path / "run/workers.log").read_text()
