"""Other systems: macOS, which has no `os.sched_getaffinity`, and Windows, which is refused in one line."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow


def python(script, folder):
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", script], cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("words", [["doctor"], ["run", "it.yaml", "targets=[1]"]], ids=lambda words: words[0])
def test_serial_runs_and_doctor_work_without_sched_getaffinity(tmp_path, words):
    (tmp_path / "it.yaml").write_text("classifier: {name: keras, model: mnist_lenet}\nstop: {evaluations: 100}\n")
    script = f"import os, sys\ndel os.sched_getaffinity\nsys.argv = {['fooldeap', *words]!r}\n"
    done = python(f"{script}from fooldeap.cli import main\nmain()", tmp_path)
    assert "sched_getaffinity" not in done.stdout + done.stderr
    assert done.returncode == 0, done.stdout + done.stderr
    assert ("cores can be used" if words[0] == "doctor" else "evaluations") in done.stdout


def test_windows_is_refused_in_one_line(tmp_path):
    done = python("import sys\nsys.platform = 'win32'\nfrom fooldeap.cli import main", tmp_path)
    assert done.returncode == 1
    assert done.stderr == (
        "fooldeap: runs on Linux and macOS, not on Windows; use the Windows Subsystem for Linux (WSL)\n"
    )
