"""The foreman of a host: a process of its own that keeps workers there, seen from the process that started it."""

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

PATIENCE = 5.0  # seconds that a foreman has to end in
READY_SECONDS = 180.0  # that the workers of a host have to load everything


class Owner(Protocol):
    """Who a foreman works for."""

    closed: bool

    @property
    def log(self) -> Any:
        """The file that takes what others say."""

    def lost(self, address: str) -> None:
        """Take note of a worker that is gone."""

    def failed(self, message: str) -> None:
        """Take note that a machine cannot be used."""

    def last_words(self) -> str:
        """Return the last line that the others said."""


class Foreman:
    """A foreman's process, and a thread that listens to what it tells."""

    def __init__(self, pool: Owner, host: Host, command: list[str], settings: dict[str, Any]) -> None:
        self._pool, self._host = pool, host
        self._addresses: dict[int, str] = {}
        self._was_ready = self._given_up = False
        try:
            # A session of its own: Ctrl-C is for the root, which ends it by closing its standard input.
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=pool.log, start_new_session=True
            )
        except OSError as error:
            raise RunError(f"{host.name}: {command[0]} cannot be started ({error.strerror})") from error
        self._listener = threading.Thread(target=self._listen, args=(settings,), daemon=True)
        self._listener.start()

    @property
    def ready(self) -> bool:
        """Whether all workers of the host are."""
        return len(self._addresses) >= self._host.workers

    def check(self, seconds: float) -> None:
        """Have the run fail where no worker got ready in time; it took so many seconds until now."""
        if seconds > READY_SECONDS and not self._was_ready and not self._given_up:
            self._complain(f"was not ready after {READY_SECONDS:.0f} s")

    @property
    def never_ready(self) -> str:
        """Say so where no worker got ready until now."""
        idle = not self._was_ready and not self._given_up
        return f"workers on {self._host.name} were not ready before the end; others did all the work" if idle else ""

    def dismiss(self) -> None:
        """Have it end, and its workers with it."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):  # it is gone already
                self._process.stdin.close()

    def wait(self) -> None:
        """Wait until it ended; end it by force where that takes too long."""
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)  # its workers as well: it has a session of its own
            self._process.wait()
        self._listener.join(PATIENCE)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _listen(self, settings: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(OSError):  # the end of its output tells
            self._process.stdin.write(json.dumps(settings).encode() + b"\n")
            self._process.stdin.flush()
        for line in self._process.stdout:
            try:
                message = json.loads(line)
                self._hear(message)
            except (ValueError, KeyError, TypeError):
                os.write(self._pool.log.fileno(), line)  # not from us: what the other machine's shell has to say
        for address in self._addresses.values():
            self._pool.lost(address)
        if not self._pool.closed and not self._given_up:
            self._complain("lost its foreman" if self._was_ready else "did not start")

    def _hear(self, message: dict[str, Any]) -> None:
        if "ready" in message:
            self._was_ready = True
            self._addresses[message["process"]] = message["ready"]
        elif "hangs" in message:
            self._pool.failed(str(message["hangs"]))
        elif message["gone"] in self._addresses:
            self._pool.lost(self._addresses.pop(message["gone"]))
            if not message["again"]:
                self._complain("ended again and again")
        elif not message["again"]:
            self._complain("did not start")

    def _complain(self, what: str) -> None:
        if self._pool.closed:
            return
        self._given_up = True
        text = f"workers on {self._host.name}: one {what}; the last that was said: {self._pool.last_words()}"
        if self._was_ready:
            warnings.warn(f"{text}; the run goes on without it", FooldeapWarning, stacklevel=1)
        else:
            self._pool.failed(text)
