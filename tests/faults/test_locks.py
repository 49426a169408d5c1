"""Two runs on one folder: the second is refused and told who is there; a lock that nobody holds keeps nobody out."""

import contextlib
import errno
import fcntl
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

import pytest
from failing import Small
from helpers.experiments import KIT, ROOT, bits
from test_write_faults import STUDY

import fooldeap
from fooldeap import cli
from fooldeap.errors import InputError
from fooldeap.runs.run_folder import RunFolder
from fooldeap.storage import files
from fooldeap.storage.lock import is_in_use
from fooldeap.study.comparison import StudyFolder

WORDS = [
    "classifier={name: slow_steps, pause: 0.02}",
    "targets=[0,1]",
    "stop.evaluations=2500",
    "stop.confidence=null",
]


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return Small(tmp_path_factory.mktemp("small"))


@contextlib.contextmanager
def working(folder):
    """Have another process work on a folder, and kill it with SIGKILL at the end."""
    plain = ["reporters=[csv]", "--plugins", str(KIT), "--out", str(folder), "--quiet"]
    command = [sys.executable, "-m", "fooldeap", "run", str(ROOT / "configs/mnist.yaml"), *WORDS, *plain]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        while process.poll() is None and not any(path.stat().st_size > 1000 for path in folder.glob("journal/*")):
            time.sleep(0.005)
        process.send_signal(signal.SIGSTOP)  # it is there for as long as we look
        yield process
    finally:
        process.kill()
        assert process.wait() == -signal.SIGKILL


def test_second_process_is_refused_and_may_resume_after_a_kill(tmp_path, capsys):
    path = tmp_path / "run"
    with working(path) as process:
        with pytest.raises(SystemExit) as exit_:
            cli.main(["run", "--resume", str(path)])
        assert exit_.value.code == 2
        said = [line for line in capsys.readouterr().err.splitlines() if "another process" in line]
        since = r"since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d\d:\d\d"
        who = rf"process {process.pid} on {re.escape(socket.gethostname())}, {since}"
        assert re.fullmatch(
            rf"fooldeap: {path}: in use by another process \({who}\); wait until it ends, or end it", said[0]
        )
    assert (path / ".lock").exists()
    fooldeap.resume(path, quiet=True)
    assert not (path / ".lock").exists()
    words = {"plugins": [KIT], "quiet": True}
    fooldeap.run(ROOT / "configs/mnist.yaml", *WORDS, "reporters=[csv]", out=tmp_path / "whole", **words)
    assert bits(path) == bits(tmp_path / "whole")


def lock(path, process, host):
    (path / ".lock").write_text(json.dumps({"process": process, "host": host, "since": "2026-01-01 12:00:00+00:00"}))


def test_a_lock_of_another_host_is_refused_with_the_cure(small, tmp_path):
    path = small.new(tmp_path / "run")
    lock(path, 12, "far.away")
    who = r"in use by another process \(process 12 on far.away, since 2026-01-01 12:00:00\+00:00\)"
    with pytest.raises(InputError, match=f"{who}; if that process no longer runs, remove {path}/.lock$"):
        small.go_on(path)
    (path / ".lock").unlink()
    small.check_ends_well(path)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"process": 1}', '{"process": "x", "host": 1, "since": 2}', "\xff"])
def test_an_unsigned_lock_is_ignored(small, tmp_path, text):
    path = small.new(tmp_path / "run")
    (path / ".lock").write_text(text, encoding="latin-1")
    small.check_ends_well(path)
    assert not (path / ".lock").exists()


@pytest.mark.parametrize("process", [2**22 + 1, 10**30])
def test_a_lock_of_a_process_that_cannot_exist_is_ignored(tmp_path, process):
    lock(tmp_path, process, socket.gethostname())
    assert not is_in_use(tmp_path)
    lock(tmp_path, os.getpid(), socket.gethostname())
    assert is_in_use(tmp_path)


@pytest.mark.parametrize("kind", [RunFolder, StudyFolder])
def test_both_kinds_of_folders_are_locked(tmp_path, kind):
    folder = kind.new("x", {}, tmp_path / "folder")
    with folder.locked():
        assert json.loads((folder.path / ".lock").read_text())["process"] == os.getpid()
        with (
            pytest.raises(InputError, match=f"in use by another process .process {os.getpid()} on "),
            folder.locked(),
        ):
            pass
    assert not (folder.path / ".lock").exists()
    with folder.locked():
        pass


def test_a_second_process_on_a_study_is_refused(tmp_path):
    folder = StudyFolder(fooldeap.compare(STUDY, out=tmp_path / "study", quiet=True).folder)
    with folder.locked(), pytest.raises(InputError, match="in use by another process"):
        fooldeap.compare(resume=folder.path, quiet=True)


def test_without_file_locks_the_owner_process_is_looked_up(small, tmp_path, monkeypatch):
    def unsupported(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    path = small.new(tmp_path / "run")
    lock(path, os.getppid(), socket.gethostname())
    with pytest.raises(InputError, match="in use by another process"):
        small.go_on(path)
    lock(path, 2**22 + 1, socket.gethostname())  # more than Linux has
    small.check_ends_well(path)


def test_two_that_create_one_folder_at_the_same_moment(small, tmp_path, monkeypatch):
    path, publish = tmp_path / "run", files.publish

    def late(temporary, place):
        """Publish just after another process has created the folder."""
        monkeypatch.setattr(files, "publish", publish)
        RunFolder.create(small.experiment, path)
        before.update({file.name: file.read_bytes() for file in path.iterdir()})
        publish(temporary, place)

    before = {}
    monkeypatch.setattr(files, "publish", late)
    with pytest.raises(InputError, match=f"--out {path}: already exists; name a new folder, or resume it: fooldeap"):
        RunFolder.create(small.experiment, path)
    assert before == {file.name: file.read_bytes() for file in path.iterdir()}
    assert list(tmp_path.iterdir()) == [path]
    small.check_ends_well(path)


def test_a_lock_that_its_owner_removes_meanwhile_is_not_the_lock(small, tmp_path, monkeypatch):
    """Who has opened the file of one who is about to leave holds nothing, and opens the one of that name anew."""
    path = small.new(tmp_path / "run")
    flock, opened = fcntl.flock, []

    def leaving(descriptor, operation):
        if not opened:
            (path / ".lock").unlink()
        opened.append(os.fstat(descriptor).st_ino)
        return flock(descriptor, operation)

    with monkeypatch.context() as patch:
        patch.setattr("fooldeap.storage.lock.fcntl.flock", leaving)
        with RunFolder.open(path).locked():
            assert (path / ".lock").stat().st_ino == opened[1]
            assert json.loads((path / ".lock").read_text())["process"] == os.getpid()
    assert len(opened) == 2
    small.check_ends_well(path)
