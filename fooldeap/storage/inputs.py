"""Reads files from untrusted sources: regular files only, up to a size limit, with one line for every error.

Every file that fooldeap reads as data is read here. A pipe or a device is refused before it is opened, so that no read
blocks or is unlimited.
"""

import contextlib
import csv
import errno
import hashlib
import io
import json
import os
import stat
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fooldeap.errors import InputError
from fooldeap.storage.files import file_error

# All functions are called as attributes of `os`, so that tests can replace them.
# ruff: noqa: PTH116

MOST_BYTES = 1 << 30  # of a file that is read completely
MOST_JSON = 1 << 26
MOST_TEXT = 1 << 20  # of a file that people write, such as a list of names
MOST_HASHED = 1 << 36  # of a file whose checksum is computed
MOST_PICTURE = 1 << 28  # of the file of a picture
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")  # the ends of the names of pictures
MOST_PIXELS = 1 << 26  # such as 8192 x 8192

_CHUNK = 1 << 24
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def read(path: Path, most: int = MOST_BYTES, *, named: bool = False) -> bytes:
    """Return the content of a file of at most ``most`` bytes.

    Parameters
    ----------
    path : the file
    most : maximum size in bytes
    named : whether the user named the file: then a symbolic link is followed, and every error is an `InputError`

    Raises
    ------
    InputError
        It is not a regular file, or it is too large.
    FileError
        The system cannot read it, or it is a symbolic link that is not followed.
    """
    return b"".join(_chunks(path, most, named))


def read_text(path: Path, most: int = MOST_TEXT, *, named: bool = False) -> str:
    """Return the content of a UTF-8 text file without a byte order mark. Parameters and errors are those of `read`."""
    try:
        return read(path, most, named=named).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not UTF-8 text (byte {error.start}); save it as UTF-8") from None


def read_json(path: Path, most: int = MOST_JSON, *, named: bool = False) -> Any:
    """Return the content of a JSON file. Parameters and errors are those of `read`.

    Raises
    ------
    ValueError
        The file is not valid JSON, or is nested too deeply.
    """
    return parsed(read(path, most, named=named))


def digest_of(path: Path, *, named: bool = False) -> str:
    """Return the SHA-256 of a file in hexadecimal, computed in chunks. Errors are those of `read`."""
    digest = hashlib.sha256()
    for chunk in _chunks(path, MOST_HASHED, named):
        digest.update(chunk)
    return digest.hexdigest()


@contextlib.contextmanager
def opened(path: Path, *, named: bool = False) -> Iterator[io.BufferedReader]:
    """Open a regular file for a reader with its own limits, see `fooldeap.storage.npz`."""
    with _descriptor(path, named) as descriptor, os.fdopen(os.dup(descriptor), "rb") as file:
        yield file


def parsed(content: bytes | str) -> Any:
    """Return the value of JSON text.

    Raises
    ------
    ValueError
        The text is not valid JSON, or is nested too deeply.
    """
    try:
        return json.loads(content)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def rows_of(content: bytes | str) -> list[dict[str, str]]:
    """Return the rows of CSV text with a header.

    Raises
    ------
    ValueError
        The text is not valid CSV, or a row has more or fewer cells than the header.
    """
    text = content.decode(errors="replace") if isinstance(content, bytes) else content
    reader = csv.DictReader(io.StringIO(text, newline=""))
    try:
        rows = list(reader)
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num} is not valid CSV ({error})") from None
    for number, row in enumerate(rows, 1):
        if None in row or None in row.values():
            raise ValueError(f"row {number} has more or fewer cells than the header")
    return rows


def _chunks(path: Path, most: int, named: bool) -> Iterator[bytes]:
    with _descriptor(path, named) as descriptor, _telling(path, named):
        found, size = os.fstat(descriptor).st_size, 0
        while found <= most and (chunk := os.read(descriptor, _CHUNK)):
            size += len(chunk)
            found = max(found, size)  # the file may grow, and some files of the kernel have no size
            yield chunk
    if found > most:
        raise InputError(f"{path}: got {found:,} bytes, expected at most {most:,}; use a smaller file")


@contextlib.contextmanager
def _descriptor(path: Path, named: bool) -> Iterator[int]:
    """Open a regular file.

    Its type is checked before opening, because opening a device may have effects, and after it, because of a race.
    """
    with _telling(path, named):
        try:
            mode = os.stat(path, follow_symlinks=named).st_mode
        except ValueError:  # a null character, or one that the file system cannot encode
            raise InputError(f"{str(path)!r}: is not a valid path; name a file") from None
        _refuse_others(path, mode)
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | (0 if named else os.O_NOFOLLOW)
        descriptor = os.open(path, flags)
    try:
        _refuse_others(path, os.fstat(descriptor).st_mode)
        yield descriptor
    finally:
        with _telling(path, named):
            os.close(descriptor)


def _refuse_others(path: Path, mode: int) -> None:
    if stat.S_ISLNK(mode):
        raise OSError(errno.ELOOP, "is a link")
    for is_it, name in _KINDS:
        if is_it(mode):
            raise InputError(f"{path}: is {name}, expected a regular file; use a regular file")


@contextlib.contextmanager
def _telling(path: Path, named: bool) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if not named:
            raise file_error(path, "read", error) from error
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            raise InputError(f"{path}: cannot be read ({error.strerror}); check its name") from error
        raise InputError(str(file_error(path, "read", error))) from error


def pictures_in(folder: Path) -> list[Path]:
    """Return the pictures in a folder and the folders below it, sorted by name. Hidden files, as of macOS, are not."""

    def is_picture(file: Path) -> bool:
        hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
        return file.suffix.lower() in PICTURES and not hidden and file.is_file()

    return sorted(filter(is_picture, folder.rglob("*")))


def decoded(content: bytes, formats: tuple[str, ...]) -> Any:
    """Return a picture as a `PIL.Image.Image`.

    Parameters
    ----------
    content : the content of the file
    formats : accepted formats, by Pillow's names: ``("PNG",)``

    Raises
    ------
    ValueError
        It is not a readable picture in these formats, or has more than `MOST_PIXELS` pixels.
    """
    from PIL import Image

    too_large = f"it has more than {MOST_PIXELS:,} pixels"
    try:
        with warnings.catch_warnings(action="ignore", category=Image.DecompressionBombWarning):
            picture = Image.open(io.BytesIO(content), formats=formats)
        if picture.width * picture.height <= MOST_PIXELS:
            picture.load()
            return picture
    except Image.DecompressionBombError:
        raise ValueError(too_large) from None
    except Exception as error:  # decoders raise many types of errors for damaged pictures
        raise ValueError(f"it is not a readable {' or '.join(formats)} picture ({type(error).__name__})") from None
    raise ValueError(too_large)
