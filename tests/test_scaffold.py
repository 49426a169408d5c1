"""`plugins new`: what it writes works at once, and keeps its contracts."""

import subprocess
import sys

import pytest
from conftest import ROOT

from fooldeap.cli import main
from fooldeap.guidance import scaffold


def call(*words):
    with pytest.raises(SystemExit) as caught:
        main(list(map(str, words)))
    return caught.value.code


@pytest.mark.parametrize("kind", scaffold.kinds())
def test_what_is_written_works(kind, tmp_path, capsys):
    name = f"my_{kind}"
    assert call("plugins", "new", kind, name, "--out", tmp_path) == 0
    assert str(tmp_path / f"{name}.py") in capsys.readouterr().out
    assert call("plugins", "check", tmp_path / f"{name}.py") == 0
    words = [f"reporters=[{name}]" if kind == "reporter" else f"{kind}={name}", "targets=[3]", "stop.evaluations=300"]
    if kind == "genome":
        (tmp_path / "keep.py").write_text(KEEP.replace("NAME", name))
        words += ["mutation=keep", "crossover=none", "--plugins", tmp_path / "keep.py"]
    run = ("run", ROOT / "configs/mnist.yaml", *words, "--plugins", tmp_path / f"{name}.py", "--out", tmp_path / "run")
    assert call(*run) == 0
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "."], cwd=tmp_path, check=False
    )
    assert done.returncode == 0


KEEP = '''
from fooldeap.plugin import mutation


@mutation("keep", genome="NAME")
def keep(genomes, rng):
    """Change one value in all."""
    genomes[:, 0] = rng.integers(0, 256)
    return genomes
'''


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["mutatoin", "mine"], "no beginning for a 'mutatoin'; did you mean 'mutation'?"),
        (["mutation", "my-own"], "got the name 'my-own', expected one that Python can import"),
        (["mutation", "class"], "got the name 'class'"),
        (["mutation", "taken"], "taken.py exists already"),
        (["mutation", "test_mine"], "no 'test_' first"),
        (["genome", "true"], "got the name 'true', but 'True' means something else in the file"),
        (["genome", "images"], "but 'Images' means something else in the file"),
        (["mutation", "np"], "but 'np' means something else in the file"),
        (["crossover", "round"], "but 'round' means something else in the file"),
        (["selection", "statistics"], "but statistics.py would hide a module of that name"),
        (["reporter", "pytest"], "but pytest.py would hide a module of that name"),
        (["algorithm", "numpy"], "but numpy.py would hide a module of that name"),
        (["mutation", "gaussian"], "but mutation 'gaussian' is in"),
    ],
)
def test_what_is_refused(words, said, tmp_path, capsys):
    (tmp_path / "taken.py").write_text("mine")
    assert call("plugins", "new", *words, "--out", tmp_path) == 2
    assert said in capsys.readouterr().err
    assert (tmp_path / "taken.py").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["taken.py"]


def test_a_folder_that_is_not_there_is_named(tmp_path, capsys):
    assert call("plugins", "new", "mutation", "mine", "--out", tmp_path / "nowhere") == 2
    assert "nowhere" in capsys.readouterr().err
