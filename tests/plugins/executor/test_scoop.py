"""SCOOP: results are bit-identical with any number of processes."""

import csv
import os
import subprocess
import sys
import time

import pytest
from helpers.experiments import ROOT, bits
from helpers.parallel import ON_LINUX, SLOW, prepared, scoop, wait_for, write
from helpers.query_logs import check_adds_up

import fooldeap
from fooldeap.configuration import config
from fooldeap.errors import PluginError
from fooldeap.plugin import Executor, dataclass, executor
from fooldeap.runs.experiment_session import ExperimentSession
from fooldeap.runs.run_folder import RunFolder

pytestmark = ON_LINUX


# --- Determinism ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["chunks", "runs"])
@pytest.mark.parametrize(
    "workers", [pytest.param(1, marks=pytest.mark.slow), 2, pytest.param(5, marks=pytest.mark.slow)]
)
def test_number_of_workers_changes_no_bits(slow, tmp_path, workers, mode):
    done = prepared(SLOW, tmp_path / "run", executor=scoop(workers, mode))
    assert bits(tmp_path / "run") == slow
    assert len(done) == min(workers, 4 if mode == "runs" else 5), "eight runs go to five processes in pairs"
    with (tmp_path / "run/workers.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(done)
    assert all(int(row["images"]) > 0 and float(row["seconds"]) > 0 for row in rows)


@pytest.mark.parametrize("mode", ["chunks", pytest.param("runs", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "name",
    [
        pytest.param("map_elites", marks=pytest.mark.slow),
        "gradient_ascent",
        pytest.param("nsga2", marks=pytest.mark.slow),
    ],
)
def test_special_algorithms_give_identical_bits(tmp_path, name, mode):
    algorithm = {"name": name, "population": 20}
    fitness = "confidence_and_ink" if name == "nsga2" else "cross_entropy"
    choices = {**SLOW, "classifier": "tiny", "algorithm": algorithm, "fitness": fitness}
    prepared(choices, tmp_path / "serial")
    done = prepared(choices, tmp_path / "scoop", executor=scoop(2, mode))
    assert bits(tmp_path / "scoop") == bits(tmp_path / "serial")
    assert len(done) == 2


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["chunks", "runs"])
@pytest.mark.parametrize("name", ["cma_es", "snes", "differential_evolution"])
def test_vector_algorithms_give_identical_bits(tmp_path, name, mode):
    choices = {**SLOW, "classifier": "tiny", "genome": "dct", "algorithm": {"name": name, "population": 20}}
    prepared(choices, tmp_path / "serial")
    done = prepared(choices, tmp_path / "scoop", executor=scoop(2, mode))
    assert bits(tmp_path / "scoop") == bits(tmp_path / "serial")
    assert len(done) == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("genome", "mutation", "mode"),
    [
        ("blocks", "polynomial", "chunks"),
        ("binary", "invert", "runs"),
        ("dct_self_adaptive", "self_adaptive", "chunks"),
    ],
)
def test_indirect_genomes_give_identical_bits(tmp_path, genome, mutation, mode):
    choices = {**SLOW, "classifier": "tiny", "genome": genome, "mutation": mutation}
    prepared(choices, tmp_path / "serial")
    done = prepared(choices, tmp_path / "scoop", executor=scoop(2, mode))
    assert bits(tmp_path / "scoop") == bits(tmp_path / "serial")
    assert len(done) == 2


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["chunks", "runs"])
def test_networks_give_identical_bits(tmp_path, mode):
    choices = {**SLOW, "classifier": "tiny", "genome": "cppn", "mutation": "cppn", "crossover": "none"}
    prepared(choices, tmp_path / "serial")
    done = prepared(choices, tmp_path / "scoop", executor=scoop(2, mode))
    assert bits(tmp_path / "scoop") == bits(tmp_path / "serial")
    assert len(done) == 2


@pytest.mark.slow
def test_resume_with_another_number_of_workers(slow, tmp_path):
    path = write(tmp_path / "slow.yaml", SLOW)
    command = [sys.executable, "-m", "fooldeap", "run", str(path), "--out", str(tmp_path / "run"), "--quiet"]
    process = subprocess.Popen([*command, "--workers", "2"], stderr=subprocess.PIPE, text=True)
    wait_for(lambda: len(list(tmp_path.glob("run/journal/*"))) > 3)
    process.kill()
    process.communicate()
    for workers in ("1", "3"):
        resume = [sys.executable, "-m", "fooldeap", "run", "--resume", str(tmp_path / "run"), "--workers", workers]
        process = subprocess.Popen([*resume, "--quiet"])
        time.sleep(2.0)
        process.kill()
        process.wait()
    fooldeap.resume(tmp_path / "run", quiet=True)
    assert bits(tmp_path / "run") == slow
    check_adds_up(tmp_path / "run")


def test_costly_genomes_are_decoded_by_all_processes(tmp_path):
    told = tmp_path / "told"
    genome = {**SLOW, "genome": {"name": "mirrored", "told": ""}, "mutation": "jitter"}
    prepared(genome, tmp_path / "serial")
    told_by = {**genome, "genome": {"name": "mirrored", "told": str(told)}}
    prepared(told_by, tmp_path / "scoop", executor=scoop(3))
    assert len(set(told.read_text().split())) == 3
    one, other = bits(tmp_path / "serial"), bits(tmp_path / "scoop")
    assert one["log.csv"] == other["log.csv"]


def test_custom_executor_receives_work_that_can_be_pickled(slow, tmp_path):
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    @executor("pool")
    @dataclass
    class Pool(Executor):
        """Processes of the standard library."""

        @property
        def processes(self):
            return 2

        def open(self, work):
            self.pool = ProcessPoolExecutor(1, get_context("spawn"))

        def map(self, function, items):
            return self.pool.map(function, items)

        def close(self):
            self.pool.shutdown()
            return ""

    experiment = config.load({**SLOW, "seeds": 2}, arguments={"executor": "serial"})
    with ExperimentSession(experiment) as ready:
        ready.dispatcher.executor = Pool()
        ready.dispatcher.executor.open(ready.dispatcher.task)
        ready.evaluator.shares = 2
        ready.run(RunFolder.create(experiment, tmp_path / "run"))
        assert os.getpid() not in {place.process for place in ready.dispatcher.done}
    assert bits(tmp_path / "run") == slow


def test_toolbox_uses_scoop_twice_in_one_process():
    for _ in range(2):
        toolbox = fooldeap.toolbox({**SLOW, "executor": scoop()}, targets=[1])
        assert toolbox.evaluate(toolbox.sample(100)).shape == (100,)
        assert list(toolbox.map(abs, [-1, 2, -3])) == [1, 2, 3]


# --- Helpers --------------------------------------------------------------------------------------------------------


def test_map_yields_results_early_and_can_be_abandoned(slow, tmp_path):
    """So a study stores records and shows progress whenever runs end, not only at its own end."""
    with ExperimentSession(config.load(SLOW, arguments={"executor": scoop()})) as ready:
        ready.executor.wait()
        begun = time.monotonic()
        moments = [time.monotonic() - begun for _ in ready.executor.map(time.sleep, [0.2] * 16)]
        assert moments[0] < 0.6 * moments[-1]
        rest = ready.executor.map(abs, [-1, -2, -3])
        assert next(rest) == 1  # the remaining results are abandoned
        assert list(ready.executor.map(abs, [-4, -5])) == [4, 5]
        with pytest.raises((TypeError, PluginError), match="bad operand type"):  # raised by the root or by a worker
            list(ready.executor.map(abs, [-1, "x", -2]))
        assert list(ready.executor.map(abs, range(-9, 0))) == list(range(9, 0, -1))


@pytest.mark.slow
@pytest.mark.parametrize("words", [["-n", "3"], ["--hostfile", "hosts.txt"]])
def test_scoops_own_launcher(slow, tmp_path, words):
    (tmp_path / "hosts.txt").write_text("localhost 3\n")
    launcher = [sys.executable, "-m", "scoop", *words]
    main = ROOT / "fooldeap/__main__.py"
    command = ["run", str(write(tmp_path / "slow.yaml", SLOW)), "--out", str(tmp_path / "run"), "--quiet"]
    ended = subprocess.run([*launcher, str(main), *command], capture_output=True, timeout=60, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert bits(tmp_path / "run") == slow
    assert len((tmp_path / "run/workers.csv").read_text().splitlines()) == 1 + 3
