"""The program of the other processes: a supervisor on each host, and its workers.

The settings are a line of JSON on the standard input. The standard input stays open as long as the main process lives.
When it is closed, the supervisor ends, and so do its workers.

Messages are lines of JSON on the standard output. ``{"ready": ADDRESS, "process": PID, "host": NAME}`` announces a
worker that is ready. ``{"gone": PID, "again": BOOL}`` announces the end of a worker, and whether it is restarted.
``{"hangs": TEXT}`` announces a classifier that hangs. Everything else is written to the standard error.
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

RESTARTS = 3  # of each worker


def main() -> None:
    """Run a worker if the settings have its number, otherwise a supervisor."""
    settings = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_standard_input, args=(settings,), daemon=True).start()
    if "worker" in settings:
        _run_worker(settings)
    else:
        _supervise(settings)
    os._exit(0)  # without SCOOP's exit handler, which would end the whole pool


def _end_with_standard_input(settings: dict[str, Any]) -> None:
    while os.read(0, 4096):
        pass
    if "worker" not in settings:
        _remove_sockets(settings["sockets"])
    os._exit(0)


def _remove_sockets(sockets: Sequence[Any]) -> None:
    """Remove the sockets that a killed main process left here, or that ssh created on another machine."""
    beginning = Path(sockets[0])
    private = sockets[0].endswith("/")
    with contextlib.suppress(OSError):
        for file in beginning.iterdir() if private else beginning.parent.glob(f"{beginning.name}*"):
            file.unlink()
        if private:
            beginning.rmdir()


def _die_with_parent() -> None:
    """Make Linux kill this process when its supervisor ends.

    This also works while a plugin blocks the interpreter.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def _supervise(settings: dict[str, Any]) -> None:
    """Start the workers, and restart those that end."""
    children = {}
    for number in range(settings["count"]):
        child = _start(settings, number)
        children[child.pid] = number, 0, child
    while children:
        process, _ = os.wait()
        number, restart_count, child = children.pop(process)
        child.returncode = 0  # os.wait has reaped it
        again = restart_count < RESTARTS
        _send(1, gone=process, again=again)
        if again:
            # A new number gives a new address, so that the new worker does not receive messages for the old one.
            child = _start(settings, number + settings["count"] * (restart_count + 1))
            children[child.pid] = number, restart_count + 1, child


def _start(settings: dict[str, Any], number: int) -> "subprocess.Popen[bytes]":
    child = subprocess.Popen([sys.executable, "-P", "-m", "fooldeap_plugins.executor._worker"], stdin=subprocess.PIPE)
    assert child.stdin is not None
    with contextlib.suppress(BrokenPipeError):  # it has ended; os.wait reports it
        child.stdin.write(json.dumps({**settings, "worker": number}).encode() + b"\n")
        child.stdin.flush()
    return child


def _run_worker(settings: dict[str, Any]) -> None:
    """Load the experiment, then process tasks until the pool ends."""
    _die_with_parent()
    messages = os.dup(1)
    os.dup2(2, 1)  # output of plugins goes to the standard error
    os.environ["OMP_NUM_THREADS"] = str(settings["threads"])
    from fooldeap.engine import timeout
    from fooldeap.lazy_tensorflow import limit_threads

    def report_and_exit(message: str) -> None:
        _send(messages, hangs=f"{message} (on {socket.gethostname()}, process {os.getpid()})")
        os._exit(1)

    timeout.last_resort = report_and_exit
    limit_threads(settings["threads"])
    with contextlib.suppress(Exception):  # the first task will raise the same error
        work = pickle.loads(base64.b64decode(settings["work"]))  # sent by the main process on the standard input
        if work is not None:
            _ = work.probe
    from ._scoop import Sockets, connect, run_worker

    machine, worker = settings["machine"], settings["worker"]
    name = f"127.{1 + machine}.{worker // 250}.{1 + worker % 250}"  # unique for each worker; nothing connects to it
    address = connect(Sockets(*settings["sockets"]), settings["size"], name=name)
    _send(messages, ready=address, process=os.getpid(), host=socket.gethostname())
    run_worker()


def _send(descriptor: int, **message: Any) -> None:
    os.write(descriptor, json.dumps(message).encode() + b"\n")


if __name__ == "__main__":
    main()
