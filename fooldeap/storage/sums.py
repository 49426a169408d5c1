"""Checksums: of the files of a finished folder, in the format of ``sha256sum``, and of the rows of growing files."""

import contextlib
import hashlib
import os
import re
import stat
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from fooldeap.errors import FileError, InputError
from fooldeap.storage import inputs
from fooldeap.storage.files import is_temporary
from fooldeap.storage.lock import LOCK

SUMS = "SHA256SUMS"
JOURNALS = "journal/"
PAGE = "report.html"  # can be made from the other files at any time
_UNLISTED = (SUMS, LOCK, PAGE)
_LINE = re.compile(rb"(\\?)([0-9a-f]{64}) [ *](.+)")
_ESCAPES = {b"\\": b"\\\\", b"\n": b"\\n", b"\r": b"\\r"}


def digest(content: bytes) -> str:
    """Return the SHA-256 of bytes, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def digest_of_images(path: Path) -> str:
    """Return the SHA-256 of images: of a file, of the pictures in a folder, or of the sums of a folder of fooldeap."""
    if not path.is_dir():
        return inputs.digest_of(path, named=True)
    if (path / SUMS).is_file():
        return inputs.digest_of(path / SUMS, named=True)
    return digest("".join(inputs.digest_of(each, named=True) for each in inputs.pictures_in(path)).encode())


def with_checksum(row: str) -> bytes:
    """Return a row of CSV as a line that ends with the row's checksum."""
    return f"{row},{zlib.crc32(row.encode()):08x}\n".encode()


def without_checksum(line: str) -> str | None:
    """Return the row in a line of `with_checksum`, or None if the line is damaged."""
    row = line.rpartition(",")[0]
    return row if line.encode() == with_checksum(row) else None


def listing(folder: Path, to_come: Mapping[str, bytes], *, without_journals: bool = False) -> bytes:
    """Return the checksums of a folder's files and of files that will be written next, as lines of ``SHA256SUMS``.

    With ``without_journals``, the journals will be removed.
    """
    names = [name for name in _files(folder) if not (without_journals and name.startswith(JOURNALS))]
    sums = {name: inputs.digest_of(folder / name) for name in names if name not in to_come}
    sums |= {name: digest(content) for name, content in to_come.items()}
    return b"".join(_line(name, each) for name, each in sorted(sums.items()))


def problems(folder: Path) -> list[str]:
    """Return the differences between a folder and its ``SHA256SUMS``, one line each, sorted by file.

    Raises
    ------
    FileError
        There is no ``SHA256SUMS``.
    """
    matches = _lines(folder)
    found = [f"{SUMS}: line {number} is damaged" for number, match in enumerate(matches, 1) if match is None]
    listed = {_name(match): match[2].decode() for match in matches if match and _name(match) not in _UNLISTED}
    there = set(_files(folder))
    if not lists_journals(folder):  # they may be left from a process that was killed before it removed them
        there = {name for name in there if not name.startswith(JOURNALS)}
    for name in sorted(listed.keys() | there):
        if name not in there:
            found.append(f"{name}: is missing")
        elif name not in listed:
            found.append(f"{name}: is not in {SUMS}")
        else:
            found += [f"{name}: {wrong}" for wrong in _wrong_with(folder / name, listed[name])]
    return found


def lists_journals(folder: Path) -> bool:
    """Return whether ``SHA256SUMS`` lists journals."""
    return any(match is not None and _name(match).startswith(JOURNALS) for match in _lines(folder))


def _lines(folder: Path) -> list[re.Match[bytes] | None]:
    return [_LINE.fullmatch(line) for line in inputs.read(folder / SUMS).splitlines()]


def strangers(folder: Path) -> Iterator[Path]:
    """Yield the paths below a folder that are neither files nor folders: links, pipes, devices."""
    for place, folders, names in os.walk(folder):
        for name in sorted([*folders, *names]):
            path = Path(place, name)
            with contextlib.suppress(FileNotFoundError):  # another process just removed it
                mode = path.lstat().st_mode
                if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                    yield path


def _files(folder: Path) -> Iterator[str]:
    """Yield the names of the files below a folder, relative to it, including links to folders.

    The list itself, the lock, the page, and temporary files of killed processes are left out.
    """
    for place, folders, names in os.walk(folder):
        for name in [*names, *(each for each in folders if Path(place, each).is_symlink())]:
            relative = Path(place, name).relative_to(folder).as_posix()
            if relative not in _UNLISTED and not any(map(is_temporary, Path(relative).parts)):
                yield relative


def _wrong_with(path: Path, expected: str) -> list[str]:
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            return ["is not a regular file"]
        found = inputs.digest_of(path)
    except (FileError, InputError, OSError) as error:
        return [f"cannot be read ({error})"]
    return [] if found == expected else [f"was changed: it does not match {SUMS}"]


def _line(name: str, sum_: str) -> bytes:
    raw = os.fsencode(name)
    escaped = re.sub(rb"[\\\n\r]", lambda match: _ESCAPES[match[0]], raw)
    return (b"\\" if escaped != raw else b"") + f"{sum_}  ".encode() + escaped + b"\n"


def _name(line: re.Match[bytes]) -> str:
    letters = {escape[1:]: byte for byte, escape in _ESCAPES.items()}
    name = re.sub(rb"\\([\\nr])", lambda match: letters[match[1]], line[3]) if line[1] else line[3]
    return os.fsdecode(name)
