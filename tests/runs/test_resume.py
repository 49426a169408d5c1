"""A run that was interrupted, however and however often, is resumed to the same bits."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest
from helpers.experiments import KIT, ROOT, bits, run, tiny
from helpers.query_logs import sessions
from helpers.resuming import check_resumes_wherever_cut

import fooldeap
from fooldeap.configuration import config
from fooldeap.errors import InputError, RunError
from fooldeap.runs.experiment_session import ExperimentSession
from fooldeap.runs.run_folder import RunFolder
from fooldeap.storage.journal import Journal

SMALL = ["targets=[2,3]", "stop.evaluations=3000", "stop.confidence=null", "reporters=[csv, images]"]
SLOW = ["classifier={name: slow_steps, pause: 0.0005}", *SMALL, "--plugins", str(KIT)]  # starts without TensorFlow
DEAPS = ("deap_simple", "deap_mu_plus_lambda", "deap_mu_comma_lambda")


def journal_bytes(folder):
    return sum(path.stat().st_size for path in folder.glob("journal/*"))


def stopped(arguments, folder, until, by):
    """Run the command until its journals hold so many bytes, and send it a signal. Return (exit code, stderr)."""
    command = [sys.executable, "-m", "fooldeap", "run", *arguments, "--quiet"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while process.poll() is None and journal_bytes(folder) < until and time.monotonic() < deadline:
        time.sleep(0.0005)
    process.send_signal(by)
    _, said = process.communicate()
    return process.returncode, said


def killed(arguments, folder, until):
    """Kill the command there. True if it had not ended before."""
    code, said = stopped(arguments, folder, until, signal.SIGKILL)
    assert code in (0, -signal.SIGKILL), said
    return code != 0


def undisturbed(words, folder):
    """Run the command to its end. Return (bits, journal bytes)."""
    arguments = [str(ROOT / "configs/mnist.yaml"), *words, "--out", str(folder)]
    subprocess.run([sys.executable, "-m", "fooldeap", "run", *arguments, "--quiet"], check=True, capture_output=True)
    return bits(folder), journal_bytes(folder)


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """A small run on the real network that nobody disturbed."""
    return undisturbed(SMALL, tmp_path_factory.mktemp("reference") / "run")


@pytest.fixture(scope="module")
def slow_reference(tmp_path_factory):
    """The same on a classifier of a few lines."""
    return undisturbed(SLOW, tmp_path_factory.mktemp("reference") / "run")


@pytest.mark.slow
def test_resume_is_bit_identical_after_ten_kills(tmp_path, reference, slow_reference):
    """Five runs, one on the real network, each killed twice: on the way, and once again after it was resumed."""
    rng, kills = random.Random(os.environ.get("FOOLDEAP_TEST_SEED", "kill")), 0
    for index in range(5):
        words, (expected, total) = (SLOW, slow_reference) if index else (SMALL, reference)
        folder = tmp_path / f"{index}"
        first, second = sorted(rng.uniform(0.02, 0.95) for _ in range(2))
        arguments = [str(ROOT / "configs/mnist.yaml"), *words, "--out", str(folder)]
        kills += killed(arguments, folder, first * total)
        kills += killed(["--resume", str(folder)], folder, second * total)
        fooldeap.resume(folder, quiet=True)
        assert bits(folder) == expected, f"killed at {first:.3f} and {second:.3f} of the journal"
    assert kills == 10


@pytest.mark.parametrize(
    ("words", "fixture"),
    [(SLOW, "slow_reference"), pytest.param(SMALL, "reference", marks=pytest.mark.slow)],
    ids=["tiny", "network"],
)
def test_ctrl_c_prints_the_command_to_resume(tmp_path, request, words, fixture):
    expected, total = request.getfixturevalue(fixture)
    folder = tmp_path / "run"
    arguments = [str(ROOT / "configs/mnist.yaml"), *words, "--out", str(folder)]
    code, said = stopped(arguments, folder, total / 2, signal.SIGINT)
    assert (code, said) == (130, f"fooldeap: interrupted; to continue: fooldeap run --resume {folder}\n")
    fooldeap.resume(folder, quiet=True)
    assert bits(folder) == expected


@pytest.mark.parametrize(
    "algorithm",
    ["hill_climber", *(pytest.param(name, marks=pytest.mark.slow) for name in ("tiny_map_elites", "ascent", *DEAPS))],
)
def test_resume_is_bit_identical_after_a_kill_of_any_algorithm(tmp_path, algorithm):
    common = [f"algorithm={algorithm}", "classifier=tiny", "stop.evaluations=1200", "stop.confidence=null"]
    arguments = [str(ROOT / "configs/mnist.yaml"), *common, "reporters=[csv, images]", "--plugins", str(KIT)]
    # In the resolved configuration the plugins are named, so that a resumed run finds them.
    fooldeap.run(arguments[0], *common, "reporters=[csv, images]", plugins=[KIT], out=tmp_path / "whole", quiet=True)
    expected, total = bits(tmp_path / "whole"), journal_bytes(tmp_path / "whole")
    folder = tmp_path / "run"
    share = random.Random(algorithm).uniform(0.1, 0.9)
    assert killed([*arguments, "--out", str(folder)], folder, share * total)
    fooldeap.resume(folder, quiet=True)
    assert bits(folder) == expected


def test_resume_is_bit_identical_for_journals_cut_anywhere(tmp_path):
    """Without a process: a folder whose journals end anywhere is continued to the same bits."""
    check_resumes_wherever_cut(tiny(targets=[0, 1], stop={"evaluations": 120}), tmp_path, times=40)


def test_answers_in_the_journal_are_not_queried_again(tmp_path):
    experiment = tiny(stop={"evaluations": 120})
    run(experiment, tmp_path / "run")
    (tmp_path / "run/result.json").unlink()
    prepared = ExperimentSession(experiment)
    result = prepared.run(RunFolder.open(tmp_path / "run"), resumed=True)
    assert sessions(tmp_path / "run")[-1]["classifier"] == 0
    assert result.evaluations == 4 * 120 or all(each.reached for each in result)


def test_a_finished_run_is_left_alone(tmp_path):
    result = fooldeap.run(tiny(targets=[0], stop={"evaluations": 30}), out=tmp_path / "run", quiet=True)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*")}
    assert fooldeap.resume(tmp_path / "run")[0].log == result[0].log
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*")} == before


def test_resumed_run_replays_the_stop_of_its_clock(tmp_path):
    experiment = tiny(targets=[0], stop={"confidence": None, "seconds": 0.3, "evaluations": None})
    result, _ = run(experiment, tmp_path / "run")
    expected = bits(tmp_path / "run")
    (tmp_path / "run/result.json").unlink()
    again = ExperimentSession(experiment).run(RunFolder.open(tmp_path / "run"), resumed=True)
    assert bits(tmp_path / "run") == expected
    assert again[0].stopped == "seconds"
    assert again[0].evaluations == result[0].evaluations
    assert again.seconds >= result.seconds


def test_unseeded_randomness_is_detected(tmp_path):
    experiment = tiny(targets=[0], algorithm="unseeded", stop={"generations": 30, "confidence": None})
    run(experiment, tmp_path / "run")
    (tmp_path / "run/result.json").unlink()
    with pytest.raises(RunError, match="is not the one recorded"):
        ExperimentSession(experiment).run(RunFolder.open(tmp_path / "run"), resumed=True)


def test_another_configuration_is_refused(tmp_path):
    run(tiny(targets=[0], stop={"evaluations": 30}), tmp_path / "run")
    (tmp_path / "run/result.json").unlink()
    with pytest.raises(InputError, match="experiment has changed"):
        ExperimentSession(tiny("mutation.rate=0.5", targets=[0], stop={"evaluations": 30})).run(
            RunFolder.open(tmp_path / "run")
        )


def test_interrupted_by_an_exception_the_journal_is_whole(tmp_path):
    with pytest.raises(RunError):
        run(tiny(targets=[0], algorithm="faulty"), tmp_path / "run")
    assert not (tmp_path / "run/result.json").exists()
    journal = Journal(next((tmp_path / "run/journal").iterdir()), {})
    assert len(journal.next_answer().logits) == 5
    assert journal.next_answer() is None
    journal.close()


def test_resume_refuses_other_folders(tmp_path):
    with pytest.raises(InputError, match=r"has no config\.yaml"):
        fooldeap.resume(tmp_path)


def test_a_config_reads_back_as_itself(tmp_path):
    experiment = tiny(targets=[0], stop={"evaluations": 30})
    run(experiment, tmp_path / "run")
    assert config.load(tmp_path / "run/config.yaml").digest == experiment.digest
