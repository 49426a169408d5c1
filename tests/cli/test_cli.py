"""The command line: it starts quickly, reports each mistake in one line, and returns documented exit codes."""

import json
import os
import resource
import runpy
import statistics
import subprocess
import sys
import warnings
from unittest.mock import Mock

import pytest
from helpers.commands import call
from helpers.experiments import KIT

import fooldeap
from fooldeap import cli
from fooldeap.errors import FooldeapWarning, InputError, PluginError, RunError
from fooldeap.runs import api

LIGHT = [["--help"], [], ["run", "--help"], ["plugins"], ["plugins", "list"], ["plugins", "show", "keras"]]
HEAVY = {"tensorflow", "keras", "matplotlib", "deap", "scipy", "h5py"}


def seconds(*command):
    """Return the CPU time of a command, which other processes affect less than its duration."""
    begun = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *command], check=True, capture_output=True)
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended.ru_utime + ended.ru_stime - begun.ru_utime - begun.ru_stime


# --- Start ------------------------------------------------------------------------------------------------------------


def test_help_and_lists_import_no_large_package(tmp_path):
    program = f"""
import json, sys
from fooldeap.cli import main
for words in {LIGHT!r}:
    try:
        main(words)
    except SystemExit as exit:
        print("\\n" + json.dumps([words, exit.code, sorted({HEAVY!r} & set(sys.modules))]))
"""
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path)
    assert shown.stderr == ""
    ended = [json.loads(line) for line in shown.stdout.splitlines() if line.startswith("[[")]
    assert ended == [[words, 0, []] for words in LIGHT]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_help_and_lists_start_quickly():
    # Relative to `import numpy`. Medians of five rounds, after a warm-up.
    shown = [["--help"], ["plugins", "list"], ["plugins", "show", "keras"]]
    commands = [["-c", "import numpy"], *(["-m", "fooldeap", *words] for words in shown)]
    _, *rounds = [[seconds(*command) for command in commands] for _ in range(6)]
    numpy, *ours = (statistics.median(times) for times in zip(*rounds, strict=True))
    assert max(ours) <= 8 * numpy


# --- Output -----------------------------------------------------------------------------------------------------------


def test_help_is_shown_without_arguments(capsys):
    assert call() == 0
    shown = capsys.readouterr()
    assert shown.out.startswith("Usage: ")
    assert "plugins  List the plugins" in shown.out
    assert shown.err == ""
    assert call("--help") == call("-h") == 0
    assert capsys.readouterr().out == 2 * shown.out
    assert call("plugins") == 0
    assert capsys.readouterr().out.startswith("Usage: ")


def test_help_is_plain_text_of_80_columns(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    for command in ([], ["run"], ["train"], ["plugins"], ["plugins", "list"], ["plugins", "show"]):
        assert call(*command, "--help") == 0
        shown = capsys.readouterr().out
        assert max(map(len, shown.splitlines())) <= 80
        assert shown.isascii()
        assert "..." not in shown.replace("KEY=VALUE]...", "").replace("[ARGS]...", "")


def test_plugins_are_listed_and_shown(capsys):
    assert call("plugins", "list") == 0
    assert "\nmutation\n  adaptive_mixed " in capsys.readouterr().out
    assert call("plugins", "list", "genome") == 0
    assert capsys.readouterr().out.startswith("genome\n  ")
    assert call("plugins", "show", "tournament") == 0
    assert capsys.readouterr().out.startswith("selection tournament\n\nTake the fittest")
    assert call("plugins", "show", "selection/tournament") == 0


def test_plugins_of_a_file_are_listed_and_shown(capsys, tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(
        "from fooldeap.plugin import mutation\n\n\n@mutation('mine')\ndef mine(genomes, rng):\n"
        "    '''Do nothing.'''\n    return genomes\n"
    )
    assert call("plugins", "list", "mutation", "--plugins", str(file)) == 0
    assert "  mine " in capsys.readouterr().out
    assert call("plugins", "show", "mine", "--plugins", str(file)) == 0
    assert str(file) in capsys.readouterr().out.replace("\n        ", "")


def test_a_closed_pipe_does_not_stop_a_command(tmp_path):
    small = ["classifier=tiny", "targets=[3]", "stop.generations=2", "report=false", "--plugins", str(KIT)]
    run = ["run", "configs/mnist.yaml", *small, "--out", str(tmp_path / "run")]
    program = "import sys; from fooldeap.cli import main; main(sys.argv[1:])"
    for arguments in (["plugins", "list"], run):
        reader, writer = os.pipe()
        os.close(reader)
        ended = subprocess.run([sys.executable, "-c", program, *arguments], stdout=writer, stderr=writer)
        os.close(writer)
        assert ended.returncode == 0
    assert (tmp_path / "run" / "result.json").is_file()


# --- Mistakes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run"], "no experiment given; name a YAML file: fooldeap run configs/mnist.yaml"),
        (["run", "x.yaml"], "no file 'x.yaml'; name a YAML file"),
        (["run", "seed=3"], "no file 'seed=3'; name a YAML file"),
        (
            ["run", "x.yaml", "--resume", "y"],
            "--resume cannot be combined with CONFIG or --out; the folder contains its configuration",
        ),
        (
            ["run", "--resume", "y", "--out", "z"],
            "--resume cannot be combined with CONFIG or --out; the folder contains its configuration",
        ),
        (["run", "x.yaml", "--force"], "--force works only together with --resume DIR; leave it out"),
        (["run", "--resume", "y"], "y: has no config.yaml; name a folder of 'fooldeap run'"),
        (["report", "x" * 300], f"{'x' * 300}/audit.yaml: the file name is too long"),
        (["plugins", "show", "gausian"], "no plugin is named 'gausian'; did you mean 'gaussian'?"),
        (["plugins", "list", "mutations"], "no kind of plugin is named 'mutations'; did you mean 'mutation'?"),
        (["plugins", "list", "--plugins", "nowhere"], "plugins: no file or folder 'nowhere'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_usage_error_is_one_line(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert call(*arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == f"fooldeap: {message}\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["runn"], "runn"),
        (["--version=3"], "--version"),
        (["run", "x.yaml", "--ouut", "y"], "--ouut"),
        (["run", "x.yaml", "--out"], "--out"),
        (["run", "x.yaml", "--quiet=1"], "--quiet"),
        (["plugins", "shwo"], "shwo"),
        (["plugins", "show"], "NAME"),
        (["plugins", "show", "keras", "csv"], "csv"),
        (["train"], "CONFIG"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_usage_error_that_typer_finds_is_one_line(arguments, message, capsys):
    assert call(*arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("fooldeap: ")
    assert shown.err.count("\n") == 1
    assert message in shown.err


@pytest.mark.parametrize(
    ("error", "code", "output"),
    [
        (InputError("one\ntwo"), 2, "fooldeap: one\nfooldeap: two\n"),
        (RunError("broke"), 1, "fooldeap: broke\n"),
        (PluginError("mutation 'x' broke"), 1, "fooldeap: mutation 'x' broke\n"),
        (KeyboardInterrupt(), 130, "fooldeap: interrupted\n"),
    ],
)
def test_the_type_of_error_determines_the_exit_code(error, code, output, capsys, monkeypatch):
    def fail(*arguments, **more):
        raise error

    monkeypatch.setattr(api, "run", fail)
    assert call("run", "x.yaml") == code
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.lstrip("\n") == output


def test_an_interrupted_import_shows_no_traceback(capsys, monkeypatch):
    class Interrupting:
        def find_spec(self, name, path=None, target=None):
            if name == "fooldeap.cli":
                raise KeyboardInterrupt

    monkeypatch.setattr(sys, "meta_path", [Interrupting(), *sys.meta_path])
    monkeypatch.delitem(sys.modules, "fooldeap.cli")
    monkeypatch.delattr(fooldeap, "cli")
    with pytest.raises(SystemExit) as exit_:
        runpy.run_module("fooldeap", run_name="__main__")
    assert exit_.value.code == 130
    assert capsys.readouterr().err == "fooldeap: interrupted\n"


def test_messages_contain_no_control_characters():
    assert str(InputError("names \x1b[2J\n\x07: missing")) == "names \\x1b[2J\n\\x07: missing"


def test_only_warnings_of_fooldeap_are_shown(capsys, monkeypatch):
    def warn(*arguments, **more):
        """Warn twice, and return a result without failures."""
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.showwarning = cli._show_warning
            warnings.warn("look here", FooldeapWarning, stacklevel=1)
            warnings.warn("old function", DeprecationWarning, stacklevel=1)
        return Mock(failures={})

    monkeypatch.setattr(api, "run", warn)
    assert call("run", "x.yaml") == 0
    assert capsys.readouterr().err == "fooldeap: warning: look here\n"


def test_the_module_can_be_run():
    module = subprocess.run(
        [sys.executable, "-m", "fooldeap", "plugins", "show", "nothing"], capture_output=True, text=True
    )
    assert module.returncode == 2
    assert module.stderr.startswith("fooldeap: no plugin is named 'nothing'")


# --- Completion -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "completions"),
    [
        ("fooldeap ver", ["verify"]),
        ("fooldeap run --no", ["--no-plugins", "--no-images"]),
        ("fooldeap plugins show one_", ["one_fifth", "one_plus_one", "one_point"]),
        ("fooldeap plugins list cl", ["classifier"]),
        ("fooldeap run conf", []),  # the shell completes files
    ],
)
def test_the_shell_completes_commands_options_and_plugins(line, completions, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["fooldeap"])
    request = {"_FOOLDEAP_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(line.split()) - 1)}
    for name, value in request.items():
        monkeypatch.setenv(name, value)
    assert call() == 0
    shown = capsys.readouterr()
    assert shown.out.split() == completions
    assert shown.err == ""
