"""The program of a worker on this machine. Its settings are a line of JSON on the standard input."""

import asyncio
import fcntl
import json
import os
import select
import sys
import tempfile
from typing import Any


def main() -> None:
    """Run a Dask worker until the main process closes the standard input or ends."""
    settings = json.loads(sys.stdin.buffer.readline())
    # From now on, the kernel ends this process when the other end is closed, also if a plugin blocks the interpreter.
    fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(0, fcntl.F_SETFL, fcntl.fcntl(0, fcntl.F_GETFL) | os.O_ASYNC)
    if not select.select([0], [], [], 0)[0]:
        asyncio.run(_serve(**settings))
    os._exit(0)


async def _serve(scheduler: str, security: dict[str, str], name: str) -> None:
    import dask
    from distributed import Security, Worker

    from . import _dask_tasks

    class PrivateWorker(Worker):  # type: ignore[misc]
        """A worker without an HTTP server, which would have no password."""

        def start_http_server(self, *args: Any, **kwargs: Any) -> None:
            """Do nothing."""

    _dask_tasks.ends_if_hanging = True
    dask.config.set({"distributed.worker.profile.enabled": False, "distributed.worker.use-file-locking": False})
    keys = Security(require_encryption=True, **security)
    with tempfile.TemporaryDirectory() as folder:
        worker: Any = PrivateWorker(
            scheduler, name=name, security=keys, nthreads=1, memory_limit=0, local_directory=folder, host="127.0.0.1"
        )
        await worker  # then it needs the folder no more, because it keeps all data in memory
    await worker.finished()


if __name__ == "__main__":
    main()
