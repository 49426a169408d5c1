"""The machines that workers run on, and how a foreman is started on each."""

import re
import shlex
import socket
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from fooldeap.plugin import InputError
from fooldeap.storage.inputs import read_text

MOST_WORKERS = 1024  # on a machine
MODULE = ("-P", "-m", "fooldeap_plugins.executor._worker")  # -P: no module of the folder that one happens to be in
# What ssh, or a shell on the way, could take for an option or a command is no host.
_NAME = re.compile(r"([A-Za-z0-9_][A-Za-z0-9_.-]*@)?[A-Za-z0-9_:][A-Za-z0-9_.:-]*")
_LOCAL = {"localhost", "127.0.0.1", "::1", socket.gethostname()}


class Host(NamedTuple):
    """A machine, and how many workers shall run there."""

    name: str
    workers: int
    local: bool

    def command(self, tunnels: Iterable[str], ssh: str, python: str | None) -> list[str]:
        """Return the command that runs a foreman there; ``tunnels`` lead from its sockets to ours."""
        foreman = [python or sys.executable, *MODULE]
        if self.local:
            return [sys.executable, *MODULE]
        wanted = ("BatchMode=yes", "ExitOnForwardFailure=yes", "ServerAliveInterval=15", "ConnectTimeout=10")
        options = [word for option in wanted for word in ("-o", option)]
        forwarded = [word for tunnel in tunnels for word in ("-R", tunnel)]
        try:
            return [*shlex.split(ssh), *options, *forwarded, self.name, shlex.join(foreman)]
        except ValueError as error:
            raise InputError(f"ssh: got {ssh!r}, which is no command ({error}); close its quotation marks") from None


def here(workers: int) -> Host:
    """Return this machine."""
    return Host("localhost", workers, True)


def read(path: str) -> list[Host]:
    """Read a file with a host name and a number of workers a line; ``#`` begins a comment."""
    try:
        lines = read_text(Path(path), named=True).splitlines()
    except InputError as error:
        raise InputError(f"hosts: {error}") from None
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
    count = rest[0] if len(rest) == 1 and re.fullmatch("[0-9]{1,4}", rest[0]) else "0"
    if not 1 <= int(count) <= MOST_WORKERS or not _NAME.fullmatch(name):
        raise InputError(
            f"hosts: {place}: got {line.strip()[:60]!r}, expected a host name and a number of workers: node7 16"
        )
    return Host(name, int(count), name in _LOCAL)
