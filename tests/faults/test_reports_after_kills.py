"""Audits, studies and runs killed at their writing calls and resumed: each file of the report is as without a kill."""

import json
import shutil
import time

import numpy as np
import pytest
from failing import Killing, calls, killed, sample
from helpers.experiments import KIT
from test_write_faults import STUDY

import fooldeap
from fooldeap import cli
from fooldeap.audit import session
from fooldeap.audit.session import AuditFolder, audit
from fooldeap.report import common
from fooldeap.runs.environment import Environment
from fooldeap.runs.folder import problems_in
from fooldeap.runs.run_folder import RunFolder
from fooldeap.study import figures
from fooldeap.study.plan import StudyFolder

pytestmark = pytest.mark.slow

COUNTED = 10**9
# They differ with the number of sessions, or with the folder.
OF_SESSIONS = (
    "SHA256SUMS",
    "queries.csv",
    "timings.csv",
    "workers.csv",
    "environment.json",
    "calibration.json",
    ".lock",
)


@pytest.fixture(autouse=True)
def alike(monkeypatch):
    """Pages without the ledger, a command that is the same for all, and a clock by which nothing takes any time."""
    monkeypatch.setattr(common, "query_log", lambda path: [])
    monkeypatch.setattr("sys.argv", ["fooldeap"])
    monkeypatch.setattr(time, "perf_counter", lambda: 1000.0)
    monkeypatch.setattr(figures, "draw", lambda *_: {"convergence.png": b"a picture"})  # seconds of drawing


def left_in(folder):
    """Return what a folder holds, by name, but for what is of sessions."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name not in OF_SESSIONS)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def check_the_same(work, resume, made_by, numbers, tmp_path, monkeypatch):
    """Kill the work at some of its writing calls, resume it, and compare all that it leaves."""
    whole = calls(Killing(COUNTED), lambda: work(tmp_path / "whole"))
    expected, resumed = left_in(tmp_path / "whole"), 0
    for number in numbers(whole):
        folder = tmp_path / f"{number}"
        assert killed(monkeypatch, lambda folder=folder: work(folder), number), f"call {number} of {whole}"
        if (folder / made_by.FILE).exists():
            resume(folder)
            found, resumed = left_in(folder), resumed + 1
            assert [name for name in {*found, *expected} if found.get(name) != expected.get(name)] == [], number
            assert problems_in(folder) == []
        shutil.rmtree(folder, ignore_errors=True)
    assert resumed


@pytest.fixture
def auditing(tmp_path, monkeypatch):
    """A function that audits the tiny classifier by two of the attacks."""
    (tmp_path / "tiny.yaml").write_text(f"classifier: tiny\nplugins: [{KIT}]\n")
    images = np.random.default_rng(0).integers(0, 256, (60, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "real.npz", images=images)
    every = session.load_attacks
    monkeypatch.setattr(session, "load_attacks", lambda *given, **more: [*every(*given, **more)][:2])
    options = {"images": str(tmp_path / "real.npz"), "budget": 20, "classes": [0, 2], "quiet": True}
    return lambda folder: audit(tmp_path / "tiny.yaml", out=folder, **options)


def test_an_audit_that_is_killed_before_its_first_attack(auditing, tmp_path, monkeypatch):
    """Its folder is there, and nothing but its first session has found out yet what answers depend on."""

    def until_the_first_attack(whole):
        begun = calls(Killing(COUNTED), lambda: _until(RunFolder, "create", lambda: auditing(tmp_path / "begun")))
        return range(begun - 15, begun + 1, 2)

    check_the_same(
        auditing,
        lambda folder: audit(resume=folder, quiet=True),
        AuditFolder,
        until_the_first_attack,
        tmp_path,
        monkeypatch,
    )
    assert "| the classifier's answers depend on | only the image |" in (tmp_path / "whole/report.md").read_text()


def _until(owner, name, work):
    """Do a piece of work until something is called for the first time."""

    class Reached(BaseException):
        pass

    def reached(*_, **__):
        raise Reached

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, name, reached)
        with pytest.raises(Reached):
            work()


def test_an_audit_that_is_killed_while_it_writes_its_report(auditing, tmp_path, monkeypatch):
    check_the_same(
        auditing,
        lambda folder: audit(resume=folder, quiet=True),
        AuditFolder,
        lambda whole: sample(range(whole - 40, whole + 1), 6, "audit"),
        tmp_path,
        monkeypatch,
    )


def test_a_study_that_is_killed(tmp_path, monkeypatch):
    check_the_same(
        lambda folder: fooldeap.compare(STUDY, out=folder, quiet=True),
        lambda folder: fooldeap.compare(resume=folder, quiet=True),
        StudyFolder,
        lambda whole: sample(range(1, whole + 1), 8, "study"),
        tmp_path,
        monkeypatch,
    )


def test_a_study_keeps_no_journal_of_a_run_on_record(tmp_path, monkeypatch):
    """Killed between the record of a run and the removal of its journal."""
    removed = []

    def remove(path):
        removed.append(path)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("fooldeap.study.comparison.remove", remove)
        with pytest.raises(KeyboardInterrupt):
            fooldeap.compare(STUDY, out=tmp_path / "study", quiet=True)
    assert removed[0].is_file()
    fooldeap.compare(resume=tmp_path / "study", quiet=True)
    assert not removed[0].exists()


def test_a_run_that_is_killed(tmp_path, monkeypatch):
    run = {"classifier": "tiny", "plugins": [str(KIT)], "targets": [0, 2], "reporters": ["csv", "images"]}
    run |= {"algorithm": {"name": "generational", "population": 8}, "stop": {"evaluations": 60, "confidence": None}}
    check_the_same(
        lambda folder: fooldeap.run(run, out=folder, quiet=True),
        lambda folder: fooldeap.resume(folder, quiet=True),
        RunFolder,
        lambda whole: sample(range(1, whole + 1), 10, "run"),
        tmp_path,
        monkeypatch,
    )


def test_dependence_of_answers_is_the_strongest_found_in_any_session(tmp_path):
    """Each session tries some sizes of batches alone, and fewer where the machine is busy."""
    notes = Environment(tmp_path)

    def noted():
        return json.loads((tmp_path / "environment.json").read_text()).get("answers_depend_on")

    found = []
    for depends_on in (None, "image", "batch", "image", None, "chance", "batch"):
        notes.check_classifier("abc", depends_on)
        found.append(noted())
    assert found == [None, "image", "batch", "batch", "batch", "chance", "chance"]


def test_the_command_resumes_an_audit_that_was_killed_before_its_first_attack(auditing, tmp_path, monkeypatch, capsys):
    begun = tmp_path / "begun"
    first = calls(Killing(COUNTED), lambda: _until(session._Session, "_run_attacks", lambda: auditing(begun)))
    assert killed(monkeypatch, lambda: auditing(tmp_path / "killed"), first - 4)
    known = json.loads((tmp_path / "killed/environment.json").read_text())
    with pytest.raises(SystemExit, match="0"):
        cli.main(["audit", "--resume", str(tmp_path / "killed")])
    capsys.readouterr()
    assert "answers_depend_on" not in known
    assert "| the classifier's answers depend on | only the image |" in (tmp_path / "killed/report.md").read_text()
