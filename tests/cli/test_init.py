"""The command `init`: the commands in the written README work."""

import re
import shlex
import subprocess
import sys

import pytest
from helpers.commands import call

COMMANDS = r"^\$ fooldeap (.*)$"


@pytest.mark.slow
def test_the_commands_of_the_readme_work(tmp_path, monkeypatch, capsys):
    assert call("init", str(tmp_path / "mine")) == 0
    assert capsys.readouterr().out.endswith(f"Next: cd {tmp_path / 'mine'} && fooldeap run experiment.yaml\n")
    monkeypatch.chdir(tmp_path / "mine")
    commands = re.findall(COMMANDS, (tmp_path / "mine/README.md").read_text(), re.MULTILINE)
    assert {command.split()[0] for command in commands} == {"run", "plugins", "compare"}
    for command in commands:
        assert call(*shlex.split(command)) == 0, command
    assert (tmp_path / "mine/runs/first/003/result.json").is_file()
    test = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_my_mutation.py"]
    assert subprocess.run(test, check=False, capture_output=True).returncode == 0


def test_the_folder_name_is_quoted_for_the_shell(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert call("init", "bad name; it's") == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert shlex.split(last.removeprefix("Next: ")) == [
        "cd",
        "bad name; it's",
        "&&",
        "fooldeap",
        "run",
        "experiment.yaml",
    ]


def test_hidden_files_are_ignored(tmp_path, monkeypatch, capsys):
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    assert call("init") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "Next: fooldeap run experiment.yaml"
    names = {".git", "README.md", "experiment.yaml", "my_mutation.py", "test_my_mutation.py"}
    assert {path.name for path in tmp_path.iterdir()} == names
    (tmp_path / "test_my_mutation.py").unlink()  # as after an interruption
    assert call("init") == 0
    assert {path.name for path in tmp_path.iterdir()} == names
    (tmp_path / "README.md").write_text("mine")
    capsys.readouterr()
    assert call("init") == 2
    assert capsys.readouterr().err == (
        "fooldeap: .: already contains 'README.md'; name a new or an empty folder: fooldeap init DIR\n"
    )


@pytest.mark.parametrize(
    ("existing", "message"),
    [
        ("taken/notes.txt", "already contains 'notes.txt'; name a new or an empty folder"),
        ("taken", "cannot be written (File exists); name a new or an empty folder"),
    ],
)
def test_nothing_is_overwritten(existing, message, tmp_path, capsys):
    path = tmp_path / existing
    path.parent.mkdir(exist_ok=True)
    path.write_text("mine")
    assert call("init", str(tmp_path / "taken")) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert message in shown.err
    assert shown.err.count("\n") == 1
    assert [each.read_text() for each in tmp_path.rglob("*") if each.is_file()] == ["mine"]
