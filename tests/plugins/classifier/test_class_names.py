"""Classes are chosen by name, and their names appear in the terminal, tables and pages."""

import json
from pathlib import Path

import pytest
from helpers.commands import call

import fooldeap
from fooldeap.errors import InputError

NAMES = ["angry", "happy", "sad"]
FUNCTION = """
import numpy as np
WEIGHTS = np.random.default_rng(0).normal(0, 0.02, (64, 3))
def scores(images):
    return images.reshape(len(images), -1) @ WEIGHTS
"""


@pytest.fixture
def classifier(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_text(FUNCTION)
    (tmp_path / "names.txt").write_text("\n".join(NAMES) + "\n")
    settings = "{name: callable, function: 'own.py:scores', shape: [8, 8, 1], classes: 3, class_names: names.txt}"
    (tmp_path / "it.yaml").write_text(f"classifier: {settings}\ntargets: [happy, 2]\nstop: {{confidence: 0.9}}\n")
    return "it.yaml"


def test_targets_are_chosen_by_name(classifier, capsys):
    assert call("run", classifier, "--out", "run") == 0
    out = capsys.readouterr().out
    assert "target 1: happy: seen as 1: happy with" in out
    result = fooldeap.load("run")
    assert [run.target for run in result] == [1, 2]
    assert result["happy"] == result[1]
    table = (result.folder / "table.md").read_text()
    assert "| 1: happy | 1: happy |" in table
    assert "| 2: sad |" in table
    assert "happy" in (result.folder / "report.html").read_text()
    assert fooldeap.run(classifier, "targets=sad", out="again", quiet=True)["sad"].target == 2


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        ("targets=[hapy]", r"targets: got the class 'hapy', expected one of: angry, happy, sad; did you mean 'happy'"),
        ("targets=[happy, 1]", "targets: names a class twice"),
        ("targets=[happy, happy]", "got happy twice|got 'happy' twice|twice"),
    ],
)
def test_wrong_names_are_refused(classifier, targets, expected):
    with pytest.raises(InputError, match=expected):
        fooldeap.run(classifier, targets, quiet=True)


def test_names_need_a_classifier_with_names():
    with pytest.raises(InputError, match="got the class 'happy', but the classifier has no names; set class_names"):
        fooldeap.run({"targets": ["happy"]}, quiet=True)


def test_classes_of_an_audit_are_chosen_by_name(classifier, capsys):
    assert call("audit", classifier, "--classes", "sad,0", "--budget", "30", "--out", "audit") == 0
    data = json.loads(Path("audit/audit.json").read_text())
    assert [each["name"] for each in data["classes"]] == ["0: angry", "2: sad"]
    assert call("audit", classifier, "--classes", "sadd", "--budget", "30", "--out", "other") == 2
    assert "--classes: got the class 'sadd', expected one of: angry, happy, sad; did you mean 'sad'" in (
        capsys.readouterr().err
    )
