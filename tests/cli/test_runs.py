"""The command `runs`: one line for each folder, whatever its state."""

import json
import os
import shutil
import socket

import pytest
from helpers.commands import call
from helpers.experiments import run, tiny


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A finished run."""
    folder = tmp_path_factory.mktemp("runs") / "made"
    run(tiny(targets=[0, 2], stop={"evaluations": 40, "confidence": 0.999999}, reporters=["images"]), folder)
    return folder


def lines(folder, capsys):
    assert call("runs", folder) == 0
    return capsys.readouterr().out.splitlines()


def test_a_finished_run_has_its_outcome(made, tmp_path, capsys):
    shutil.copytree(made, tmp_path / "a/001")
    (line,) = lines(tmp_path, capsys)
    assert line.startswith(f"{tmp_path / 'a/001'}  ")
    assert line.endswith("  run  finished  0 of 2 reached the goal; 80 evaluations")


def test_an_unfinished_run_has_the_command_that_resumes_it(made, tmp_path, capsys):
    shutil.copytree(made, tmp_path / "cut")
    (tmp_path / "cut/SHA256SUMS").unlink()
    (line,) = lines(tmp_path, capsys)
    assert line.endswith(f"  run  unfinished  resume it: fooldeap run --resume {tmp_path / 'cut'}")


@pytest.mark.parametrize("state", ["running", "finished"])
def test_a_run_in_use_is_running(made, tmp_path, capsys, state):
    process = os.getpid() if state == "running" else 2**22 + 1  # larger than any process ID
    shutil.copytree(made, tmp_path / "busy")
    owner = {"process": process, "host": socket.gethostname(), "since": "now"}
    (tmp_path / "busy/.lock").write_text(json.dumps(owner))
    (line,) = lines(tmp_path, capsys)
    assert line.split()[4] == state


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"runs": [{}]}', '{"runs": 3, "evaluations": 1}', "\0"])
def test_a_damaged_result_is_named(made, tmp_path, capsys, content):
    shutil.copytree(made, tmp_path / "bad")
    (tmp_path / "bad/result.json").write_text(content)
    (line,) = lines(tmp_path, capsys)
    assert line.endswith("  finished  result.json is damaged; restore it from a copy")


def test_folders_of_others_and_folders_inside_are_left_out(made, tmp_path, capsys):
    shutil.copytree(made, tmp_path / "outer")
    shutil.copytree(made, tmp_path / "outer/inner")
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs/config.yaml").write_text("name: another program")
    (line,) = lines(tmp_path, capsys)
    assert line.startswith(f"{tmp_path / 'outer'}  ")


def test_the_oldest_folder_is_first(made, tmp_path, capsys):
    for name, time in (("b", 1_000_000_000), ("a", 1_100_000_000)):
        shutil.copytree(made, tmp_path / name)
        os.utime(tmp_path / name / "result.json", (time, time))
    assert [line.split()[0] for line in lines(tmp_path, capsys)] == [str(tmp_path / "b"), str(tmp_path / "a")]


def test_without_folders_the_list_is_empty(tmp_path, capsys):
    assert lines(tmp_path, capsys) == [f"{tmp_path}: contains no run, study, retraining, audit or tuning"]


def test_a_missing_folder_is_refused(tmp_path, capsys):
    assert call("runs", tmp_path / "none") == 2
    assert capsys.readouterr().err == f"fooldeap: no folder '{tmp_path / 'none'}'; name a folder that contains runs\n"
