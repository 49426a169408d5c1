"""SCOOP: errors in other processes are reported in one line, and never cause a silent serial run."""

import importlib
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from helpers.experiments import bits, unannounced
from helpers.parallel import ON_LINUX, SLOW, WORKER, scoop, write
from helpers.processes import descendants, named

import fooldeap
from fooldeap.configuration import config
from fooldeap.errors import FooldeapWarning, InputError, PluginError, RunError
from fooldeap.plugin import mutation
from fooldeap.runs.experiment_session import ExperimentSession
from fooldeap.runs.run_folder import RunFolder

pytestmark = [ON_LINUX, pytest.mark.slow]


@pytest.mark.parametrize("mode", ["chunks", "runs"])
def test_error_in_a_worker_is_one_line_with_traceback_in_the_log(tmp_path, mode):
    experiment = {
        **SLOW,
        "classifier": {"name": "slow", "pause": 0.001, "only": os.getpid()},
        "executor": scoop(2, mode),
    }
    with ExperimentSession(config.load(experiment)) as ready:
        ready.executor.wait()
        with pytest.raises(PluginError, match=r"^classifier 'slow' raised ValueError: no luck today; the traceback is"):
            ready.run(RunFolder.create(ready.experiment, tmp_path / "run"))
    log = (tmp_path / "run/error.log").read_text()
    assert "In a worker (" in log
    assert 'raise ValueError("no luck today")' in log


def test_exit_codes(tmp_path):
    def code(*words, **changes):
        path = write(tmp_path / "experiment.yaml", {**SLOW, **changes})
        command = [sys.executable, "-m", "fooldeap", "run", str(path), *words, "--quiet"]
        ended = subprocess.run([*command, "--out", str(tmp_path / "run")], capture_output=True, text=True, timeout=60)
        shutil.rmtree(tmp_path / "run", ignore_errors=True)
        return ended.returncode, unannounced(ended.stderr)

    assert code("--workers", "1", stop={"generations": 1}, seeds=1) == (0, "")
    assert code("--workers", "none")[0] == 2
    assert code("--workers", "0")[0] == 2
    wrong, said = code("--workers", "1", classifier="double")
    assert (wrong, said.count("\n")) == (1, 1), said
    wrong, said = code("--workers", "2", targets=[9])
    assert (wrong, said.count("\n")) == (2, 1), said


def test_workers_that_do_not_start_are_an_error(monkeypatch):
    broken = "import sys; sys.exit('no room')"
    popen = subprocess.Popen
    monkeypatch.setattr(
        "fooldeap_plugins.executor._workers.subprocess.Popen",
        lambda command, **more: popen([sys.executable, "-c", broken], **more),
    )
    refused = pytest.raises(RunError, match=r"workers: they did not start; last output: no room")
    with ExperimentSession(config.load({**SLOW, "executor": scoop()})) as ready, refused:
        ready.executor.wait()


@pytest.mark.parametrize("key", ["hosts", "ssh", "python"])
def test_parameters_of_other_machines_are_refused(key):
    """They were removed; the executor dask uses other machines."""
    with pytest.raises(InputError, match=f"{key}"):
        config.load({**SLOW, "executor": scoop(**{key: "x"})})


def test_objects_that_workers_cannot_load_are_refused():
    class Model:
        input_shape, classes, digest = (8, 8, 1), 4, "model"

        def logits(self, images):
            return np.zeros((len(images), 4), np.float32)

    with pytest.raises(InputError, match="executor: a classifier in memory cannot be sent"):
        fooldeap.fool(Model(), 1, executor=scoop())

    @mutation("of_python")
    def of_python(images, rng):
        """Do nothing."""
        return images

    with pytest.raises(InputError, match="executor: other processes do not find all plugins"):
        fooldeap.run(SLOW, plugins=[of_python], mutation="of_python", executor=scoop(), quiet=True)


@pytest.mark.parametrize(("mode", "hangs"), [("chunks", "Python"), ("runs", "Python"), ("chunks", "C")])
def test_hanging_classifier_ends_the_run_which_can_be_resumed(slow, tmp_path, mode, hangs):
    classifier = {"name": "slow", "pause": 0.0002, "only": os.getpid(), "hangs": hangs}
    changes = {"classifier": classifier, "executor": scoop(2, mode, batch_timeout=0.8)}
    late = r"^classifier 'slow' took longer than 0.8 s for a batch of \d+ images; .*executor.batch_timeout"
    with ExperimentSession(config.load({**SLOW, **changes})) as ready:
        folder = RunFolder.create(ready.experiment, tmp_path / "run")
        everybody = descendants(os.getpid())
        with pytest.raises(RunError, match=late) as raised:  # noqa: PT012 - either call may raise
            ready.executor.wait()  # a wait in C hangs here
            ready.run(folder)
        assert "\n" not in str(raised.value)
    assert not set(everybody) & set(named(WORKER))
    with ExperimentSession(config.load(folder.config, arguments={"executor": "serial"})) as ready:
        ready.run(RunFolder.open(folder.path), resumed=True, quiet=True)
    assert bits(folder.path)["log.csv"] == slow["log.csv"]


@pytest.mark.parametrize("mode", ["chunks", "runs"])
def test_exit_in_a_worker_is_an_error_of_the_classifier(tmp_path, mode):
    classifier = {"name": "slow", "pause": 0.001, "only": os.getpid(), "exits": True}
    with ExperimentSession(config.load({**SLOW, "classifier": classifier, "executor": scoop(2, mode)})) as ready:
        ready.executor.wait()
        with pytest.raises(PluginError, match=r"^classifier 'slow' raised SystemExit: 5"):
            ready.run(None)


def test_workers_that_are_not_ready_are_reported(monkeypatch, tmp_path):
    experiment = {**SLOW, "classifier": {"name": "slow", "loads": 60.0}, "executor": scoop()}
    with pytest.warns(FooldeapWarning, match="not ready before the run ended and did no work"):
        fooldeap.run(experiment, quiet=True, out=tmp_path / "run", stop={"generations": 1})
    monkeypatch.setattr(importlib.import_module("fooldeap_plugins.executor._broker"), "READY_SECONDS", 0.0)
    with (
        pytest.raises(RunError, match="no worker was ready after 0 s"),
        ExperimentSession(config.load(experiment)) as ready,
    ):
        ready.run(None)
