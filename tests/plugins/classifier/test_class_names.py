"""Classes are chosen by name, and their names appear in the terminal, tables and pages."""

import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from helpers.commands import call

import fooldeap
from fooldeap.contracts import class_number
from fooldeap.errors import InputError
from fooldeap.report.model import Films, Gallery, Report, Thumb, percent, thumb
from fooldeap.report.run import cards

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


def test_confidence_of_an_image_that_is_seen_as_another_class_belongs_to_the_target(classifier, capsys):
    assert call("run", classifier, "--out", "run", "targets=[1]", "stop.evaluations=1", "seed=3") == 0
    (run,) = result = fooldeap.load("run")
    assert run.predicted != run.target
    out, (card,) = capsys.readouterr().out, cards(result, [None])
    assert re.search(rf"target 1: happy: [<\d. ]+ %, seen as {run.predicted}: {NAMES[run.predicted]}, goal", out)
    assert (card.seen, card.confidence, card.lines[0]) == (
        NAMES[run.predicted],
        None,
        f"{percent(run.confidence)} for the target",
    )


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


@pytest.mark.parametrize(
    ("names", "targets", "expected"),
    [
        (["a", "b", "a"], "[a]", "got 'a', the name of the classes 0, 2, expected one class; use its number"),
        (
            ["2", "b", "c"],
            "['2']",
            "got '2', which is class 2 by number, but class 0 by name; use a number without quotes",
        ),
    ],
)
def test_ambiguous_names_are_refused(classifier, capsys, names, targets, expected):
    Path("names.txt").write_text("\n".join(names))
    assert call("run", classifier, f"targets={targets}", "--out", "run") == 2
    assert f"targets: {expected}" in capsys.readouterr().err
    assert not Path("run").exists()


def test_other_classes_of_ambiguous_names_are_chosen(classifier):
    Path("names.txt").write_text("a\nb\na\n")
    result = fooldeap.run(classifier, "targets=[b, 2]", out="run", quiet=True)
    assert [run.target for run in result] == [1, 2]
    assert result["b"].target == 1
    with pytest.raises(KeyError, match="several classes have the name 'a'; use a number"):
        result["a"]


@pytest.mark.parametrize("names", [["x", "1", "7"], ["0", "1", "2"]])
def test_number_that_is_the_name_of_the_same_or_no_other_class_is_a_name(names):
    made = SimpleNamespace(names=names)
    assert [class_number(name, made) for name in names] == [0, 1, 2]
    assert class_number(2, made) == 2


def test_class_names_may_come_from_a_windows_editor(classifier):
    Path("names.txt").write_bytes(b"\xef\xbb\xbf" + "\r\n".join(NAMES).encode() + b"\r\n")
    assert fooldeap.run(classifier, "targets=angry", quiet=True, out="run").names == tuple(NAMES)


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


def test_images_of_a_study_have_the_names_of_their_classes(classifier):
    study = {"name": "named", "base": classifier, "seeds": 1, "budget": 200, "vary": {"mutation.rate": [0.05, 0.1]}}
    Path("study.yaml").write_text(json.dumps(study))
    folder = fooldeap.compare("study.yaml", out="study", quiet=True).folder
    sections = {section.title: section.blocks for section in Report.read(folder).sections}
    (groups,) = (block.groups for block in sections["Images"] if isinstance(block, Gallery))
    assert [[thumb.title for thumb in group.thumbs] for group in groups] == [["happy", "sad"]] * 2
    films = [block for block in sections["Evolution"] if isinstance(block, Films)]
    assert [block.title for block in films] == ["Target 1: happy", "Target 2: sad"]
    assert all(list(film.classes) == NAMES for block in films for film in block.films)
    assert fooldeap.verify(folder).reproduced


def test_thumbs_name_the_class_that_is_seen():
    run = {"target": 1, "predicted": 2, "confidence": 0.25, "evaluations_to_goal": None, "evaluations": 1200}
    assert thumb("x.png", run, NAMES) == Thumb("happy", "x.png", "25\u00a0%", "seen as sad, not in 1\u202f200", False)
    run |= {"predicted": 1, "evaluations_to_goal": 7}
    assert thumb("x.png", run) == Thumb("1", "x.png", "25\u00a0%", "after 7", True)
