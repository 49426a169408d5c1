"""The program of the other processes: a foreman on each machine, who starts its workers and tells when one is gone.

Settings come as a line of JSON on the standard input, which stays open as long as the root lives: its end ends the
foreman, and the foreman's end the workers, however the root came to its end. On the standard output go lines of JSON:
``{"ready": ADDRESS, "process": PID, "host": NAME}``, ``{"gone": PID, "again": WHETHER ANOTHER IS STARTED}`` and
``{"hangs": WHAT AND WHERE}``. All else goes to the standard error.
"""

import base64
import contextlib
import ctypes
import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

RESTARTS = 3  # of one worker; one that dies oftener has a reason to


def main() -> None:
    """Be a worker where the settings say which one, else the foreman of several."""
    settings = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_standard_input, args=(settings,), daemon=True).start()
    if "worker" in settings:
        _work(settings)
    else:
        _supervise(settings)
    os._exit(0)  # at once: SCOOP's own farewell would end the whole pool


def _end_with_standard_input(settings: dict[str, Any]) -> None:
    while os.read(0, 4096):
        pass
    if "worker" not in settings:
        _clear(settings["sockets"])
    os._exit(0)


def _clear(sockets: Sequence[Any]) -> None:
    """Remove the sockets, which a root that was killed leaves here, and ssh on another machine."""
    beginning = Path(sockets[0])
    private = sockets[0].endswith("/")
    with contextlib.suppress(OSError):
        for file in beginning.iterdir() if private else beginning.parent.glob(f"{beginning.name}*"):
            file.unlink()
        if private:
            beginning.rmdir()


def _die_with_parent() -> None:
    """Have Linux kill this process when its foreman ends: a plugin that holds on to the interpreter hears nothing."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def _supervise(settings: dict[str, Any]) -> None:
    """Keep so many workers running as there should be."""
    children = {}
    for number in range(settings["count"]):
        child = _start(settings, number)
        children[child.pid] = number, 0, child
    while children:
        process, _ = os.wait()
        number, restarts, child = children.pop(process)
        child.returncode = 0  # it is reaped
        again = restarts < RESTARTS
        _tell(1, gone=process, again=again)
        if again:
            # A new number gives a new address: messages for the old one must not reach the new one.
            child = _start(settings, number + settings["count"] * (restarts + 1))
            children[child.pid] = number, restarts + 1, child


def _start(settings: dict[str, Any], number: int) -> "subprocess.Popen[bytes]":
    child = subprocess.Popen([sys.executable, "-P", "-m", "fooldeap_plugins.executor._worker"], stdin=subprocess.PIPE)
    assert child.stdin is not None
    with contextlib.suppress(BrokenPipeError):  # it died at once; we shall hear of it
        child.stdin.write(json.dumps({**settings, "worker": number}).encode() + b"\n")
        child.stdin.flush()
    return child


def _work(settings: dict[str, Any]) -> None:
    """Load the work, then do what SCOOP hands over, until the end."""
    _die_with_parent()
    told = os.dup(1)
    os.dup2(2, 1)  # what plugins print is no message
    os.environ["OMP_NUM_THREADS"] = str(settings["threads"])
    from fooldeap.engine import guard
    from fooldeap.quiet import limit_threads

    def tell_and_end(late: str) -> None:
        _tell(told, hangs=f"{late} (on {socket.gethostname()}, process {os.getpid()})")
        os._exit(1)

    guard.last_resort = tell_and_end
    limit_threads(settings["threads"])
    with contextlib.suppress(Exception):  # the first task that needs it will say what is wrong
        work = pickle.loads(base64.b64decode(settings["work"]))  # from our own root, by our own standard input
        if work is not None:
            _ = work.probe
    from ._scoop import Sockets, connect, work_for_ever

    machine, worker = settings["machine"], settings["worker"]
    name = f"127.{1 + machine}.{worker // 250}.{1 + worker % 250}"  # unique among all workers, and never connected to
    address = connect(Sockets(*settings["sockets"]), settings["size"], name=name)
    _tell(told, ready=address, process=os.getpid(), host=socket.gethostname())
    work_for_ever()


def _tell(descriptor: int, **message: Any) -> None:
    os.write(descriptor, json.dumps(message).encode() + b"\n")


if __name__ == "__main__":
    main()
