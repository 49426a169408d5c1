"""Files that cannot be written: one line, exit 1, no corrupt folder, nothing lost, resumed to the same bits."""

import os
import resource
import shutil
import subprocess
import sys

import pytest
from failing import KINDS, Small, calls, check_is_one_line, descriptors, failing, is_of_a_source, sample
from helpers.experiments import KIT, ROOT, bits

import fooldeap
from fooldeap import cli
from fooldeap.errors import FileError, FooldeapError, InputError, RunError
from fooldeap.runs.folder import problems_in
from fooldeap.runs.run_folder import RunFolder
from fooldeap.study import figures

pytestmark = pytest.mark.slow

CASES = 10  # of a kind


def raised_by(work):
    """Return the error that a piece of work ends with, if it does; one that is not told to users is raised."""
    try:
        work()
    except FooldeapError as error:
        return error
    return None


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return Small(tmp_path_factory.mktemp("small"))


# --- Experiments ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_at_every_call_of_a_run(small, tmp_path, monkeypatch, kind):
    every = calls(kind, lambda: small.go_on(small.new(tmp_path / "counted")))
    before, raised = descriptors(), 0
    for number in sample(range(1, every + 1), CASES, kind):
        path = small.new(tmp_path / f"{number}")
        with monkeypatch.context() as patch:
            layer = failing(patch, kind, number)
            error = raised_by(lambda path=path: small.go_on(path))
        if error is not None:
            check_is_one_line(error, path)
            raised += 1
        assert layer.failed, f"call {number} of {every} was never made"
        small.check_ends_well(path)
        shutil.rmtree(path)
    assert descriptors() == before
    assert raised or kind == "short write"
    assert not raised or kind != "short write", "it is completed"


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_while_the_folder_is_made(small, tmp_path, monkeypatch, kind):
    def made(path):
        return RunFolder.create(small.experiment, path)

    for number in range(1, calls(kind, lambda: made(tmp_path / "counted")) + 1):
        path = tmp_path / f"{number}"
        with monkeypatch.context() as patch:
            failing(patch, kind, number)
            error = raised_by(lambda path=path: made(path))
        if error is not None:
            assert isinstance(error, InputError)
            check_is_one_line(error, path)
            assert "choose another --out" in str(error) or is_of_a_source(error)
        if not (path / "config.yaml").exists():
            path = tmp_path / f"{number}-again"
            made(path)
        small.check_ends_well(path)


def test_a_fault_while_it_is_resumed(small, tmp_path, monkeypatch):
    """The folder is of a session that was interrupted: nothing of it is lost by the next one."""
    kind = "full disk"
    small.unfinished(tmp_path / "unfinished")
    kept = {path.name: path.read_bytes() for path in tmp_path.glob("unfinished/journal/*")}
    every = calls(kind, lambda: small.go_on(small.new(tmp_path / "counted", tmp_path / "unfinished")))
    for number in sample(range(1, every + 1), CASES, "resumed"):
        path = small.new(tmp_path / f"{number}", tmp_path / "unfinished")
        with monkeypatch.context() as patch:
            failing(patch, kind, number)
            with pytest.raises(FileError) as raised:
                small.go_on(path)
        check_is_one_line(raised.value, path)
        for name, content in kept.items():  # all but the record that was cut short
            assert (path / "journal" / name).read_bytes()[: len(content) - 500] == content[: len(content) - 500]
        small.check_ends_well(path)


def test_a_later_failure_keeps_a_finished_result(small, tmp_path, monkeypatch):
    path = small.new(tmp_path / "run", small.whole)
    monkeypatch.setattr("fooldeap.runs.run_folder.RunFolder.finished", False)  # as if somebody made it again
    for kind in KINDS:
        with monkeypatch.context() as patch:
            failing(patch, kind, 30)
            error = raised_by(lambda: small.go_on(path))
        if error is not None:
            check_is_one_line(error, path)
        assert bits(path)["result.json"] == small.bits["result.json"]


def test_error_is_reported_if_its_traceback_cannot_be_written(tmp_path, monkeypatch):
    small = Small(tmp_path, stop={"evaluations": 60, "confidence": None})
    path = small.new(tmp_path / "run")

    def fails(*arguments):
        failing(monkeypatch, "full disk", 1)
        raise ZeroDivisionError("no luck")

    monkeypatch.setattr("fooldeap_plugins.reporter.csv.Csv.on_run_end", fails)
    with pytest.raises(
        RunError, match=r"^reporter 'csv' raised ZeroDivisionError in on_run_end: no luck; its traceback"
    ):
        small.go_on(path)


# --- Folders that go away, or cannot be written ---------------------------------------------------------------------


@pytest.mark.parametrize("generation", [0, 3, 7])
def test_a_folder_that_vanishes_while_it_runs(small, tmp_path, monkeypatch, generation):
    path = small.new(tmp_path / "run")

    def vanishes(reporter, run, row):
        if row.generation == generation:
            shutil.rmtree(path, ignore_errors=True)

    monkeypatch.setattr("fooldeap_plugins.reporter.images.Images.on_generation", vanishes)
    with pytest.raises(FileError, match="; restore its folder, then resume with: ") as raised:
        small.go_on(path)
    check_is_one_line(raised.value, path)
    assert not path.exists(), "it is not made anew"


def test_a_folder_that_may_not_be_written(small, tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere; see 'read-only' above")
    path = small.new(tmp_path / "run")
    path.chmod(0o500)
    try:
        with pytest.raises(FileError, match="make its folder writable, then resume with: ") as raised:
            small.go_on(path)
    finally:
        path.chmod(0o700)
    check_is_one_line(raised.value, path)
    small.check_ends_well(path)


@pytest.mark.parametrize("limit", [900, 2500, 6000])
def test_the_command_at_the_kernels_own_limit(tmp_path, limit):
    """The limit of a file's size: a real short write, and then a real error, of a real process."""
    words = ["classifier=tiny", "targets=[0,1]", "stop.evaluations=400", "stop.confidence=null", "reporters=[csv]"]
    command = [sys.executable, "-m", "fooldeap", "run", str(ROOT / "configs/mnist.yaml"), *words, "--quiet"]
    done = subprocess.run(
        [*command, "--plugins", str(KIT), "--out", str(tmp_path / "run")],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        capture_output=True,
        text=True,
    )
    (line,) = done.stderr.splitlines()
    assert "raise the limit of file sizes (ulimit -f)" in line
    if not (tmp_path / "run/config.yaml").exists():
        assert done.returncode == 2
        return
    assert done.returncode == 1
    assert line.endswith(f"then resume with: fooldeap run --resume {tmp_path / 'run'}")
    fooldeap.resume(tmp_path / "run", quiet=True)
    fooldeap.run(ROOT / "configs/mnist.yaml", *words, plugins=[KIT], out=tmp_path / "whole", quiet=True)
    assert bits(tmp_path / "run") == bits(tmp_path / "whole")


def test_the_command_tells_one_line_and_exits_with_1(small, tmp_path, monkeypatch, capsys):
    path = small.new(tmp_path / "run")
    failing(monkeypatch, "full disk", 40)
    with pytest.raises(SystemExit) as exit_:
        cli.main(["run", "--resume", str(path)])
    (line,) = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("fooldeap: runs the plug")]
    assert exit_.value.code == 1
    assert line.startswith(f"fooldeap: {path}/")
    assert "cannot be written (No space left on device); free some space, then resume with: fooldeap run" in line


# --- Links ----------------------------------------------------------------------------------------------------------

FILES = ("journal/seed1-target0.journal", "timings.csv", "log.csv", "config.yaml", "images/0.png", "environment.json")


@pytest.mark.parametrize("name", [*FILES, "images", "journal", ".lock", "result.json", "new"])
def test_a_link_in_a_folder_leads_nowhere(small, tmp_path, name):
    path, outside = small.unfinished(tmp_path / "run"), tmp_path / "outside"
    here = path / name
    here.parent.mkdir(exist_ok=True)
    if name in ("images", "journal"):
        shutil.rmtree(here, ignore_errors=True)
        outside.mkdir()
        (outside / "0.png").write_text("precious")
    else:
        outside.write_text("precious")
        here.unlink(missing_ok=True)
    here.symlink_to(outside)
    with pytest.raises(InputError, match="is a symbolic link, and links are not followed; remove it") as raised:
        small.go_on(path)
    assert str(here) in str(raised.value)
    kept = outside / "0.png" if outside.is_dir() else outside
    assert kept.read_text() == "precious"


@pytest.mark.parametrize(
    "name", ["timings.csv", "log.csv", "journal/seed1-target1.journal", ".lock", "images", "table.md"]
)
def test_a_link_that_comes_while_it_runs_leads_nowhere(small, tmp_path, name, monkeypatch):
    monkeypatch.setattr("fooldeap.runs.folder.strangers", lambda path: [])  # as if it were not there yet
    path, outside = small.new(tmp_path / "run"), tmp_path / "outside"
    outside.mkdir() if name == "images" else outside.write_text("precious")
    (path / name).parent.mkdir(exist_ok=True)
    (path / name).symlink_to(outside)
    if name == "table.md":  # a file that is written as a whole takes the place of the link
        small.go_on(path)
        assert problems_in(path) == []
    else:
        with pytest.raises(
            FileError, match=f"{name}: is a symbolic link, and links are not followed; remove it"
        ) as told:
            small.go_on(path)
        check_is_one_line(told.value, path)
    assert outside.is_dir() or outside.read_text() == "precious"
    assert not outside.is_dir() or not list(outside.iterdir())


def test_a_pipe_is_no_file_of_a_run(small, tmp_path):
    path = small.unfinished(tmp_path / "run")
    (path / "timings.csv").unlink()
    os.mkfifo(path / "timings.csv")
    with pytest.raises(InputError, match=r"timings.csv: is not a regular file or folder; remove it"):
        small.go_on(path)


# --- Studies --------------------------------------------------------------------------------------------------------

STUDY = {
    "classifier": "tiny",
    "plugins": [str(KIT)],
    "algorithm": {"name": "generational", "population": 8},
    "vary": {"selection": {"strong": {"name": "tournament", "size": 6}, "none": "random"}},
    "targets": [0, 2],
    "seeds": 1,
    "goal": {"confidence": 0.9999},
    "budget": 60,
}


def study_bits(folder):
    kept = ("runs.csv", "curves.csv", "summary.json", "report.md", "variants/", "figures/", "tables/")
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    named = {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
    return {name: content for name, content in named.items() if name.startswith(kept)}


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_at_every_call_of_a_study(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(figures, "draw", lambda *_: {"convergence.png": b"a picture"})  # seconds of drawing
    every = calls(kind, lambda: fooldeap.compare(STUDY, out=tmp_path / "whole", quiet=True))
    expected = study_bits(tmp_path / "whole")
    for number in sample(range(1, every + 1), 5, kind):
        path = tmp_path / f"{number}"
        with monkeypatch.context() as patch:
            failing(patch, kind, number)
            error = raised_by(lambda path=path: fooldeap.compare(STUDY, out=path, quiet=True))
        if error is not None:
            check_is_one_line(error, path, "compare")
        records = {record: record.read_bytes() for record in path.glob("variants/*/records/*.json")}
        if not (path / "study.yaml").exists():
            path = tmp_path / f"{number}-again"
            fooldeap.compare(STUDY, out=path, quiet=True)
        fooldeap.compare(resume=path, quiet=True)
        assert study_bits(path) == expected
        assert problems_in(path) == []
        assert all(record.read_bytes() == content for record, content in records.items())
        shutil.rmtree(path)
