"""What a process and its descendants do, read from /proc: who they are, and where they listen."""

import re
from pathlib import Path

LISTENS = "0A"
ACCEPTS = 0x10000


def descendants(root: int) -> list[int]:
    """Return the processes that ``root`` started, and those started them, as far as they live."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile
        if fields[0] != "Z":
            parents[int(folder.name)] = int(fields[1])
    found, more = [], [root]
    while more:
        more = [process for process, parent in parents.items() if parent in more]
        found += more
    return found


def named(words: str) -> list[int]:
    """Return the processes whose command has these words in it."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if words in command:
            found.append(int(folder.name))
    return found


def listening(processes: list[int]) -> set[str]:
    """Return the addresses, as the kernel writes them, on which one of the processes listens by TCP."""
    owned, addresses = _sockets(processes), set()
    for table in ("tcp", "tcp6"):
        for line in Path("/proc/net", table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == LISTENS and fields[9] in owned:
                addresses.add(fields[1].rpartition(":")[0])
    return addresses


def unix_sockets(processes: list[int]) -> set[Path]:
    """Return the files on which one of the processes listens."""
    owned, files = _sockets(processes), set()
    for line in Path("/proc/net/unix").read_text().splitlines()[1:]:
        fields = line.split()
        if len(fields) == 8 and fields[6] in owned and int(fields[3], 16) & ACCEPTS:
            files.add(Path(fields[7]))
    return files


def _sockets(processes: list[int]) -> set[str]:
    """Return the inodes of the sockets of processes."""
    owned = set()
    for process in processes:
        for descriptor in Path(f"/proc/{process}/fd").glob("*"):
            try:
                owned.add(re.sub(r"\D", "", str(descriptor.readlink())))
            except OSError:
                continue
    return owned
