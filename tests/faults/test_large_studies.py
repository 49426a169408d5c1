"""A study of as many variants as there may be: started, killed with SIGKILL, and resumed to the same bits.

`make faults` resumes 1000 variants to the end, `make test-slow` looks whether 648 can be.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time

import pytest
from helpers.experiments import KIT, tiny

import fooldeap
from fooldeap.configuration.reading import MAX_BYTES, MAX_DEPTH, MAX_NODES, parse
from fooldeap.configuration.writing import as_yaml, values_in
from fooldeap.errors import InputError
from fooldeap.runs.run_folder import RunFolder
from fooldeap.study import comparison, definition
from fooldeap.study.plan import StudyFolder, plan

pytestmark = pytest.mark.slow

EVERY = "FOOLDEAP_FAULTS" in os.environ
SIZES = (10, 10, 10) if EVERY else (9, 9, 8)
LONGEST = 600  # seconds, on a busy machine


def grid(mutations, selections, crossovers):
    """A study of so many variants, of two generations each."""
    return {
        "name": "large",
        "plugins": [str(KIT)],
        "classifier": "tiny",
        "algorithm": {"name": "generational", "population": 4},
        "vary": {
            "mutation": {
                f"m{index}": {"name": "random_pixels", "rate": (index + 1) / 100} for index in range(mutations)
            },
            "selection": {f"s{index}": {"name": "tournament", "size": index + 2} for index in range(selections)},
            "crossover": {f"c{index}": {"name": "uniform", "share": (index + 1) / 100} for index in range(crossovers)},
        },
        "targets": [1],
        "seeds": 1,
        "goal": {"confidence": 0.9999},
        "budget": 8,
        "report": False,
    }


def records(folder):
    files = [*folder.glob("variants/*/records/*"), *folder.glob("variants/*/images/*/*")]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.fixture
def killed(tmp_path):
    """A study that was killed when the first of its runs had ended."""
    source, folder = tmp_path / "large.yaml", tmp_path / "killed"
    source.write_text(as_yaml(grid(*SIZES)))
    words = [sys.executable, "-m", "fooldeap", "compare", str(source), "--out", str(folder), "--quiet"]
    process = subprocess.Popen(words, stderr=subprocess.DEVNULL)
    begun = time.monotonic()
    while process.poll() is None and time.monotonic() < begun + LONGEST:
        if any(folder.glob("variants/*/records/*.json")):
            break
        time.sleep(0.01)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    return folder


@pytest.mark.slow
def test_a_large_study_that_was_killed_can_be_resumed(killed):
    study = comparison.load(resume=killed)
    assert len(study.variants) == SIZES[0] * SIZES[1] * SIZES[2]
    with contextlib.ExitStack() as stack:
        todo = plan(study, StudyFolder.open(killed), stack)
    (group,) = todo.groups
    assert 1 <= len(todo.found) < len(study.variants)
    assert len(todo.found) + len(group.missing) == len(study.variants)


@pytest.mark.skipif(not EVERY, reason="takes minutes; run by `make faults`")
def test_a_large_study_that_was_killed_is_resumed_to_the_same_bits(killed, tmp_path, monkeypatch):
    monkeypatch.setattr(comparison, "write", lambda *_: None)  # half a million pairs, and their pictures
    fooldeap.compare(grid(*SIZES), out=tmp_path / "whole", quiet=True)
    fooldeap.compare(resume=killed, quiet=True)
    assert len(records(killed)) == 2 * 1000
    assert records(killed) == records(tmp_path / "whole")


@pytest.mark.slow
def test_study_of_1000_variants_reads_back_as_itself(tmp_path):
    study = definition.load(grid(10, 10, 10))
    text = as_yaml(study.data())
    (tmp_path / "study.yaml").write_text(text)
    again = definition.load(tmp_path / "study.yaml")
    assert again.data() == study.data()
    assert {name: each.digest for name, each in again.variants.items()} == {
        name: each.digest for name, each in study.variants.items()
    }
    assert as_yaml(again.data()) == text


def test_common_settings_of_many_variants_are_written_once():
    few, many = definition.load(grid(2, 2, 2)).data(), definition.load(grid(9, 9, 8)).data()
    assert few["variants"]["m0+s0+c0"].keys() > many["variants"]["m0+s0+c0"].keys()
    assert many["variants"]["m1+s2+c3"] == {
        "selection": {"name": "tournament", "size": 4},
        "crossover": {"name": "uniform", "share": 0.04},
        "mutation": {"name": "random_pixels", "rate": 0.02},
    }
    assert many["algorithm"] == few["variants"]["m0+s0+c0"]["algorithm"]
    assert "algorithm" not in few


# --- What could not be read again is not begun ----------------------------------------------------------------------


@pytest.mark.slow
def test_a_study_that_could_not_be_read_again_is_not_begun(tmp_path):
    source = grid(10, 10, 10)
    for name, mutation in source["vary"]["mutation"].items():
        source["vary"]["mutation"][name] = {"name": "mixed", "of": [mutation] * 20}
    message = r"the resolved configuration has [\d,]+ values, expected at most 60,000, the limit for resuming"
    with pytest.raises(InputError, match=message):
        fooldeap.compare(source, out=tmp_path / "study", quiet=True)
    assert not (tmp_path / "study").exists()


def test_an_experiment_that_could_not_be_read_again_is_not_begun(tmp_path):
    experiment = tiny(targets=list(range(MAX_NODES)))
    with pytest.raises(InputError, match="values, expected at most 60,000, the limit for resuming"):
        RunFolder.create(experiment, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def nested(depth):
    return 1 if depth == 0 else {"a": nested(depth - 1)}


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"a": [1] * (MAX_NODES - 1)}, "60,001 values"),
        ({"a": "x" * MAX_BYTES}, "bytes, expected at most 2,000,000"),
        (nested(MAX_DEPTH + 1), "nested more than 40 levels deep"),
    ],
    ids=["values", "bytes", "depth"],
)
def test_the_writer_has_the_limits_of_the_reader(data, told, tmp_path):
    with pytest.raises(InputError, match=told):
        as_yaml(data)


@pytest.mark.parametrize("data", [{"a": [1] * (MAX_NODES - 2)}, {"a": "x" * (MAX_BYTES - 10)}, nested(MAX_DEPTH)])
def test_the_reader_has_the_limits_of_the_writer(data, tmp_path):
    text = as_yaml(data)
    assert len(text) <= MAX_BYTES
    assert parse(text, "x.yaml", tmp_path).data == data
    assert values_in(data) <= MAX_NODES
