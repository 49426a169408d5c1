"""SCOOP: no open ports, no remaining files, no changes to the rest of the process."""

import logging
import os
import shutil
import sys
import tempfile
import threading
from pathlib import Path

import pytest
from helpers.experiments import KIT
from helpers.parallel import ON_LINUX, SLOW, WORKER, scoop
from helpers.processes import descendants, listening, named, unix_sockets

import fooldeap
from fooldeap.configuration import config
from fooldeap.errors import InputError
from fooldeap.runs.experiment_session import ExperimentSession
from fooldeap.runs.run_folder import RunFolder

pytestmark = [ON_LINUX, pytest.mark.slow]


@pytest.mark.parametrize("mode", ["chunks", "runs"])
def test_only_private_sockets_listen(mode, tmp_path):
    with ExperimentSession(config.load({**SLOW, "executor": scoop(3, mode)})) as ready:
        ready.executor.wait()
        others = [each for each in descendants(os.getpid()) if each in named(WORKER)]
        assert len(others) == 1 + 2, "a supervisor, two workers"
        assert not listening([os.getpid(), *others])
        assert not unix_sockets(others)
        ours = unix_sockets([os.getpid()])
        (folder,) = {socket.parent for socket in ours}
        assert len(ours) == 3, "the broker's two, and the root's"
        assert (folder.stat().st_mode & 0o777, folder.stat().st_uid) == (0o700, os.getuid())
    assert not set(others) & set(named(WORKER))
    assert not folder.exists()


def test_private_folder_has_a_short_path(tmp_path, monkeypatch):
    from fooldeap_plugins.executor._folder import PrivateFolder

    for parent in (tmp_path / ("x" * 80), tmp_path / "with:colon"):
        parent.mkdir()
        monkeypatch.setattr("tempfile.tempdir", str(parent))
        folder = PrivateFolder()
        assert folder.name.startswith("/tmp/fooldeap-scoop-")
        folder.remove()


def test_abandoned_folders_are_removed(monkeypatch):
    """A main process that is killed together with its supervisor leaves its folder."""
    from fooldeap_plugins.executor._folder import PrivateFolder

    tmp_path = Path(tempfile.mkdtemp(prefix="swept-", dir="/tmp"))  # sockets need a short path
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    held = PrivateFolder()
    names = "left", "newborn", "elsewhere"
    left, newborn, elsewhere = (tmp_path / f"fooldeap-scoop-{name}" for name in names)
    for folder in (left, newborn):
        folder.mkdir()
        (folder / "1").touch()
    (tmp_path / "kept").mkdir()
    elsewhere.symlink_to(tmp_path / "kept")
    (tmp_path / "fooldeap-other").mkdir()
    for folder in (held.name, left, tmp_path / "kept", tmp_path / "fooldeap-other"):
        os.utime(folder, (0, 0))
    another = PrivateFolder()
    there = {each.name for each in tmp_path.iterdir()}
    own = {Path(each.name).name for each in (held, another)}
    assert there == {*own, newborn.name, elsewhere.name, "kept", "fooldeap-other"}
    for each in (held, another):
        each.remove()
    assert not {each.name for each in tmp_path.iterdir()} & own
    shutil.rmtree(tmp_path)


def test_logging_and_excepthook_are_unchanged():
    hook, logger = sys.excepthook, logging.getLogger("somebody.elses")
    with ExperimentSession(config.load({**SLOW, "executor": scoop()})) as ready:
        ready.run(None)
    assert sys.excepthook is hook
    assert not logger.disabled


def test_second_session_on_a_folder_is_refused(tmp_path):
    experiment = config.load({**SLOW, "executor": scoop(1, "runs")})
    folder = RunFolder.create(experiment, tmp_path / "run")
    with folder.locked(), pytest.raises(InputError, match="in use by another process"):
        fooldeap.resume(tmp_path / "run", quiet=True)


SSH = """#!/bin/sh
# Imitates ssh with a local shell that prints text, and with links instead of tunnels.
echo "Welcome to far.away"
echo 42
while [ $# -gt 1 ]; do
    if [ "$1" = -R ]; then
        ln -s "${2#*:}" "${2%%:*}"
        echo "${2%%:*}" >> "$(dirname "$0")/sockets"
    fi
    shift
done
cd / && exec sh -c "$1"
"""


def test_output_of_a_remote_shell_goes_to_the_log(tmp_path):
    hosts, ssh = tmp_path / "hosts.txt", tmp_path / "ssh"
    hosts.write_text("far.away 1\n")
    ssh.write_text(SSH)
    ssh.chmod(0o755)
    changes = {"workers": 1, "mode": "runs", "hosts": str(hosts), "ssh": str(ssh)}
    with ExperimentSession(config.load({**SLOW, "executor": {"name": "scoop", **changes}})) as ready:
        ready.executor.wait()
        ready.run(RunFolder.create(ready.experiment, tmp_path / "run"))
        assert len(ready.dispatcher.done) == 2
    assert "Welcome to far.away" in (tmp_path / "run/workers.log").read_text()
    sockets = (tmp_path / "sockets").read_text().split()
    assert len(sockets) == 3
    assert not [socket for socket in sockets if os.path.lexists(socket)], "the remote supervisor removes them"


def test_second_parallel_run_in_a_process_is_refused():
    refused = []

    def other():
        try:
            fooldeap.fool(SLOW["classifier"], 1, workers=2, plugins=[str(KIT)])
        except InputError as error:
            refused.append(str(error))

    with ExperimentSession(config.load({**SLOW, "executor": scoop()})) as ready:
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        ready.run(None)
    assert "another thread of this process uses SCOOP" in refused[0]
