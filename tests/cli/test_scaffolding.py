"""The command `plugins new`: the written plugin works and satisfies its contracts."""

import subprocess
import sys

import pytest
from helpers.commands import call
from helpers.experiments import KIT, ROOT

from fooldeap.configuration.experiment import LISTS
from fooldeap.plugin import KINDS
from fooldeap.scaffolding import plugin_file


@pytest.mark.filterwarnings("ignore:the classifier is correct on")  # it does not know the images of the new dataset
@pytest.mark.parametrize("kind", plugin_file.kinds())
def test_a_new_plugin_works(kind, tmp_path, capsys):
    name = f"my_{kind}"
    assert call("plugins", "new", kind, name, "--out", tmp_path) == 0
    assert str(tmp_path / f"{name}.py") in capsys.readouterr().out
    assert call("plugins", "check", tmp_path / f"{name}.py") == 0
    words = [f"{LISTS[kind]}=[{name}]" if kind in LISTS else f"{kind}={name}", "targets=[3]", "stop.evaluations=300"]
    words += ["classifier=tiny"] * (kind != "classifier") + ["dataset.side=8"] * (kind == "dataset")
    words += ["--plugins", KIT]
    if kind == "genome":
        (tmp_path / "keep.py").write_text(KEEP.replace("NAME", name))
        words += ["mutation=keep", "crossover=none", "--plugins", tmp_path / "keep.py"]
    run = ("run", ROOT / "configs/mnist.yaml", *words, "--plugins", tmp_path / f"{name}.py", "--out", tmp_path / "run")
    assert call(*run) == 0


def test_every_kind_has_a_template():
    assert plugin_file.kinds() == list(KINDS)


def test_the_tests_of_new_plugins_pass(tmp_path):
    for kind in plugin_file.kinds():
        assert call("plugins", "new", kind, f"my_{kind}", "--out", tmp_path) == 0
    words = [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", "."]
    done = subprocess.run(words, cwd=tmp_path, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert all(f"test_my_{kind}.py::" in done.stdout for kind in plugin_file.kinds())


KEEP = '''
from fooldeap.plugin import mutation


@mutation("keep", genome="NAME")
def keep(genomes, rng):
    """Change one value in all."""
    genomes[:, 0] = rng.integers(0, 256)
    return genomes
'''


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["mutatoin", "mine"], "no template for the kind 'mutatoin'; did you mean 'mutation'?; expected one of"),
        (["mutation", "my-own"], "got the name 'my-own', expected lower-case letters, digits and '_'"),
        (["mutation", "class"], "got the name 'class'"),
        (["mutation", "taken"], "taken.py: already exists; choose another name, or another folder with --out"),
        (["mutation", "test_mine"], "got the name 'test_mine', expected lower-case letters"),
        (["genome", "true"], "got the name 'true', but the new file already uses 'True' for something else"),
        (["genome", "images"], "but the new file already uses 'Images' for something else"),
        (["mutation", "np"], "but the new file already uses 'np' for something else"),
        (["crossover", "round"], "but the new file already uses 'round' for something else"),
        (["selection", "statistics"], "but statistics.py would hide a Python module"),
        (["reporter", "pytest"], "but pytest.py would hide a Python module"),
        (["algorithm", "numpy"], "but numpy.py would hide a Python module"),
        (["mutation", "gaussian"], "but mutation 'gaussian' exists in"),
    ],
)
def test_an_unsuitable_name_is_refused(words, message, tmp_path, capsys):
    (tmp_path / "taken.py").write_text("mine")
    assert call("plugins", "new", *words, "--out", tmp_path) == 2
    assert message in capsys.readouterr().err
    assert (tmp_path / "taken.py").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["taken.py"]


def test_a_missing_folder_is_refused(tmp_path, capsys):
    folder = tmp_path / "nowhere"
    assert call("plugins", "new", "mutation", "mine", "--out", folder) == 2
    assert capsys.readouterr().err == f"fooldeap: --out: no folder {str(folder)!r}; create it first\n"
