"""The machines that workers run on, and how a foreman is started on each."""

import shlex
import socket
import sys
from pathlib import Path
from typing import NamedTuple

from fooldeap.plugin import InputError

WORKER = "fooldeap_plugins.executor._worker"
_LOCAL = {"localhost", "127.0.0.1", "::1", socket.gethostname()}


class Host(NamedTuple):
    """A machine, and how many workers shall run there."""

    name: str
    workers: int
    local: bool

    def command(self, ports: tuple[int, ...], ssh: str, python: str | None) -> list[str]:
        """Return the command that runs a foreman there; ``ports`` of our loopback are lent to the other machine's."""
        foreman = [python or sys.executable, "-m", WORKER]
        if self.local:
            return [sys.executable, "-m", WORKER]
        tunnels = [word for port in ports for word in ("-R", f"127.0.0.1:{port}:127.0.0.1:{port}")]
        wanted = ("BatchMode=yes", "ExitOnForwardFailure=yes", "ServerAliveInterval=15", "ConnectTimeout=10")
        options = [word for option in wanted for word in ("-o", option)]
        return [*shlex.split(ssh), *options, *tunnels, self.name, shlex.join(foreman)]


def here(workers: int) -> Host:
    """Return this machine."""
    return Host("localhost", workers, True)


def read(path: str) -> list[Host]:
    """Read a file with a host name and a number of workers a line; ``#`` begins a comment."""
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"hosts: {path} cannot be read ({error})") from None
    hosts = [_host(f"{path}:{number}", line) for number, line in enumerate(lines, 1) if line.split("#")[0].strip()]
    names = [host.name for host in hosts]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise InputError(f"hosts: {path} names {twice!r} twice; name each host once, with all its workers")
    if not hosts:
        raise InputError(f"hosts: {path} names no host; write a host name and a number of workers a line: node7 16")
    return hosts


def _host(place: str, line: str) -> Host:
    name, *rest = line.split("#")[0].split()
    if len(rest) != 1 or not rest[0].isdigit() or not 1 <= int(rest[0]) <= 1024 or name.startswith("-"):
        raise InputError(
            f"hosts: {place}: got {line.strip()!r}, expected a host name and a number of workers: node7 16"
        )
    return Host(name, int(rest[0]), name in _LOCAL)
