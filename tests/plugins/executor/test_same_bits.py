"""Serial, SCOOP and Dask give identical bits, also when a run or a study is resumed with another executor."""

import os
import subprocess
import sys

import pytest
from helpers import studies
from helpers.experiments import ROOT, bits, tiny
from helpers.experiments import run as run_alone
from helpers.parallel import ON_LINUX, dask, prepared, scoop, wait_for, write
from helpers.query_logs import check_adds_up, check_study_adds_up

import fooldeap

pytestmark = ON_LINUX
ENGINES = {"scoop": scoop, "dask": dask}
NETWORKS = ["mnist", "mnist_lenet"]
SETTINGS = ([(2, "chunks"), (1, "runs")], [(1, "chunks"), (2, "runs")])  # numbers of workers and modes, in two halves


def half(second):
    """Return half of the settings. `make faults` tries all of them with each network and engine."""
    return [*SETTINGS[0], *SETTINGS[1]] if "FOOLDEAP_FAULTS" in os.environ else SETTINGS[second]


SMALL = {
    "targets": [2, 3, 8],
    "seeds": 3,
    "stop": {"confidence": None, "evaluations": 300},
    "algorithm": {"name": "generational", "population": 40},
    "reporters": ["csv", "images"],
}
NETWORK_STUDY = {
    "name": "networks",
    "base": str(ROOT / "configs/mnist.yaml"),
    "vary": {"classifier": {name: {"name": "keras", "model": name} for name in ("mnist_cnn", "mnist_lenet")}},
    "targets": [2, 3],
    "seeds": 2,
    "budget": 1500,
    "goal": {"confidence": 0.9999},
}


def command(*words, executor):
    """Start a command of fooldeap."""
    words = [*words, "--quiet", f"executor={{name: {executor}, workers: 2, mode: runs}}"]
    return subprocess.Popen([sys.executable, "-m", "fooldeap", *words], stderr=subprocess.PIPE, text=True)


def kill_after(process, condition):
    """Kill a command when a condition holds."""
    wait_for(condition, process)
    process.kill()
    process.communicate()


# --- Shipped networks -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=NETWORKS)
def network(request, tmp_path_factory):
    """The configuration of a shipped network, and the bits of its runs in one process."""
    path, folder = ROOT / f"configs/{request.param}.yaml", tmp_path_factory.mktemp("serial") / "run"
    prepared(path, folder, **SMALL)
    return path, bits(folder)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_shipped_networks_give_identical_bits(network, tmp_path, engine):
    path, expected = network
    for workers, mode in half(path.stem == "mnist_lenet"):
        folder = tmp_path / f"{workers}-{mode}"
        done = prepared(path, folder, executor=ENGINES[engine](workers, mode), **SMALL)
        assert bits(folder) == expected, (workers, mode)
        assert len(done) == workers, "every process evaluated"
        check_adds_up(folder)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mnist_lenet", pytest.param("mnist", marks=pytest.mark.thorough)])
def test_killed_runs_are_resumed_with_other_executors(name, tmp_path):
    long = {**SMALL, "stop": {"confidence": None, "evaluations": 3000}}
    prepared(ROOT / f"configs/{name}.yaml", tmp_path / "serial", **long)
    folder, path = tmp_path / "run", write(tmp_path / "long.yaml", {"base": str(ROOT / f"configs/{name}.yaml"), **long})
    whole = sum(each.stat().st_size for each in tmp_path.glob("serial/journal/*"))

    def has_a_part(part):
        return lambda: sum(each.stat().st_size for each in folder.glob("journal/*.journal")) > part * whole

    kill_after(command("run", str(path), "--out", str(folder), executor="dask"), has_a_part(0.05))
    kill_after(command("run", "--resume", str(folder), executor="scoop"), has_a_part(0.4))
    assert not (folder / "result.json").exists()
    fooldeap.resume(folder, "executor=serial", quiet=True)
    assert bits(folder) == bits(tmp_path / "serial")
    check_adds_up(folder)


# --- Studies --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["chunks", "runs"])
@pytest.mark.parametrize("engine", ["scoop", pytest.param("dask", marks=pytest.mark.slow)])
def test_executors_do_not_change_studies(study, tmp_path, engine, mode):
    done = studies.compare(tmp_path / "study", executor=ENGINES[engine](2, mode))
    assert studies.bits(done.folder) == studies.bits(study.folder)
    check_study_adds_up(done.folder)


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    """The file of a study of both shipped networks, and its folder, made by one process."""
    folder = tmp_path_factory.mktemp("networks")
    path = write(folder / "networks.yaml", NETWORK_STUDY)
    return path, fooldeap.compare(path, out=folder / "study", quiet=True).folder


@pytest.mark.slow
@pytest.mark.thorough
@pytest.mark.parametrize("engine", ENGINES)
def test_executors_do_not_change_studies_of_shipped_networks(networks, tmp_path, engine):
    path, serial = networks
    for workers, mode in half(engine == "dask"):
        folder = tmp_path / f"{workers}-{mode}"
        fooldeap.compare(path, out=folder, quiet=True, executor=ENGINES[engine](workers, mode))
        assert studies.bits(folder) == studies.bits(serial), (workers, mode)
        check_study_adds_up(folder)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("first", "second"), [("dask", "scoop"), pytest.param("scoop", "dask", marks=pytest.mark.thorough)]
)
def test_killed_study_is_resumed_with_another_executor(networks, tmp_path, first, second):
    (path, serial), folder = networks, tmp_path / "study"
    kill_after(
        command("compare", str(path), "--out", str(folder), executor=first),
        lambda: list(folder.glob("variants/*/records/*")),
    )
    assert not (folder / "runs.csv").exists()
    fooldeap.compare(resume=folder, quiet=True, executor=ENGINES[second](2, "runs"))
    assert studies.bits(folder) == studies.bits(serial)


# --- Operators with feedback ----------------------------------------------------------------------------------------

ADAPTIVE = {
    "mutation": {"name": "adaptive_mixed", "of": ["one_fifth", "creep", {"name": "gaussian", "weight": 2.0}]},
    "selection": "fitness_sharing",
    "fitness": "confidence",
    "stop": {"confidence": None, "evaluations": 3000},
    "classifier": {"name": "slow_steps", "pause": 0.005},
}


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["chunks", pytest.param("runs", marks=pytest.mark.thorough)])
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("mutation", ["one_fifth", ADAPTIVE["mutation"]], ids=["one_fifth", "adaptive_mixed"])
def test_operators_with_feedback_give_identical_bits(tmp_path, mutation, engine, mode):
    experiment = {**ADAPTIVE, "mutation": mutation}
    run_alone(tiny(**experiment), tmp_path / "serial")
    done = prepared(tiny(**experiment, executor=ENGINES[engine](2, mode)).data(), tmp_path / "run")
    assert len(done) == 2, "both processes evaluated"
    assert bits(tmp_path / "run") == bits(tmp_path / "serial")
