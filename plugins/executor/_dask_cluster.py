"""A cluster on this machine: Dask's scheduler in a thread of this process, and worker processes."""

import asyncio
import contextlib
import logging
import tempfile
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any

import dask
from distributed import Scheduler, Security, Worker
from distributed.deploy.spec import SpecCluster

from . import _dask_tasks, _workers

_KEYS = ("tls_ca_file", "tls_client_cert", "tls_client_key", "tls_worker_cert", "tls_worker_key")


class _Private:
    """A scheduler or worker without an HTTP server, which would have no password."""

    def start_http_server(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing."""


class _PrivateScheduler(_Private, Scheduler):  # type: ignore[misc]
    pass


class _PrivateWorker(_Private, Worker):  # type: ignore[misc]
    pass


class OwnCluster(_workers.Workers):
    """A cluster that listens on the loopback interface only. All its connections use a certificate made for it."""

    def __init__(self, count: int, threads: int, dashboard: bool) -> None:
        security: Any = Security.temporary()
        options = {"host": "127.0.0.1", "protocol": "tls", "port": 0, "security": security, "dashboard": dashboard}
        options["dashboard_address"] = "127.0.0.1:0"
        scheduler = {"cls": Scheduler if dashboard else _PrivateScheduler, "options": options}
        self.cluster: Any = SpecCluster(workers={}, scheduler=scheduler, security=security, silence_logs=False)
        keys = {name: getattr(security, name) for name in _KEYS}
        super().__init__(count, threads, run_worker, scheduler=self.cluster.scheduler_address, keys=keys)

    def close(self) -> str:
        """End all processes and the scheduler, and return the output of the workers."""
        try:
            return super().close()
        finally:
            self.cluster.close()

    def serve(self, worker: _workers.Worker) -> None:
        """Wait until a worker ends."""
        worker.process.wait()

    def give_up(self) -> None:
        """Make the run fail if no worker is left."""
        if not self.left:
            self.failure = f"all Dask workers ended repeatedly; last output: {self.last_output()}"


def run_worker(connection: "Connection[Any, Any]", scheduler: str, keys: dict[str, str]) -> None:
    """Run a Dask worker until this process ends."""
    _dask_tasks.ends_if_hanging = True
    dask.config.set({"distributed.worker.profile.enabled": False, "distributed.worker.use-file-locking": False})
    logging.getLogger("distributed").setLevel(logging.WARNING)
    asyncio.run(_serve(scheduler, Security(require_encryption=True, **keys)))


async def _serve(scheduler: str, security: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        options = {"nthreads": 1, "memory_limit": 0, "local_directory": folder, "host": "127.0.0.1"}
        worker: Any = _PrivateWorker(scheduler, security=security, **options)
        await worker  # then it needs the folder no more, because it keeps all data in memory
    await worker.finished()


@contextlib.contextmanager
def warnings_in(file: Any) -> Iterator[None]:
    """Write Dask's warnings in this process to a file."""
    loggers = [logging.getLogger(name) for name in ("distributed", "distributed.client", "tornado")]
    handlers = {each for logger in loggers for each in logger.handlers if type(each) is logging.StreamHandler}
    redirected = [(each, each.level, each.setStream(file)) for each in handlers]
    for handler in handlers:
        handler.setLevel(logging.WARNING)
    try:
        yield
    finally:
        for handler, level, stream in redirected:
            handler.setStream(stream)
            handler.setLevel(level)
