"""Plugins and commands that a file names: announced before they run, and refused if the user wants that."""

import contextlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.commands import call
from helpers.experiments import KIT, TINY
from helpers.parallel import scoop
from hostile import VARIED

import fooldeap
from fooldeap.configuration import config
from fooldeap.configuration.writing import as_yaml
from fooldeap.errors import InputError
from fooldeap.options import Options
from fooldeap.plugin import Command, dataclass, executor
from fooldeap.runs.experiment_session import ExperimentSession
from fooldeap.study import definition

EVIL = "import sys\nopen({marker!r}, 'w').close()\nprint('imported', file=sys.stderr)\n" + (
    "from fooldeap.plugin import mutation\n\n\n@mutation('evil')\ndef evil(images, rng):\n"
    "    '''Do nothing.'''\n    return images\n"
)


@pytest.fixture
def evil(owned, tmp_path):
    """A plugin that makes a file when it is imported, in the folder above the one that one is in."""
    inner = tmp_path / "a/b"
    inner.mkdir(parents=True)
    with contextlib.chdir(inner):
        (tmp_path / "evil.py").write_text(EVIL.format(marker=str(owned)))
        yield tmp_path / "evil.py"


SMALL = as_yaml({**TINY, "mutation": "evil", "targets": [1], "stop": {"evaluations": 30}, "reporters": []})


def named(*plugins):
    return f"plugins: {json.dumps([str(KIT), *map(str, plugins)])}\n"


@pytest.mark.parametrize(("command", "more"), [("run", ""), ("compare", VARIED)])
@pytest.mark.parametrize("quiet", [[], ["--quiet"]])
def test_a_plugin_that_a_file_names_is_announced_before_it_is_imported(evil, capfd, command, more, quiet):
    Path("mail.yaml").write_text(SMALL + more + named("../../evil.py"))
    assert call(command, "mail.yaml", "seeds=2", *quiet) == 0
    said = capfd.readouterr().err.splitlines()
    told = [f"fooldeap: runs the plugins in {path}, named in mail.yaml" for path in (KIT, evil)]
    assert [line for line in said if line in (*told, "imported")] == [*told, "imported"]


@pytest.mark.parametrize(("command", "more"), [("run", ""), ("compare", VARIED)])
def test_plugins_that_a_file_names_can_be_refused(evil, owned, capfd, command, more):
    Path("mail.yaml").write_text(named("../../evil.py") + SMALL + more)
    assert call(command, "mail.yaml", "--no-plugins") == 2
    assert capfd.readouterr().err == (
        f"fooldeap: mail.yaml:1:11: plugins[0]: runs the plugins in {KIT}, which --no-plugins forbids; check it, "
        "then omit --no-plugins or give it on the command line\n"
    )
    assert not owned.exists()
    assert not Path("runs").exists()


def test_plugins_in_the_base_of_a_file_are_its_own(evil, owned, capfd):
    Path("base.yaml").write_text("plugins: [../../evil.py]\n")
    Path("mail.yaml").write_text("base: base.yaml\n")
    assert call("run", "mail.yaml", "--no-plugins") == 2
    assert "fooldeap: base.yaml:1:11: plugins[0]: runs the plugins in " in capfd.readouterr().err
    assert not owned.exists()


@pytest.mark.parametrize("name", ["command line", "argument", "defaults", "budget"])
def test_a_file_cannot_pass_for_the_user_by_its_name(evil, owned, capfd, name):
    Path(name).write_text("plugins: [../../evil.py]\n")
    Path("mail.yaml").write_text(f"base: {name}\n")
    for file in (name, "mail.yaml"):
        assert call("run", file, "--no-plugins") == 2
        assert f"fooldeap: {name}:1:11: plugins[0]: runs the plugins in" in capfd.readouterr().err
    assert not owned.exists()


def test_plugins_on_the_command_line_are_not_announced(evil, capfd):
    Path("mine.yaml").write_text(SMALL)
    assert call("run", "mine.yaml", "--plugins", KIT, "--plugins", evil, "--no-plugins", "--quiet") == 0
    assert call("run", "mine.yaml", "--plugins", KIT, f"plugins=[{evil}]", "--no-plugins", "--quiet") == 0
    fooldeap.run("mine.yaml", plugins=[KIT, evil], no_plugins=True, quiet=True)
    assert capfd.readouterr().err == "imported\n"


def test_compiled_files_beside_a_plugin_are_ignored(evil, owned, capfd):
    import importlib.util
    import py_compile

    compiled = importlib.util.cache_from_source(str(evil))
    py_compile.compile(str(evil), compiled, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    evil.write_text(EVIL.format(marker="x").partition("\nprint")[2].partition("\n")[2])  # what one looks at is harmless
    Path("mail.yaml").write_text(SMALL + named(evil))
    assert call("run", "mail.yaml", "--quiet") == 0
    assert not owned.exists()
    evil.with_suffix(".pyc").write_bytes(Path(compiled).read_bytes())
    Path("mail.yaml").write_text(SMALL + named(evil.with_suffix(".pyc")))
    assert call("run", "mail.yaml") == 2
    assert "its name must end in .py" in capfd.readouterr().err


def test_workers_take_no_module_of_the_current_folder(owned, tmp_path):
    for module in ("json", "socket", "numpy", "keras", "scoop", "fooldeap", "fooldeap_plugins", "sitecustomize"):
        Path(f"{module}.py").write_text(f"open({str(owned)!r}, 'w').close()\n")
    data = {**TINY, "plugins": [str(KIT)], "classifier": {"name": "slow", "pause": 0.001}}
    data["executor"] = scoop(2, "runs")
    with ExperimentSession(
        config.load({**data, "targets": [1, 2], "stop": {"generations": 3}, "reporters": []})
    ) as ready:
        ready.executor.wait()
        ready.run(None)
        assert len(ready.dispatcher.done) == 2
    assert not owned.exists()


def test_figures_are_not_drawn_as_the_current_folder_has_it(owned, tmp_path):
    Path("matplotlibrc").write_text("text.usetex: True\nbackend: module://evil\nsavefig.format: svg\n")
    Path("evil.py").write_text(f"open({str(owned)!r}, 'w').close()\n")
    data = {**TINY, "plugins": [str(KIT)], "targets": [1], "stop": {"evaluations": 30}, "reporters": ["figures"]}
    Path("mail.yaml").write_text(as_yaml(data))
    run = [sys.executable, "-P", "-m", "fooldeap", "run", "mail.yaml", "--out", "out", "--quiet"]
    ended = subprocess.run(run, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert Path("out/figures/growth.png").read_bytes().startswith(b"\x89PNG")
    assert not owned.exists()


@pytest.mark.parametrize(("file", "option"), [("config.yaml", "run"), ("study.yaml", "compare")])
def test_plugins_of_a_foreign_folder_are_refused_and_not_run(evil, owned, capfd, file, option):
    Path("mail").mkdir()
    Path("mail", file).write_text(SMALL + (VARIED if option == "compare" else "") + named("../../../evil.py"))
    assert call(option, "--resume", "mail", "--no-plugins") == 2
    assert f"fooldeap: mail/{file}:" in capfd.readouterr().err
    assert not owned.exists()
    assert [path.name for path in Path("mail").iterdir()] == [file]
    assert call(option, "--resume", "mail", "--quiet") == 0
    assert f"fooldeap: runs the plugins in {evil}, named in mail/{file}\n" in capfd.readouterr().err


def test_python_can_refuse_plugins_too(evil, owned):
    Path("mail.yaml").write_text(SMALL + named(evil))
    for load in (fooldeap.run, fooldeap.toolbox, fooldeap.compare):
        with pytest.raises(InputError, match="which --no-plugins forbids"):
            load("mail.yaml", no_plugins=True)
    assert not owned.exists()


def test_commands_that_a_file_names_are_announced_or_refused(capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    @executor("farm")
    @dataclass(kw_only=True)
    class Farm:
        """Nothing."""

        run: Command = "true"

    Path("mail.yaml").write_text("executor: {name: farm, run: rm -r}\n")
    with pytest.raises(InputError, match=r"mail\.yaml:1:.*which --no-plugins forbids"):
        config.load("mail.yaml", plugins=[Farm], options=Options(no_plugins=True))
    config.load("mail.yaml", plugins=[Farm])
    assert "fooldeap: uses executor.run: rm -r, named in mail.yaml\n" in capfd.readouterr().err
    given = ["executor={name: farm, run: rm -r}"]
    assert config.load({}, given, plugins=[Farm], options=Options(no_plugins=True))


def test_a_command_inside_a_plugin_of_ones_own_is_announced_once_in_a_study(tmp_path, capsys, monkeypatch):
    @executor("farm")
    @dataclass(kw_only=True)
    class Farm:
        """Nothing."""

        run: Command = "true"

    (tmp_path / "mail.yaml").write_text("executor: {name: farm, run: rm -r}\n" + VARIED)
    definition.load(tmp_path / "mail.yaml", plugins=[Farm])
    assert capsys.readouterr().err == f"fooldeap: uses executor.run: rm -r, named in {tmp_path}/mail.yaml\n"
