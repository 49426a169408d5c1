"""A cluster on this machine: Dask's scheduler in a thread of this process, and worker processes."""

import contextlib
import json
import logging
import os
import subprocess
import sys
import tempfile
from typing import Any

from distributed import Scheduler, Security
from distributed.deploy.spec import SpecCluster

from fooldeap.errors import RunError

RESTARTS = 3  # of each worker
END_SECONDS = 5.0  # seconds within which a worker must end
_KEYS = ("tls_ca_file", "tls_client_cert", "tls_client_key", "tls_worker_cert", "tls_worker_key")


class Log:
    """A temporary file for the output of workers and for the warnings of Dask in this process."""

    def __init__(self) -> None:
        self.file = tempfile.TemporaryFile("w+", errors="replace", buffering=1)  # noqa: SIM115 - closed with the log
        loggers = [logging.getLogger(name) for name in ("distributed", "distributed.client", "tornado")]
        handlers = {each for logger in loggers for each in logger.handlers if type(each) is logging.StreamHandler}
        self._redirected = [(each, each.level, each.setStream(self.file)) for each in handlers]
        for handler in handlers:
            handler.setLevel(logging.WARNING)

    def last_line(self) -> str:
        """Return the last line."""
        descriptor = self.file.fileno()
        size = os.fstat(descriptor).st_size
        lines = os.pread(descriptor, 4096, max(0, size - 4096)).decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "none")

    def close(self) -> str:
        """Close the file and return its content."""
        for handler, level, stream in self._redirected:
            handler.setStream(stream)
            handler.setLevel(level)
        self.file.seek(0)
        with self.file:
            return self.file.read()


class PrivateScheduler(Scheduler):  # type: ignore[misc]
    """A scheduler without an HTTP server, which would have no password."""

    def start_http_server(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing."""


class OwnCluster:
    """A cluster that listens on the loopback interface only. All its connections use a certificate made for it."""

    def __init__(self, workers: int, threads: int, dashboard: bool, log: Log) -> None:
        self._log = log
        security: Any = Security.temporary()
        options = {"host": "127.0.0.1", "protocol": "tls", "port": 0, "security": security, "dashboard": dashboard}
        options["dashboard_address"] = "127.0.0.1:0"
        scheduler = {"cls": Scheduler if dashboard else PrivateScheduler, "options": options}
        self.cluster: Any = SpecCluster(workers={}, scheduler=scheduler, security=security, silence_logs=False)
        self._environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "DASK_LOGGING__DISTRIBUTED": "warning"}
        keys = {name: getattr(security, name) for name in _KEYS}
        self._settings = {"scheduler": self.cluster.scheduler_address, "security": keys}
        self._starts = [0] * workers
        self._processes = [self._start(number) for number in range(workers)]

    def check(self) -> None:
        """Start workers that have ended again. Make the run fail if none is left."""
        for number, process in enumerate(self._processes):
            if process.poll() is not None and self._starts[number] <= RESTARTS:
                _close(process)
                self._processes[number] = self._start(number)
        if all(process.poll() is not None for process in self._processes):
            raise RunError(f"all Dask workers ended repeatedly; last output: {self._log.last_line()}")

    def close(self) -> None:
        """End all processes and the scheduler."""
        for process in self._processes:
            _close(process)
        for process in self._processes:
            try:
                process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.cluster.close()

    def _start(self, number: int) -> "subprocess.Popen[bytes]":
        # -P: import nothing from the current folder. In a session of its own, Ctrl-C reaches only the main process.
        command = [sys.executable, "-P", "-m", "fooldeap_plugins.executor._dask_worker"]
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=self._log.file,
            stderr=self._log.file,
            env=self._environment,
            start_new_session=True,
        )
        assert process.stdin is not None
        with contextlib.suppress(OSError):  # it has ended
            settings = {**self._settings, "name": f"{number}.{self._starts[number]}"}
            process.stdin.write(json.dumps(settings).encode() + b"\n")
            process.stdin.flush()
        self._starts[number] += 1
        return process


def _close(process: "subprocess.Popen[bytes]") -> None:
    """Close the standard input of a worker, which ends it."""
    if process.stdin is not None:
        process.stdin.close()
