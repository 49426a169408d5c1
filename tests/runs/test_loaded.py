"""A result read from its folder is the one that the run returned."""

import shutil
from dataclasses import fields
from unittest.mock import Mock

import numpy as np
import pytest
from helpers.experiments import KIT, TINY

import fooldeap
from fooldeap import registry
from fooldeap.errors import InputError

SHORT = {**TINY, "reporters": ["csv", "images"], "stop": {"evaluations": 60, "confidence": 0.9}}
SEVERAL = {"fitness": "confidence_and_ink", "algorithm": {"name": "nsga2", "population": 20}}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return fooldeap.run(SHORT, seeds=2, out=tmp_path_factory.mktemp("made") / "run", plugins=[KIT], quiet=True)


def same(one, other):
    """Whether two values of a result are the same, pixel by pixel where they are images."""
    if isinstance(one, tuple) and one and hasattr(one[0], "image"):
        return len(one) == len(other) and all(all(map(np.array_equal, *pair)) for pair in zip(one, other, strict=True))
    return np.array_equal(one, other) if hasattr(one, "pixels") else one == other


@pytest.mark.parametrize("more", [{}, SEVERAL, {"reporters": ["csv"], "targets": [2]}], ids=["plain", "fronts", "csv"])
def test_every_field_is_the_same(more, tmp_path):
    result = fooldeap.run({**SHORT, **more}, out=tmp_path / "run", plugins=[KIT], quiet=True)
    loaded = fooldeap.load(tmp_path / "run")
    assert bool(result[2].front) == (more is SEVERAL)
    for run, again in zip(result, loaded, strict=True):
        different = [each.name for each in fields(run) if not same(getattr(run, each.name), getattr(again, each.name))]
        assert different == []
        assert run.log
        assert run.snapshots
    others = ("name", "seed", "goal", "evaluations", "folder", "failures", "names", "objectives")
    assert [getattr(loaded, name) for name in others] == [getattr(result, name) for name in others]
    assert loaded.seconds == pytest.approx(result.seconds, abs=0.001)
    assert loaded.markdown() == result.markdown()


def test_neither_plugins_nor_the_classifier_are_needed(made, monkeypatch):
    assert str(KIT) in (made.folder / "config.yaml").read_text()
    monkeypatch.setattr(registry, "load", Mock(side_effect=AssertionError))
    assert fooldeap.load(made.folder)[0, 1].evaluations == made[0, 1].evaluations


@pytest.mark.parametrize("name", ["result.json", "log.csv", "snapshots.npz"])
def test_changed_folders_are_refused(made, name, tmp_path):
    folder = shutil.copytree(made.folder, tmp_path / "copy")
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
    with pytest.raises(InputError, match=rf"{name}: .*; restore it from a copy"):
        fooldeap.load(folder)


def test_unfinished_folders_are_refused(made, tmp_path):
    folder = shutil.copytree(made.folder, tmp_path / "copy")
    (folder / "result.json").unlink()
    with pytest.raises(InputError, match=r"copy: is not finished; finish it first: fooldeap run --resume"):
        fooldeap.load(folder)


def test_key_needs_a_seed_if_there_are_several(made):
    assert (made[3, 2].target, made[3, 2].seed) == (3, 2)
    with pytest.raises(KeyError, match=r"target 3 has the seeds \[1, 2\]; name one: \[3, SEED\]"):
        _ = made[3]
    for key in ((3, 7), "3", 9):
        with pytest.raises(KeyError, match=r"got .*; there are the targets \[0, 1, 2, 3\] and the seeds \[1, 2\]"):
            _ = made[key]
