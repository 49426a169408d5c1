"""A Dask scheduler and workers that fooldeap did not start."""

import contextlib
import json
import os
import signal
import subprocess
import sys

from distributed import Security

from helpers.parallel import wait_for


class Cluster:
    """A scheduler and workers on the loopback interface.

    Attributes
    ----------
    address : of the scheduler
    file : the file that the scheduler wrote
    scheduler, workers : their processes
    keys : the keys of the executor for TLS, if the cluster uses it
    """

    def __init__(self, folder, *, tls=False):
        folder.mkdir(exist_ok=True)
        self.file, self._folder, self.keys, self._tls = folder / "scheduler.json", folder, {}, []
        if tls:
            self._write_keys(Security.temporary())
        self.workers = []
        self.scheduler = self._start("scheduler", "--port", "0", "--scheduler-file", str(self.file))
        wait_for(lambda: self.file.exists() and self.file.stat().st_size, self.scheduler)
        self.address = json.loads(self.file.read_text())["address"]

    def add_worker(self, *words):
        worker = self._start("worker", self.address, "--no-nanny", "--local-directory", str(self._folder), *words)
        self.workers.append(worker)
        return worker

    def close(self):
        for process in (*self.workers, self.scheduler):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _write_keys(self, security):
        for name, text in (("ca", security.tls_ca_file), ("key", security.tls_client_key)):
            (self._folder / f"{name}.pem").write_text(text)
        ca, key = (str(self._folder / f"{name}.pem") for name in ("ca", "key"))
        self.keys = {"tls_ca": ca, "tls_cert": ca, "tls_key": key}
        self._tls = ["--tls-ca-file", ca, "--tls-cert", ca, "--tls-key", key, "--protocol", "tls"]

    def _start(self, kind, *words):
        command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", "--host", "127.0.0.1", "--no-dashboard"]
        with (self._folder / f"{kind}.log").open("a") as log:
            return subprocess.Popen([*command, *self._tls, *words], stdout=log, stderr=log, start_new_session=True)


@contextlib.contextmanager
def cluster(folder, workers=0, *words, tls=False):
    """Yield a cluster, and end it after the block."""
    made = Cluster(folder, tls=tls)
    try:
        for _ in range(workers):
            made.add_worker("--nthreads", "1", *words)
        yield made
    finally:
        made.close()
