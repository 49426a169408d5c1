"""The hosts of the workers, and the commands that start supervisors on them."""

import re
import shlex
import socket
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from fooldeap.plugin import InputError
from fooldeap.storage.inputs import read_text

MOST_WORKERS = 1024  # on one machine
MODULE = ("-P", "-m", "fooldeap_plugins.executor._worker")  # -P: import nothing from the current folder
# Names that ssh or a shell could take for an option or a command are refused.
_NAME = re.compile(r"([A-Za-z0-9_][A-Za-z0-9_.-]*@)?[A-Za-z0-9_:][A-Za-z0-9_.:-]*")
_LOCAL = {"localhost", "127.0.0.1", "::1", socket.gethostname()}


class Host(NamedTuple):
    """A host, and the number of workers to start there."""

    name: str
    workers: int
    local: bool

    def command(self, tunnels: Iterable[str], ssh: str, python: str | None) -> list[str]:
        """Return the command that starts a supervisor on the host.

        ``tunnels`` are the forwardings of its sockets to those of this process, in the format of ``ssh -R``.
        """
        supervisor = [python or sys.executable, *MODULE]
        if self.local:
            return [sys.executable, *MODULE]
        settings = ("BatchMode=yes", "ExitOnForwardFailure=yes", "ServerAliveInterval=15", "ConnectTimeout=10")
        options = [word for option in settings for word in ("-o", option)]
        forwarded = [word for tunnel in tunnels for word in ("-R", tunnel)]
        try:
            return [*shlex.split(ssh), *options, *forwarded, self.name, shlex.join(supervisor)]
        except ValueError as error:
            raise InputError(f"ssh: got {ssh!r}, expected a command ({error}); close the quotation marks") from None


def this_machine(workers: int) -> Host:
    """Return this machine as a host."""
    return Host("localhost", workers, True)


def read_hosts(path: str) -> list[Host]:
    """Read a hosts file.

    Each line has a host name and a number of workers. ``#`` starts a comment.
    """
    try:
        lines = read_text(Path(path), named=True).splitlines()
    except InputError as error:
        raise InputError(f"hosts: {error}") from None
    hosts = [
        _parse_line(f"{path}:{number}", line) for number, line in enumerate(lines, 1) if line.split("#")[0].strip()
    ]
    names = [host.name for host in hosts]
    duplicate = next((name for name in names if names.count(name) > 1), None)
    if duplicate:
        raise InputError(f"hosts: {path} lists {duplicate!r} twice; list each host once, with all its workers")
    if not hosts:
        raise InputError(f"hosts: {path} lists no host; write one host name and number of workers per line: node7 16")
    return hosts


def _parse_line(where: str, line: str) -> Host:
    name, *rest = line.split("#")[0].split()
    count = rest[0] if len(rest) == 1 and re.fullmatch("[0-9]{1,4}", rest[0]) else "0"
    if not 1 <= int(count) <= MOST_WORKERS or not _NAME.fullmatch(name):
        raise InputError(
            f"hosts: {where}: got {line.strip()[:60]!r}, expected a host name and a number of workers: node7 16"
        )
    return Host(name, int(count), name in _LOCAL)
