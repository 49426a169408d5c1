"""Fixtures that several folders use."""

import signal

import pytest
from helpers.experiments import ROOT, bits


def pytest_configure():
    """Do not ignore Ctrl-C, as shells tell jobs in the background: the commands that tests interrupt inherit it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def main_job(tmp_path_factory):
    """The main job, run once: (result, folder)."""
    import fooldeap

    folder = tmp_path_factory.mktemp("main") / "run"
    return fooldeap.run(ROOT / "configs/mnist.yaml", out=folder, quiet=True), folder


@pytest.fixture(scope="module")
def keras():
    """Keras, its random weights the same in every module."""
    from fooldeap.lazy_tensorflow import tensorflow

    tensorflow()
    import keras

    keras.utils.set_random_seed(7)
    return keras


@pytest.fixture(scope="session")
def slow(tmp_path_factory):
    """The bits of the slow experiment in one process."""
    from helpers.parallel import SLOW, prepared

    folder = tmp_path_factory.mktemp("slow") / "run"
    prepared(SLOW, folder)
    return bits(folder)


@pytest.fixture(scope="session")
def study(tmp_path_factory):
    """A small study: its comparison."""
    from helpers.studies import compare

    return compare(tmp_path_factory.mktemp("study") / "study")


@pytest.fixture
def owned(tmp_path, monkeypatch):
    """The file that a payload makes, in a folder that one is in."""
    monkeypatch.chdir(tmp_path)
    marker = tmp_path / "owned"
    yield marker
    assert not (ROOT / "owned").exists()


@pytest.fixture(autouse=True)
def undrawn(request, monkeypatch):
    """Studies without figures, whose drawing takes longer than all else; but for tests that are marked ``draws``."""
    if request.node.get_closest_marker("draws") is None:
        monkeypatch.setattr("fooldeap.study.figures.draw", lambda *_: {})


def pytest_terminal_summary(terminalreporter):
    """Say how often runs were killed, see tests/faults/test_kills.py."""
    kills = [
        value
        for outcome in ("passed", "failed")
        for report in terminalreporter.stats.get(outcome, [])
        for name, value in getattr(report, "user_properties", [])
        if name == "kills" and report.when == "call"
    ]
    if kills:
        failed = len(terminalreporter.stats.get("failed", []))
        terminalreporter.write_line(f"{len(kills)} runs killed {sum(kills)} times in all; {failed} tests failed")
