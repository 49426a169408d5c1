"""Applications are separate packages: without one of them, fooldeap still runs experiments."""

import os
import shutil
import subprocess
import sys

import pytest
from conftest import ROOT

ALWAYS = ("doctor", "export", "init", "plugins", "report", "run", "schema", "verify")
COMMANDS = {"report": None, "study": "compare", "audit": "audit", "retrain": "retrain", "training": "train"}


@pytest.fixture(params=COMMANDS)
def without(request, tmp_path):
    """Return an application, and a function that runs fooldeap in a copy of the tree that lacks its package."""
    shutil.copytree(ROOT / "fooldeap", tmp_path / "fooldeap", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "fooldeap_plugins").symlink_to(ROOT / "plugins")
    shutil.rmtree(tmp_path / "fooldeap" / request.param)

    def call(*words):
        environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
        command = [sys.executable, "-m", "fooldeap", *words]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)

    return request.param, call


def test_the_other_commands_work_without_an_application(without, tmp_path):
    application, call = without
    done = call("run", str(ROOT / "configs/mnist.yaml"), "stop.evaluations=500", "--out", "run", "--quiet")
    assert done.returncode == 0, done.stderr
    assert call("verify", "run", "--sample", "2").returncode == 0
    if application != "report":
        assert call("report", "run").returncode == 0
    assert call("export", "run", "--npz", "images.npz").returncode == 0
    assert (tmp_path / "images.npz").is_file()
    listed = call("--help").stdout.partition("Commands:")[2]
    commands = [line.split()[0] for line in listed.splitlines() if line.startswith("  ") and line[2] != " "]
    assert sorted(commands) == sorted({*ALWAYS, *COMMANDS.values()} - {COMMANDS[application], None})
