"""Applications are separate packages: without one of them, fooldeap still runs experiments."""

import shutil
import subprocess
import sys

import pytest
from helpers.experiments import KIT, ROOT

ALWAYS = {"doctor", "export", "init", "plugins", "report", "run", "runs", "schema", "verify"}
# By package: the command that is missing without it.
APPLICATIONS = {
    "report": None,
    "sweeps": None,
    "study": "compare",
    "audit": "audit",
    "retrain": "retrain",
    "training": "train",
    "tuning": "tune",
}
PROGRAM = """
import shlex, sys
sys.meta_path[:] = [each for each in sys.meta_path if getattr(each, "__name__", "") != "_EditableFinder"]
sys.path.insert(0, sys.argv[1])
from fooldeap.cli import main
for words in sys.argv[2:]:
    try:
        main(shlex.split(words))
    except SystemExit as exit_:
        if exit_.code:
            raise
"""


@pytest.mark.slow
@pytest.mark.parametrize("application", APPLICATIONS)
def test_the_other_commands_work_without_an_application(application, tmp_path):
    shutil.copytree(ROOT / "fooldeap", tmp_path / "fooldeap", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "fooldeap_plugins").symlink_to(ROOT / "plugins")
    shutil.rmtree(tmp_path / "fooldeap" / application)
    words = [
        f"run {ROOT / 'configs/mnist.yaml'} classifier=tiny --plugins {KIT} stop.evaluations=500 --out run --quiet",
        "verify run --sample 2",
        "export run --npz images.npz",
        *(["report run"] if application != "report" else []),
        "--help",
    ]
    command = [sys.executable, "-c", PROGRAM, str(tmp_path), *words]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "images.npz").is_file()
    assert (tmp_path / "run/report.html").is_file() == (application != "report")
    listed = done.stdout.partition("Commands:")[2]
    commands = {line.split()[0] for line in listed.splitlines() if line.startswith("  ") and line[2] != " "}
    assert commands == {*ALWAYS, *APPLICATIONS.values()} - {APPLICATIONS[application], None}
