"""The main process's view of a supervisor: a process on each host that starts the workers there."""

import contextlib
import json
import os
import signal
import subprocess
import threading
import warnings
from typing import Any, Protocol

from fooldeap.errors import FooldeapWarning, RunError

from ._hosts import Host

END_SECONDS = 5.0  # seconds within which a supervisor must end
READY_SECONDS = 180.0  # within which the first worker of a host must be ready


class Owner(Protocol):
    """The pool that a supervisor belongs to."""

    closed: bool

    @property
    def log(self) -> Any:
        """The file for the output of other processes."""

    def handle_lost_worker(self, address: str) -> None:
        """Handle the loss of a worker."""

    def fail(self, message: str) -> None:
        """Make the run fail because a host cannot be used."""

    def last_line(self) -> str:
        """Return the last line of the output of other processes."""


class Supervisor:
    """A supervisor process, and a thread that reads its messages."""

    def __init__(self, pool: Owner, host: Host, command: list[str], settings: dict[str, Any]) -> None:
        self._pool, self._host = pool, host
        self._addresses: dict[int, str] = {}
        self._was_ready = self._reported = False
        try:
            # In a session of its own, Ctrl-C reaches only the main process, which then closes the standard input.
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=pool.log, start_new_session=True
            )
        except OSError as error:
            raise RunError(f"{host.name}: {command[0]} cannot be started ({error.strerror})") from error
        self._listener = threading.Thread(target=self._listen, args=(settings,), daemon=True)
        self._listener.start()

    @property
    def ready(self) -> bool:
        """Whether all workers of the host are ready."""
        return len(self._addresses) >= self._host.workers

    def check(self, seconds: float) -> None:
        """Make the run fail if no worker is ready after `READY_SECONDS`. ``seconds`` is the time since the start."""
        if seconds > READY_SECONDS and not self._was_ready and not self._reported:
            self._report(f"no worker was ready after {READY_SECONDS:.0f} s")

    @property
    def idle_warning(self) -> str:
        """A warning if no worker was ready until now, else an empty text."""
        is_idle = not self._was_ready and not self._reported
        return f"workers on {self._host.name} were not ready before the run ended and did no work" if is_idle else ""

    def stop(self) -> None:
        """Tell the supervisor and its workers to end."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):  # it has ended already
                self._process.stdin.close()

    def wait(self) -> None:
        """Wait until the supervisor has ended. Kill it after `END_SECONDS`."""
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)  # the process group includes its workers
            self._process.wait()
        self._listener.join(END_SECONDS)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _listen(self, settings: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(OSError):  # it has ended; the loop below ends too
            self._process.stdin.write(json.dumps(settings).encode() + b"\n")
            self._process.stdin.flush()
        for line in self._process.stdout:
            try:
                message = json.loads(line)
                self._handle(message)
            except (ValueError, KeyError, TypeError):
                os.write(self._pool.log.fileno(), line)  # output of the remote shell, not a message
        for address in self._addresses.values():
            self._pool.handle_lost_worker(address)
        if not self._pool.closed and not self._reported:
            self._report("their supervisor process ended" if self._was_ready else "they did not start")

    def _handle(self, message: dict[str, Any]) -> None:
        if "ready" in message:
            self._was_ready = True
            self._addresses[message["process"]] = message["ready"]
        elif "hangs" in message:
            self._pool.fail(str(message["hangs"]))
        elif message["gone"] in self._addresses:
            self._pool.handle_lost_worker(self._addresses.pop(message["gone"]))
            if not message["again"]:
                self._report("one of them ended repeatedly")
        elif not message["again"]:
            self._report("they did not start")

    def _report(self, problem: str) -> None:
        """Warn or, if no worker was ever ready, make the run fail."""
        if self._pool.closed:
            return
        self._reported = True
        text = f"workers on {self._host.name}: {problem}; last output: {self._pool.last_line()}"
        if self._was_ready:
            warnings.warn(f"{text}; the run continues", FooldeapWarning, stacklevel=1)
        else:
            self._pool.fail(text)
