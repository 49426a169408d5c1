"""What tests share: small experiments on a classifier of a few lines, and one run of the main job."""

from pathlib import Path

import pytest

from fooldeap.configuration import config
from fooldeap.runs.experiment_session import ExperimentSession
from fooldeap.runs.run_folder import RunFolder
from fooldeap.storage.sums import SUMS, listing

ROOT = Path(__file__).parent.parent
KIT = Path(__file__).parent / "kit"
TINY = {"classifier": "tiny", "reporters": ["csv"], "algorithm": {"name": "generational", "population": 12}}


def tiny(*overrides: str, **arguments):
    """Return an experiment on the tiny classifier."""
    return config.load({}, overrides, arguments={**TINY, **arguments}, plugins=[KIT])


def run(experiment, folder=None):
    """Run an experiment, in a new folder if one is named; return (result, what was prepared)."""
    prepared = ExperimentSession(experiment)
    if hasattr(prepared.classifier, "images"):
        prepared.classifier.images.clear()  # those of the probe
    return prepared.run(RunFolder.create(experiment, folder) if folder else None), prepared


def unannounced(said: str) -> str:
    """Return what a command said, less the lines that name the plugins of its file."""
    return "".join(line for line in said.splitlines(True) if not line.startswith("fooldeap: runs the plugins in "))


def bits(folder: Path) -> dict[str, bytes]:
    """Return the files of a run folder that must be the same bits; of result.json all but its seconds."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    named = {str(path.relative_to(folder)): path.read_bytes() for path in files}
    kept = {
        name: text
        for name, text in named.items()
        if name.startswith(("images/", "journal/", "log.csv", "snapshots", "front"))
    }
    lines = named.get("result.json", b"").splitlines()
    return {**kept, "result.json": b"\n".join(line for line in lines if b'"seconds"' not in line)}


def resealed(folder: Path) -> None:
    """Write the checksums anew, as somebody does who sends a folder that he made up."""
    (folder / SUMS).write_bytes(listing(folder, {}))


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
    from parallel import SLOW, prepared

    folder = tmp_path_factory.mktemp("slow") / "run"
    prepared(SLOW, folder)
    return bits(folder)


@pytest.fixture(scope="session")
def study(tmp_path_factory):
    """A small study: its comparison."""
    from studies import compare

    return compare(tmp_path_factory.mktemp("study") / "study")


@pytest.fixture
def owned(tmp_path, monkeypatch):
    """The file that a payload makes, in a folder that one is in."""
    monkeypatch.chdir(tmp_path)
    marker = tmp_path / "owned"
    yield marker
    assert not (ROOT / "owned").exists()


@pytest.fixture
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
