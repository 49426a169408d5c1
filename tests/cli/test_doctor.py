"""The command `doctor`: it names missing or broken things with a cure, and fails only for required ones."""

from importlib import metadata

import numpy as np
import pytest
from helpers.commands import call

from fooldeap import lazy_tensorflow
from fooldeap.help import doctor
from fooldeap.help.doctor import Finding

REQUIREMENTS = [
    "numpy>=1.26",
    "deap>=1.4",
    'tomli>=2; python_version < "3"',
    'onnx>=1.16; extra == "onnx"',
    'onnxruntime>=1.18; extra == "onnx"',
]


def versions(**installed):
    def version(name):
        if name not in installed:
            raise metadata.PackageNotFoundError(name)
        return installed[name]

    return version


@pytest.mark.slow
def test_all_checks_pass_on_a_complete_installation(capsys):
    assert call("doctor") == 0
    lines = capsys.readouterr().out.splitlines()
    assert {line[:5] for line in lines} <= {"ok   ", "note "}
    for text in ("Python 3", "required packages", "plugins", "cores", "TensorFlow", "mnist_cnn classifies 99", "extra"):
        assert any(text in line for line in lines), text
    assert any("executor scoop: another process answered" in line and "bit-identical" in line for line in lines)


def test_missing_and_old_packages_are_named_with_a_cure():
    found = list(doctor.packages(REQUIREMENTS, versions(numpy="1.25.2")))
    assert found == [
        Finding("bad", "numpy is 1.25.2, expected >=1.26", "pip install 'numpy>=1.26'"),
        Finding("bad", "deap is not installed", "pip install 'deap>=1.4'"),
        Finding("ok", f"0 of 2 required packages, fooldeap {metadata.version('fooldeap')}"),
    ]
    (fine,) = doctor.packages(REQUIREMENTS, versions(numpy="2.4.0rc1", deap="1.4.4"))
    assert fine.state == "ok"


def test_a_missing_extra_is_only_a_note():
    found = {each.message.split(":")[0]: each for each in doctor.extras(REQUIREMENTS, versions(onnx="1.16"))}
    assert found["extra onnx"] == Finding(
        "note", "extra onnx: onnxruntime is not installed", "to install it: pip install 'fooldeap[onnx]'"
    )
    complete = {each.message: each for each in doctor.extras(REQUIREMENTS, versions(onnx="1.16", onnxruntime="2"))}
    assert complete["extra onnx"].state == "ok"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            ImportError("libz.so.1: cannot open\nshared object file"),
            "ImportError: libz.so.1: cannot open shared object",
        ),
        (doctor.FooldeapError("no such thing"), "tensorflow: no such thing"),
    ],
)
def test_a_check_that_raises_an_error_does_not_stop_the_others(error, message, monkeypatch, capsys):
    def fail(*_):
        raise error

    monkeypatch.setattr(lazy_tensorflow, "tensorflow", fail)
    monkeypatch.setattr(doctor, "models", lambda: iter(()))
    monkeypatch.setattr(doctor, "executors", lambda: iter(()))
    assert call("doctor") == 1
    shown = capsys.readouterr()
    (bad,) = [line for line in shown.out.splitlines() if line.startswith("bad")]
    assert message in bad
    assert "ok   extra" in shown.out
    assert shown.err == "fooldeap: 1 check failed; see the lines that start with 'bad'\n"


def test_a_model_with_low_accuracy_is_bad(monkeypatch):
    class Random:
        def logits(self, images):
            return np.random.default_rng(0).normal(size=(len(images), 10)).astype(np.float32)

    from fooldeap.plugin import Plugin

    build = Plugin.build
    monkeypatch.setattr(
        Plugin, "build", lambda self, *given: Random() if self.kind == "classifier" else build(self, *given)
    )
    found = list(doctor.models())
    assert [each.state for each in found] == ["bad", "bad"]
    assert "; expected at least 98 %; pip install --force-reinstall fooldeap" in str(found[0])


def test_an_argument_is_refused(capsys):
    assert call("doctor", "all") == 2
    assert capsys.readouterr().err.count("\n") == 1
