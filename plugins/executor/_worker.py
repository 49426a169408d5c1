"""The program of a worker process. Its argument is the descriptor of the socket to the main process."""

import contextlib
import fcntl
import os
import select
import sys
from multiprocessing.connection import Connection
from typing import Any

from fooldeap.lazy_tensorflow import limit_threads


def main() -> None:
    """Call the function that the main process sends. End when the main process ends."""
    # The kernel ends this process when the other end of the standard input is closed, also if a plugin blocks the
    # interpreter.
    fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(0, fcntl.F_SETFL, fcntl.fcntl(0, fcntl.F_GETFL) | os.O_ASYNC)
    if not select.select([0], [], [], 0)[0]:
        connection: Connection[Any, Any] = Connection(int(sys.argv[1]))
        with contextlib.suppress(EOFError, OSError):  # the main process has ended
            threads, function, settings = connection.recv()
            limit_threads(threads)
            function(connection, **settings)
    os._exit(0)  # without exit handlers, such as SCOOP's


if __name__ == "__main__":
    main()
