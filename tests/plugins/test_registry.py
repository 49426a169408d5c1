"""Plugins are found where somebody said, declared clearly, and their parameters checked strictly."""

import dataclasses
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from helpers.experiments import ROOT

from fooldeap import registry
from fooldeap.errors import InputError
from fooldeap.plugin import KINDS, Plugin, fitness, plugin_of
from fooldeap.registry import Registry, load

DARKEN = '''
from fooldeap.plugin import Annotated, Gt, mutation


@mutation("darken", genome="pixels")
def darken(images, rng, *, share: Annotated[float, Gt(0)] = 0.5):
    """Darken."""
    return (images * share).astype(images.dtype)
'''
COUNTER = '''
from fooldeap.plugin import KW_ONLY, Reporter, dataclass, reporter


@reporter("counter")
@dataclass
class Counter(Reporter):
    """Count."""

    _: KW_ONLY
    every: int = 10
'''


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "darken.py").write_text(DARKEN)
    (tmp_path / "counter.py").write_text(COUNTER)
    (tmp_path / "_helper.py").write_text("raise RuntimeError")
    (tmp_path / "test_darken.py").write_text("raise RuntimeError")
    (tmp_path / "notes.txt").write_text("not Python")
    return tmp_path


def refusal(source):
    with pytest.raises(InputError) as refused:
        load([source])
    text = str(refused.value)
    assert text.startswith("plugins: ")
    assert "\n" not in text
    return text.removeprefix("plugins: ")


# --- Where plugins come from ----------------------------------------------------------------------------------------


def test_stock_plugins_use_the_public_entry_point():
    (entry,) = (entry for entry in metadata.entry_points(group=registry.ENTRY_POINTS) if entry.name == "stock")
    assert entry.value == "fooldeap_plugins"
    assert {plugin.kind for plugin in load().all()} == set(KINDS)


def test_every_file_of_the_stock_collection_declares_plugins():
    files = {path for path in (ROOT / "plugins").glob("*/*.py") if not path.name.startswith("_")}
    sources = {Path(plugin.source) for plugin in load().all() if "fooldeap_plugins" in plugin.target.__module__}
    assert sources == files
    assert all(
        plugin.kind == Path(plugin.source).parent.name for plugin in load().all() if Path(plugin.source) in files
    )


def test_a_file_dropped_into_the_collection_is_found(tmp_path):
    shutil.copytree(ROOT / "plugins", tmp_path / "fooldeap_plugins", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "fooldeap_plugins/mutation/darken.py").write_text(DARKEN)
    # The copy comes before the collection that is installed, whose finder is the last of all.
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from fooldeap.cli import main; main()"
    command = [sys.executable, "-c", program, "plugins", "list", "mutation"]
    listed = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert listed.stderr == ""
    assert "\n  darken " in listed.stdout
    assert "\n  random_pixels " in listed.stdout


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x = 1\nraise nothing\n", "NameError: name 'nothing' is not defined (line 2)"),
        ("def f(:\n", "SyntaxError: invalid syntax (faulty.py, line 1)"),
        (DARKEN.replace(": Annotated[float, Gt(0)] = 0.5", ""), "parameter 'share' has no type; write for example"),
        ("raise SystemExit(0)", "SystemExit: 0 (line 1)"),
    ],
)
def test_a_faulty_file_in_the_collection_is_named_with_its_line(text, told, tmp_path, monkeypatch):
    package = tmp_path / "faulty_plugins"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "faulty.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    entry = metadata.EntryPoint("broken", "faulty_plugins", registry.ENTRY_POINTS)
    monkeypatch.setattr(metadata, "entry_points", lambda group: (entry,))
    with pytest.raises(InputError) as refused:
        registry._installed.__wrapped__()
    del sys.modules["faulty_plugins"]
    begins = f"plugins of package ? (faulty_plugins) cannot be loaded: {package / 'faulty.py'}: "
    assert str(refused.value).startswith(begins)
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_plugin_file_stands_alone(folder):
    (folder / "_helper.py").write_text("share = 0.5")
    (folder / "darken.py").write_text("from ._helper import share\n" + DARKEN)
    told = refusal(folder)
    assert told.startswith(f"'{folder}/darken.py' cannot be loaded: ImportError: attempted relative import")
    assert told.endswith("; plugin files cannot import each other; put shared code in an installed package (line 1)")


def test_plugins_load_from_a_file(folder):
    plugin = load([folder / "darken.py"]).get("mutation", "darken")
    assert plugin.source == str(folder / "darken.py")
    assert plugin.options == {"genome": "pixels"}
    assert plugin.parameters["share"].default == 0.5
    assert plugin.build({"share": 0.25}).keywords == {"share": 0.25}


def test_plugins_load_from_a_folder(folder):
    plugins = load([str(folder)])
    assert plugins.get("mutation", "darken").summary == "Darken."
    counter = plugins.get("reporter", "counter").build({"every": 3})
    assert counter.every == 3
    assert dataclasses.is_dataclass(counter)


def test_plugins_load_from_decorated_functions_and_classes():
    @fitness("plain")
    def plain(predictions, target):
        """Return the logit."""
        return predictions.logits[:, target]

    assert load([plain]).get("fitness", "plain").target is plain
    with pytest.raises(InputError, match=r"no fitness is named 'plain'"):
        load().get("fitness", "plain")


def test_the_same_file_twice_is_one(folder):
    plugins = load([folder, folder / "darken.py", folder / ".." / folder.name / "darken.py"])
    assert len([plugin for plugin in plugins.all("mutation") if plugin.name == "darken"]) == 1


def test_a_file_that_was_edited_is_loaded_anew(folder):
    first = load([folder / "darken.py"]).get("mutation", "darken")
    (folder / "darken.py").write_text(DARKEN.replace("0.5", "0.25"))
    second = load([folder / "darken.py"]).get("mutation", "darken")
    assert (first.parameters["share"].default, second.parameters["share"].default) == (0.5, 0.25)


def test_a_plugin_that_another_file_imports_is_not_that_files(folder):
    (folder / "user.py").write_text("from fooldeap_plugins.mutation.gaussian import gaussian\n" + DARKEN)
    plugins = load([folder / "user.py"])
    assert "plugins/mutation/gaussian.py" in plugins.get("mutation", "gaussian").source


def test_nothing_is_imported_from_the_current_folder_unasked(folder):
    (folder / "fooldeap_extra.py").write_text("raise RuntimeError")
    (folder / "plugins").mkdir()
    (folder / "plugins/darken.py").write_text("raise RuntimeError")
    command = [sys.executable, "-I", "-m", "fooldeap", "plugins", "list"]
    listed = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    assert (listed.returncode, listed.stderr) == (0, "")
    assert "darken" not in listed.stdout


# --- What is refused ------------------------------------------------------------------------------------------------


def test_a_name_taken_twice_is_refused_and_both_files_named(folder):
    (folder / "again.py").write_text(DARKEN)
    told = refusal(folder)
    assert (
        told
        == f"mutation 'darken' in {folder}/darken.py: the name is already used in {folder}/again.py; choose another"
    )


def test_one_name_may_be_taken_in_several_kinds(folder):
    crossover = DARKEN.replace("mutation", "crossover").replace("images, rng", "images, others, rng")
    (folder / "again.py").write_text(crossover)
    kinds = [plugin.kind for plugin in load([folder]).all() if plugin.name == "darken"]
    assert kinds == ["mutation", "crossover"]


def test_an_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(InputError, match=r"^no selection is named 'tornament'; did you mean 'tournament'\?$"):
        load().get("selection", "tornament")
    with pytest.raises(InputError, match=r"^no genome is named 'xyz'; known: .*pixels"):
        load().get("genome", "xyz")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("import nowhere", "ModuleNotFoundError: No module named 'nowhere' (line 1)"),
        ("\nx = 1\n1 / 0\n", "ZeroDivisionError: division by zero (line 3)"),
        ("def f(:\n", "SyntaxError: invalid syntax (plugin.py, line 1)"),
        ("raise SystemExit('bye')", "SystemExit: bye (line 1)"),
        ("raise ValueError('two\\nlines')", "ValueError: two lines (line 1)"),
        ("assert False", "AssertionError: (line 1)"),
    ],
)
def test_a_file_that_does_not_load_is_refused_in_one_line(text, told, tmp_path):
    file = tmp_path / "plugin.py"
    file.write_text(text)
    assert refusal(file) == f"{str(file)!r} cannot be loaded: {told}"
    assert refusal(file) == f"{str(file)!r} cannot be loaded: {told}"  # and leaves no half of a module behind


@pytest.mark.parametrize(
    ("parameter", "told"),
    [
        ("*, share=0.5", "'share' has no type; write for example 'share: float = 0.1'"),
        ("*, share: list = []", "'share' has a mutable default; use a tuple or None"),
        ("*, share: dict = {}", "'share' has a mutable default; use a tuple or None"),
        ("share: float = 0.5", "'share' has a default but is not keyword-only; put '*' before it"),
    ],
)
def test_a_function_with_a_bad_parameter_is_refused(parameter, told, tmp_path):
    file = tmp_path / "plugin.py"
    file.write_text(DARKEN.replace("*, share: Annotated[float, Gt(0)] = 0.5", parameter))
    assert refusal(file) == f"{str(file)!r} cannot be loaded: mutation 'darken': parameter {told} (line 5)"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("images", "takes the arguments (images), expected (genomes, rng)"),
        (
            "images, rng, share",
            "takes the arguments (images, rng, share), expected (genomes, rng) and, if needed, parent_fitness, "
            "offspring, population, generation; put '*' before its",
        ),
    ],
)
def test_a_function_that_cannot_be_called_as_its_kind_is_refused(arguments, told, tmp_path):
    file = tmp_path / "plugin.py"
    file.write_text(DARKEN.replace("images, rng, *, share: Annotated[float, Gt(0)] = 0.5", arguments))
    assert refusal(file).startswith(f"{str(file)!r} cannot be loaded: mutation 'darken': {told}")


def test_a_genome_that_cannot_be_made_for_a_shape_is_refused(tmp_path):
    file = tmp_path / "plugin.py"
    file.write_text(COUNTER.replace("Reporter, ", "").replace("reporter", "genome").replace("(Reporter)", ""))
    told = "genome 'counter': takes the fields (), expected (shape)"
    assert refusal(file) == f"{str(file)!r} cannot be loaded: {told} (line 5)"


@pytest.mark.parametrize(
    ("field", "told"),
    [
        ("every: list = field(default_factory=list)", "'every' has a mutable default; use a tuple or None"),
        ("every: int = field(default_factory=int)", "'every' has a mutable default; use a tuple or None"),
    ],
)
def test_a_dataclass_with_a_bad_parameter_is_refused(field, told, tmp_path):
    file = tmp_path / "plugin.py"
    file.write_text(COUNTER.replace("every: int = 10", field).replace("KW_ONLY,", "KW_ONLY, field,"))
    assert refusal(file) == f"{str(file)!r} cannot be loaded: reporter 'counter': parameter {told} (line 5)"


def test_a_dataclass_whose_parameters_are_not_keyword_only_is_refused(tmp_path):
    file = tmp_path / "plugin.py"
    file.write_text(COUNTER.replace("    _: KW_ONLY\n", ""))
    told = "parameter 'every' has a default but is not keyword-only; put '_: KW_ONLY' above it (line 5)"
    assert refusal(file).endswith(f"reporter 'counter': {told}")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if KINDS[kind].stateful])
def test_a_stateful_kind_that_is_no_dataclass_is_refused(kind, tmp_path):
    file = tmp_path / "plugin.py"
    file.write_text(f"from fooldeap.plugin import {kind}\n\n\n@{kind}('mine')\nclass Mine:\n    '''Mine.'''\n")
    told = refusal(file)
    assert f"{kind} 'mine': " in told
    assert told.endswith("expected a dataclass; put @dataclass under the decorator (line 4)")


def test_files_without_a_plugin_are_refused(tmp_path):
    (tmp_path / "plain.py").write_text("def f():\n    pass\n")
    assert refusal(tmp_path / "plain.py").startswith(f"'{tmp_path}/plain.py' contains no plugin; put a decorator")
    assert "folders below it are not searched" in refusal(tmp_path)
    assert refusal(tmp_path / "nowhere") == f"no file or folder '{tmp_path}/nowhere'"
    assert refusal(print) == (
        "got <built-in function print>, expected a file, a folder, or a function or class with a decorator"
    )
    (tmp_path / "plain.txt").touch()
    assert refusal(tmp_path / "plain.txt") == f"'{tmp_path}/plain.txt' is not a Python file; its name must end in .py"


def test_a_subclass_of_a_plugin_is_no_plugin():
    pixels = load().get("genome", "pixels").target
    assert plugin_of(pixels) is not None
    assert plugin_of(type("More", (pixels,), {})) is None
    assert plugin_of("text") is None


def test_a_package_that_does_not_load_is_named(monkeypatch):
    entry = metadata.EntryPoint("broken", "fooldeap_nowhere", registry.ENTRY_POINTS)
    monkeypatch.setattr(metadata, "entry_points", lambda group: (entry,))
    with pytest.raises(
        InputError, match=r"^plugins of package \? \(fooldeap_nowhere\) cannot be loaded: ModuleNotFound"
    ):
        registry._installed.__wrapped__()


def test_plugins_are_listed_in_the_order_of_kinds_and_names():
    plugins = [
        Plugin(kind, name, print, {}, {}) for kind, name in (("mutation", "b"), ("genome", "z"), ("mutation", "a"))
    ]
    listed = Registry(plugins).all()
    assert [(plugin.kind, plugin.name) for plugin in listed] == [("genome", "z"), ("mutation", "a"), ("mutation", "b")]
