"""`doctor`: what is missing or broken is named with its cure, and only what is required makes it fail."""

from importlib import metadata

import numpy as np
import pytest
from test_cli import call

from fooldeap import quiet
from fooldeap.guidance import doctor
from fooldeap.guidance.doctor import Finding

REQUIREMENTS = [
    "numpy>=1.26",
    "deap>=1.4",
    'tomli>=2; python_version < "3"',
    'onnx>=1.16; extra == "onnx"',
    'onnxruntime>=1.18; extra == "onnx"',
]


def versions(**there):
    def version(name):
        if name not in there:
            raise metadata.PackageNotFoundError(name)
        return there[name]

    return version


def test_a_machine_where_all_is_well_is_well(capsys):
    assert call("doctor") == 0
    lines = capsys.readouterr().out.splitlines()
    assert {line[:5] for line in lines} <= {"ok   ", "note "}
    for told in ("Python 3", "required packages", "plugins", "cores", "TensorFlow", "mnist_cnn reads 99", "extra onnx"):
        assert any(told in line for line in lines), told
    assert any("SCOOP: a second process answers" in line and "the same bits" in line for line in lines)


def test_packages_that_are_missing_or_too_old_are_named_with_the_cure():
    found = list(doctor.packages(REQUIREMENTS, versions(numpy="1.25.2")))
    assert found == [
        Finding("bad", "numpy is 1.25.2, expected >=1.26", "pip install 'numpy>=1.26'"),
        Finding("bad", "deap is not installed", "pip install 'deap>=1.4'"),
        Finding("ok", f"0 of 2 required packages, fooldeap {metadata.version('fooldeap')}"),
    ]
    (fine,) = doctor.packages(REQUIREMENTS, versions(numpy="2.4.0rc1", deap="1.4.4"))
    assert fine.state == "ok"


def test_an_extra_that_is_missing_is_no_fault():
    found = {each.told.split(":")[0]: each for each in doctor.extras(REQUIREMENTS, versions(onnx="1.16"))}
    assert found["extra onnx"] == Finding(
        "note", "extra onnx: onnxruntime is not installed", "if you want it: pip install 'fooldeap[onnx]'"
    )
    whole = {each.told: each for each in doctor.extras(REQUIREMENTS, versions(onnx="1.16", onnxruntime="2"))}
    assert whole["extra onnx"].state == "ok"


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (
            ImportError("libz.so.1: cannot open\nshared object file"),
            "ImportError: libz.so.1: cannot open shared object",
        ),
        (doctor.FooldeapError("no such thing"), "tensorflow: no such thing"),
    ],
)
def test_what_breaks_is_told_and_the_rest_is_looked_at(broken, told, monkeypatch, capsys):
    def fail(*_):
        raise broken

    monkeypatch.setattr(quiet, "tensorflow", fail)
    monkeypatch.setattr(doctor, "models", lambda: iter(()))
    monkeypatch.setattr(doctor, "scoop", lambda: iter(()))
    assert call("doctor") == 1
    shown = capsys.readouterr()
    (bad,) = [line for line in shown.out.splitlines() if line.startswith("bad")]
    assert told in bad
    assert "ok   extra" in shown.out
    assert shown.err == "fooldeap: 1 of these must be mended: the lines that begin with bad\n"


def test_a_model_that_answers_badly_is_found(monkeypatch):
    class Confused:
        def logits(self, images):
            return np.random.default_rng(0).normal(size=(len(images), 10)).astype(np.float32)

    from fooldeap.plugin import Plugin

    build = Plugin.build
    monkeypatch.setattr(
        Plugin, "build", lambda self, *given: Confused() if self.kind == "classifier" else build(self, *given)
    )
    found = list(doctor.models())
    assert [each.state for each in found] == ["bad", "bad"]
    assert "too few; pip install --force-reinstall fooldeap" in str(found[0])


def test_it_takes_no_argument(capsys):
    assert call("doctor", "all") == 2
    assert capsys.readouterr().err.count("\n") == 1
