"""Applications are separate packages: without one of them, fooldeap still runs experiments."""

import shutil
import subprocess
import sys

import pytest
from conftest import ROOT

# The package of each application, and the commands that need it.
APPLICATIONS = {
    "study": {"compare", "retrain"},
    "audit": {"audit"},
    "retrain": {"retrain"},
    "training": {"train", "retrain"},
}
COMMANDS = ("audit", "compare", "doctor", "export", "init", "plugins", "report", "retrain", "run", "schema", "train")


@pytest.fixture(params=APPLICATIONS)
def without(request, tmp_path):
    """Return an application, and a function that runs fooldeap in a copy of the tree that lacks its package."""
    shutil.copytree(ROOT / "fooldeap", tmp_path / "fooldeap", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "fooldeap_plugins").symlink_to(ROOT / "plugins")
    shutil.rmtree(tmp_path / "fooldeap" / request.param)

    def call(*words):
        program = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from fooldeap.cli import main; main(sys.argv[1:])"
        return subprocess.run([sys.executable, "-c", program, *words], cwd=tmp_path, capture_output=True, text=True)

    return request.param, call


def test_the_other_commands_work_without_an_application(without, tmp_path):
    application, call = without
    done = call("run", str(ROOT / "configs/mnist.yaml"), "stop.evaluations=500", "--out", "run", "--quiet")
    assert done.returncode == 0, done.stderr
    assert call("verify", "run", "--sample", "2").returncode == 0
    assert call("report", "run").returncode == 0
    assert call("export", "run", "--npz", "images.npz").returncode == 0
    assert (tmp_path / "images.npz").is_file()
    for command in COMMANDS:
        shown = call(command, "--help")
        missing = command in APPLICATIONS[application]
        assert shown.returncode == (2 if missing else 0), shown.stderr
        assert not missing or f"No such command '{command}'" in shown.stderr
