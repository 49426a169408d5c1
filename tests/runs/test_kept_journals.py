"""The journals of finished large experiments."""

import pytest
from helpers.experiments import bits, run, tiny

import fooldeap
from fooldeap.errors import InputError
from fooldeap.result_tools.verify import verify
from fooldeap.runs import run_folder, worker_task
from fooldeap.runs.run_folder import RunFolder

LARGE = {"targets": [2, 1], "stop": {"generations": 3, "confidence": None}}


@pytest.fixture(autouse=True)
def small_limits(monkeypatch):
    monkeypatch.setattr(worker_task, "MOST_IN_MEMORY", 20)
    monkeypatch.setattr(run_folder, "MOST_JOURNALS", 1000)


def journals(folder):
    return sorted(path.name for path in (folder / "journal").iterdir())


@pytest.mark.parametrize(
    ("more", "limit", "kept"),
    [({}, 1000, False), ({}, 1 << 20, True), ({"keep_journals": True}, 1000, True)],
    ids=["large", "small", "wanted"],
)
def test_large_journals_are_removed_unless_they_are_wanted(tmp_path, monkeypatch, more, limit, kept):
    monkeypatch.setattr(run_folder, "MOST_JOURNALS", limit)
    result, _ = run(tiny(**LARGE, **more), tmp_path / "run")
    assert journals(tmp_path / "run") == (["seed1-target1.journal", "seed1-target2.journal"] if kept else [])
    assert fooldeap.load(tmp_path / "run")[1].score == result[1].score
    assert verify(tmp_path / "run").reproduced


def test_journals_of_other_experiments_stay(tmp_path, monkeypatch):
    monkeypatch.setattr(worker_task, "MOST_IN_MEMORY", 1 << 24)
    run(tiny(**LARGE), tmp_path / "run")
    assert len(journals(tmp_path / "run")) == 2


def test_journals_stay_while_a_run_is_to_be_repeated(tmp_path):
    experiment = tiny(**LARGE, on_error="skip", mutation={"name": "random_pixels", "rate": 0.5})
    result, _ = run(experiment, tmp_path / "run")
    folder = RunFolder.open(tmp_path / "run")
    assert journals(tmp_path / "run") == []
    (tmp_path / "run/journal/x.journal").write_bytes(b"0" * 2000)
    from dataclasses import replace

    from fooldeap.runs.experiment_session import ExperimentSession

    with ExperimentSession(experiment) as prepared:
        prepared._write(folder, replace(result, failures={"seed1-target1": "broken"}))
    assert journals(tmp_path / "run") == ["x.journal"]


def test_a_process_that_was_killed_before_it_removed_them(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "remove_unlisted_journals", lambda self: None)
        run(tiny(**LARGE), tmp_path / "run")
    assert len(journals(tmp_path / "run")) == 2
    before = fooldeap.load(tmp_path / "run")
    with pytest.raises(InputError, match="kept no journals"):
        fooldeap.resume(tmp_path / "run", "stop.generations=5", quiet=True)
    again = fooldeap.resume(tmp_path / "run", quiet=True)
    assert journals(tmp_path / "run") == []
    assert [each.score for each in again] == [each.score for each in before]


def test_without_journals_neither_an_extension_nor_a_sample_is_possible(tmp_path):
    run(tiny(**LARGE), tmp_path / "run")
    before = bits(tmp_path / "run")
    with pytest.raises(InputError, match=r"run: is finished and kept no journals, so it cannot be extended; start a"):
        fooldeap.resume(tmp_path / "run", "stop.generations=5", quiet=True)
    with pytest.raises(InputError, match=r"--sample: .*run kept no journals; verify everything, without --sample"):
        verify(tmp_path / "run", sample=2)
    assert bits(tmp_path / "run") == before


def test_kept_journals_allow_an_extension_with_the_same_bits(tmp_path):
    run(tiny(**LARGE, keep_journals=True), tmp_path / "run")
    fooldeap.resume(tmp_path / "run", "stop.generations=5", quiet=True)
    longer = {**LARGE, "stop": {"generations": 5, "confidence": None}}
    run(tiny(**longer, keep_journals=True), tmp_path / "whole")
    one, other = bits(tmp_path / "run"), bits(tmp_path / "whole")
    assert one.keys() == other.keys()
    assert {name for name in one if one[name] != other[name]} <= {name for name in one if name.endswith(".journal")}
