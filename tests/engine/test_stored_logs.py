"""The logs of large experiments: in files, column by column."""

import csv
import io
import pickle
import shutil
import zipfile

import numpy as np
import pytest
from helpers.experiments import bits, run, tiny
from helpers.resuming import check_resumes_wherever_cut

import fooldeap
from fooldeap.engine import run_files
from fooldeap.engine.evaluation import Evaluator
from fooldeap.engine.evolution import drive
from fooldeap.engine.stored_logs import LogFile
from fooldeap.errors import InputError
from fooldeap.results import LogRow, RunInfo, column_of
from fooldeap.runs import worker_task
from fooldeap.runs.worker_task import RunOutcome

LARGE = {"targets": [2, 1], "seeds": 2, "stop": {"generations": 9, "confidence": None}}
SINGLE = ("best", "mean", "worst", "std", "diversity")  # precision


pytestmark = pytest.mark.usefixtures("small_memory")


@pytest.fixture
def folder(tmp_path):
    run(tiny(**LARGE), tmp_path / "run")
    return tmp_path / "run"


def rounded(rows):
    return [row._replace(**{name: float(np.float32(getattr(row, name))) for name in SINGLE}) for row in rows]


@pytest.mark.parametrize("algorithm", ["generational", "map_elites"])
def test_the_log_is_that_of_an_experiment_in_memory(tmp_path, algorithm):
    experiment = tiny(**LARGE, algorithm={"name": algorithm, "population": 12})
    in_memory, _ = run(experiment)
    stored, _ = run(experiment, tmp_path / "run")
    for one, *others in zip(in_memory, stored, fooldeap.load(tmp_path / "run"), strict=True):
        for other in others:
            assert list(other.log) == rounded(one.log)
            assert len(other.log) == 10
            assert other.log[3] == rounded(one.log)[3]
            assert list(other.log[-2:]) == rounded(one.log)[-2:]
            for name in LogRow.names():
                np.testing.assert_array_equal(column_of(other.log, name), column_of(rounded(one.log), name))


def test_the_folder_has_arrays_instead_of_a_table(folder):
    assert not (folder / "log.csv").exists()
    assert [path.suffix for path in (folder / "journal").iterdir()] == [".journal"] * 4
    with np.load(folder / "log.npz") as file:
        assert file.files == list(LogRow.names())
        assert {len(file[name]) for name in file.files} == {40}


def test_the_table_is_written_on_request_and_in_order(tmp_path):
    experiment = tiny(**LARGE, reporters=[{"name": "csv", "large": True}])
    result, _ = run(experiment, tmp_path / "run")
    rows = list(csv.reader(io.StringIO((tmp_path / "run/log.csv").read_text())))
    assert rows[0] == list(LogRow.names())
    assert rows[1:] == [list(map(str, row.cells())) for each in result for row in each.log]
    assert [row[:3] for row in rows[1:]] == [
        [str(seed), str(target), str(generation)] for seed in (1, 2) for target in (1, 2) for generation in range(10)
    ]


@pytest.mark.parametrize("algorithm", ["generational", "map_elites"])
def test_interrupted_experiments_are_resumed_to_the_same_bits(tmp_path, algorithm):
    experiment = tiny(**LARGE, algorithm={"name": algorithm, "population": 12})
    check_resumes_wherever_cut(experiment, tmp_path, 2)
    assert {"log.npz", "snapshots.npz"} <= bits(tmp_path / "whole").keys()


def test_an_extension_that_makes_an_experiment_large_replaces_its_log(tmp_path, monkeypatch):
    monkeypatch.setattr(worker_task, "MANY_TARGETS", 2)
    monkeypatch.setattr(worker_task, "MOST_IN_MEMORY", 1 << 24)
    run(tiny(**LARGE), tmp_path / "run")
    assert (tmp_path / "run/log.csv").exists()
    fooldeap.resume(tmp_path / "run", "targets=[1, 2, 3]", quiet=True)
    run(tiny(**{**LARGE, "targets": [1, 2, 3]}), tmp_path / "whole")
    assert bits(tmp_path / "run").keys() == bits(tmp_path / "whole").keys()
    assert (tmp_path / "run/log.npz").read_bytes() == (tmp_path / "whole/log.npz").read_bytes()


def test_the_files_of_a_run_on_another_machine_are_written_to_the_folder(tmp_path):
    there, here = tmp_path / "there", tmp_path / "here"
    there.mkdir()
    here.mkdir()
    work = worker_task.WorkerTask({"": tiny(**LARGE)})
    info, evaluator = RunInfo(1, (2,)), Evaluator(work.classifier, work.limit)
    begun = work.run(info, evaluator, journal=there / info.journal)
    (ended,) = [RunOutcome.of(each) for each in drive([begun], evaluator, 1)]
    sent = pickle.loads(pickle.dumps(ended._replace(files=worker_task._files(there, info))))
    (result,) = ended.results
    rows, log, images = list(ended.rows), list(result.log), [each.image for each in result.snapshots]
    shutil.rmtree(there)
    received = sent.moved(here)
    assert {path.name for path in here.iterdir()} == {info.journal, *run_files.names(info)}
    assert list(received.rows) == rows == log == list(received.results[0].log)
    np.testing.assert_array_equal([each.image for each in received.results[0].snapshots], images)
    np.testing.assert_array_equal(received.results[0].image.pixels, images[-1])


def test_a_log_is_read_in_parts(tmp_path, monkeypatch):
    monkeypatch.setattr("fooldeap.engine.stored_logs._ROWS", 5)
    file, rng = LogFile(tmp_path / "x.log", RunInfo(3, (7, 5))), np.random.default_rng(1)
    rows = [LogRow(3, target, each, 10 * each, *rng.random(6)) for each in range(7) for target in (7, 5)]
    for start in range(0, 14, 2):
        file.enter(rows[start].evaluations, np.array([row.cells() for row in rows[start : start + 2]]).T[4:])
    file.close()
    assert list(file) == rows
    assert len(file) == 14
    np.testing.assert_array_equal(file.column("mean", 3, 5), [row.mean for row in rows[1::2]])
    with pytest.raises(ValueError, match="is closed"):
        file.enter(1, np.zeros((6, 2)))


@pytest.mark.parametrize("wrong", ["missing", "dtype", "length", "dimensions", "cut"])
def test_invalid_files_are_refused(folder, wrong):
    path = folder / "log.npz"
    with np.load(path) as file:
        arrays = dict(file)
    changes = {"dtype": arrays["mean"].astype(int), "length": arrays["mean"][1:], "dimensions": arrays["mean"][:, None]}
    arrays["mean"] = changes.get(wrong, arrays["mean"])
    if wrong == "missing":
        del arrays["target"]
    np.savez(path, **arrays)
    if wrong == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    result = fooldeap.runs.run_folder.RunFolder(folder).read_result()
    with pytest.raises(InputError, match=r"log.npz: .*; restore it from a copy"):
        list(result[1, 1].log)


def test_a_column_of_a_later_version_is_not_a_number(folder):
    path = folder / "log.npz"
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files if name != "diversity"}
    np.savez(path, **arrays)
    result = fooldeap.runs.run_folder.RunFolder(folder).read_result()
    assert np.isnan(column_of(result[1, 1].log, "diversity")).all()
    assert len(result[1, 1].log) == 10


def test_columns_are_compressed(folder):
    with zipfile.ZipFile(folder / "log.npz") as archive:
        assert {each.compress_type for each in archive.infolist()} == {zipfile.ZIP_DEFLATED}
