"""The program of a worker process. Its argument is the descriptor of the socket that connects it to the broker."""

import contextlib
import ctypes
import os
import pickle
import signal
import sys
from multiprocessing.connection import Connection
from typing import Any

from ._broker import FAILURE


def main() -> None:
    """Load the experiment, then process tasks until the main process ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: kill this process when the broker's thread ends
    connection: Connection[Any, Any] = Connection(int(sys.argv[1]))
    with contextlib.suppress(EOFError, OSError):  # the main process has ended
        settings = connection.recv()
        _prepare(connection, **settings)
        from ._scoop import connect, run_worker

        def send(*message: Any) -> None:
            connection.send(message)

        def receive(seconds: float) -> bytes | None:
            return connection.recv_bytes() if connection.poll(seconds) else None

        connect(send, receive, root=False)
        run_worker()
    os._exit(0)  # without SCOOP's exit handler


def _prepare(connection: "Connection[Any, Any]", threads: int, work: bytes) -> None:
    os.environ["OMP_NUM_THREADS"] = str(threads)
    from fooldeap.engine import timeout
    from fooldeap.lazy_tensorflow import limit_threads

    def report_and_exit(message: str) -> None:
        connection.send((FAILURE, b"", f"{message} (in the worker process {os.getpid()})".encode()))
        os._exit(1)

    timeout.last_resort = report_and_exit
    limit_threads(threads)
    with contextlib.suppress(Exception):  # the first task will raise the same error
        task = pickle.loads(work)
        if task is not None:
            _ = task.probe


if __name__ == "__main__":
    main()
