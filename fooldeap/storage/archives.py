"""A strict reader of zip archives, for files from untrusted sources, and a writer of copies.

Two zip parsers may read different archives from the same file: one searches for the directory from the end, another
trusts its offset, and a third reads the parts in sequence. This reader accepts only files that all parsers read in the
same way. The parts start at offset 0 and follow each other without gaps. The directory follows the parts, and the end
record follows the directory and ends the file. Each part's own header agrees with its entry in the directory.

A library that loads an archive gets a copy, written from the parts that were read. It never gets the file itself.
"""

import io
import re
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fooldeap.storage.npz import most_unpacked

MOST_PARTS = 1 << 16

_HEADER = struct.Struct("<4s5H3L2H")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")
_DESCRIPTOR, _DESCRIPTOR64 = struct.Struct("<4s3L"), struct.Struct("<4sL2Q")
_FULL, _FULL_COUNT = 0xFFFFFFFF, 0xFFFF  # the value is in a zip64 field

_STORED, _DEFLATED = 0, 8
_DESCRIBED, _SPEED, _UTF8 = 0x0008, 0x0006, 0x0800  # flags: sizes follow the data; compression level; UTF-8 names
_NEWEST = 45  # the version of the format with zip64
_ZIP64 = 0x0001
# Extra fields that a header may have: zip64, PyTorch's padding, times and owners. Others may rename or encrypt a part.
_EXTRA = {_ZIP64, 0x4246, 0x5455, 0x5855, 0x7855, 0x7875, 0x000A}
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class ArchiveError(ValueError):
    """The file is not an archive, is damaged, or can be read in several ways. Messages have the form "has ..."."""


class UnsafeArchiveError(ArchiveError):
    """The archive would unpack to far more than its own size, or to a path outside the target folder."""


def write(parts: Mapping[str, bytes], target: IO[bytes]) -> None:
    """Write an archive of these parts, uncompressed. Equal parts give equal bytes."""
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in parts.items():
            archive.writestr(zipfile.ZipInfo(name), content)


def packed(parts: Mapping[str, bytes]) -> bytes:
    """Return an archive of these parts, see `write`."""
    target = io.BytesIO()
    write(parts, target)
    return target.getvalue()


class _Entry(NamedTuple):
    """The directory's entry of a part."""

    name: str
    raw_name: bytes
    flags: int
    method: int
    crc: int
    packed: int
    unpacked: int
    offset: int


class Archive:
    """The parts of a zip archive, by name. Folders are left out.

    Raises
    ------
    UnsafeArchiveError
        The archive would unpack to far more than its own size, or a name leads out of it.
    ArchiveError
        The content is not an archive, or parsers could read it in several ways.
    """

    def __init__(self, content: bytes) -> None:
        self._content = content
        entries, end = _directory(content)
        _check_names([entry.name for entry in entries])
        _check_size(entries, most_unpacked(len(content)))
        parts = _parts(content, sorted(entries, key=lambda entry: entry.offset), end)
        self._parts = {entry.name: (entry, start) for entry, start in parts if not entry.name.endswith("/")}

    @property
    def sizes(self) -> dict[str, int]:
        """The unpacked size of each part, in bytes."""
        return {name: entry.unpacked for name, (entry, _) in self._parts.items()}

    def read(self, name: str) -> bytes:
        """Return a part, unpacked.

        Raises
        ------
        ArchiveError
            The data does not match the directory.
        """
        entry, start = self._parts[name]
        found = self._content[start : start + entry.packed]
        if entry.method == _DEFLATED:
            found = _inflated(found, entry)
        if zlib.crc32(found) != entry.crc:
            raise ArchiveError(f"has a part {name[:60]!r} with a wrong checksum")
        return found

    def array(self, name: str) -> NDArray[Any]:
        """Return an array that numpy saved as one part of a ``.npz`` archive. Pickled objects are refused.

        Raises
        ------
        ValueError
            The part is damaged, contains objects, or is not an array.
        """
        array: NDArray[Any] = np.lib.format.read_array(io.BytesIO(self.read(f"{name}.npy")), allow_pickle=False)
        return array

    def parts(self) -> dict[str, bytes]:
        """Return all parts, unpacked."""
        return {name: self.read(name) for name in self._parts}


def _inflated(data: bytes, entry: _Entry) -> bytes:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        found = inflater.decompress(data, entry.unpacked + 1)
    except zlib.error:
        raise ArchiveError(f"has a part {entry.name[:60]!r} with damaged data") from None
    if len(found) != entry.unpacked or not inflater.eof or inflater.unused_data:
        raise ArchiveError(f"has a part {entry.name[:60]!r} whose size differs from its directory entry")
    return found


# --- The directory --------------------------------------------------------------------------------------------------


def _directory(content: bytes) -> tuple[list[_Entry], int]:
    """Return the entries of the directory, and the offset where the directory starts."""
    count, size, start = _end(content)
    if count > MOST_PARTS:
        raise ArchiveError(f"has {count:,} parts, expected at most {MOST_PARTS:,}")
    entries, at = [], start
    for _ in range(count):
        entry, at = _entry(content, at, start + size)
        entries.append(entry)
    if at != start + size:
        raise ArchiveError("has a directory whose size differs from its end record")
    return entries, start


def _end(content: bytes) -> tuple[int, int, int]:
    """Return the number of entries, the size and the offset of the directory. The directory ends at the end records."""
    at = len(content) - _END.size
    if at < 0 or b"PK\5\6" not in content:
        raise ArchiveError("is not a zip archive")
    signature, *fields, comment = _END.unpack_from(content, at)
    if signature != b"PK\5\6" or comment:
        raise ArchiveError("has a comment or other bytes after its end record")
    if content[max(0, at - _LOCATOR.size) : at].startswith(b"PK\6\7"):
        fields, at = _end64(content, at - _LOCATOR.size, fields)
    disk, first, here, count, size, start = fields
    if disk or first or here != count:
        raise ArchiveError("is split into several volumes")
    if start + size != at:
        raise ArchiveError("has a directory whose offset differs from its end record")
    return count, size, start


def _end64(content: bytes, locator: int, fields: list[int]) -> tuple[list[int], int]:
    """Return the values of the zip64 end record, and its offset. Check that they agree with the other end record."""
    at = locator - _END64.size
    if at < 0 or _LOCATOR.unpack_from(content, locator)[1:] != (0, at, 1):
        raise ArchiveError("has a zip64 end record whose offset differs from its locator")
    signature, size, _, _, *found = _END64.unpack_from(content, at)
    if signature != b"PK\6\6" or size != _END64.size - 12:
        raise ArchiveError("has a damaged zip64 end record")
    full = [_FULL_COUNT] * 4 + [_FULL] * 2
    if any(short not in (value, most) for short, value, most in zip(fields, found, full, strict=True)):
        raise ArchiveError("has two end records that disagree")
    return found, at


def _entry(content: bytes, at: int, end: int) -> tuple[_Entry, int]:
    """Return the entry at an offset of the directory, and the offset of the next entry."""
    if at + _ENTRY.size > end or content[at : at + 4] != b"PK\1\2":
        raise ArchiveError("has a damaged directory")
    fields = _ENTRY.unpack_from(content, at)
    _, _, version, flags, method, _, _, crc, size, unpacked, name_size, extra_size, comment, disk, _, _, offset = fields
    name_end = at + _ENTRY.size + name_size
    if name_end + extra_size > end or comment or disk:
        raise ArchiveError("has a damaged directory, or comments in it")
    raw_name = content[at + _ENTRY.size : name_end]
    name = _decoded(raw_name, flags)
    if flags & ~(_DESCRIBED | _SPEED | _UTF8) or method not in (_STORED, _DEFLATED) or version > _NEWEST:
        raise ArchiveError(f"has a part {name[:60]!r} that is encrypted, or not compressed by deflate")
    unpacked, size, offset = _widened((unpacked, size, offset), _extra(content[name_end : name_end + extra_size]))
    if (method == _STORED and size != unpacked) or (name.endswith("/") and unpacked):
        raise ArchiveError(f"has a part {name[:60]!r} with two different sizes, or a folder with data")
    return _Entry(name, raw_name, flags, method, crc, size, unpacked, offset), name_end + extra_size


def _decoded(name: bytes, flags: int) -> str:
    try:
        return name.decode("utf-8" if flags & _UTF8 else "ascii")
    except UnicodeDecodeError:
        raise ArchiveError("has a part whose name is not UTF-8") from None


def _extra(content: bytes) -> bytes | None:
    """Return the zip64 field among the extra fields of a header, or None."""
    found, at = {}, 0
    while at < len(content):
        if at + 4 > len(content):
            raise ArchiveError("has a damaged extra field")
        kind, size = struct.unpack_from("<2H", content, at)
        if kind not in _EXTRA or kind in found or at + 4 + size > len(content):
            raise ArchiveError(f"has a damaged or unknown extra field {kind:#06x}")
        found[kind] = content[at + 4 : at + 4 + size]
        at += 4 + size
    return found.get(_ZIP64)


def _widened(values: tuple[int, ...], field: bytes | None) -> list[int]:
    """Return the values of a header. Values that are full are replaced by those in its zip64 field, in order."""
    missing = values.count(_FULL) if field is not None else 0
    if field is not None and len(field) != 8 * missing:
        raise ArchiveError("has a zip64 field of the wrong size")
    wide = iter(struct.unpack(f"<{missing}Q", field or b""))
    return [next(wide) if field is not None and value == _FULL else value for value in values]


def _check_names(names: list[str]) -> None:
    for name in names:
        if name.startswith("/") or "\\" in name or ":" in name or ".." in PurePosixPath(name).parts:
            raise UnsafeArchiveError(f"has a part {name[:60]!r} that leads out of the archive")
        if _CONTROL.search(name) or name.removesuffix("/") != str(PurePosixPath(name)):
            raise ArchiveError(f"has a part with an invalid name, {name[:60]!r}")
    # Some parsers ignore the case of names.
    for name, count in Counter(name.removesuffix("/").lower() for name in names).most_common(1):
        if count > 1:
            raise ArchiveError(f"has {count} parts named {name[:60]!r}")


def _check_size(entries: list[_Entry], most: int) -> None:
    unpacked = sum(entry.unpacked for entry in entries)
    if unpacked > most:
        raise UnsafeArchiveError(f"would unpack to {unpacked:,} bytes, far more than its own size")


# --- The parts ------------------------------------------------------------------------------------------------------


def _parts(content: bytes, entries: list[_Entry], end: int) -> Iterator[tuple[_Entry, int]]:
    """Yield the parts in the order of the file, with the offset of their data. Gaps and overlaps are refused."""
    at = 0
    for entry in entries:
        if entry.offset != at:
            raise ArchiveError(f"has a gap or an overlap before the part {entry.name[:60]!r}")
        start, wide = _header(content, entry, end)
        at = start + entry.packed
        if entry.flags & _DESCRIBED:
            at = _described(content, at, entry, end, wide)
        if at > end:
            raise ArchiveError(f"has a part {entry.name[:60]!r} that is cut short")
        yield entry, start
    if at != end:
        raise ArchiveError("has a gap before its directory")


def _header(content: bytes, entry: _Entry, end: int) -> tuple[int, bool]:
    """Check a part's header against its entry. Return the offset of the data, and whether it has a zip64 field."""
    at = entry.offset + _HEADER.size
    if at > end:
        raise ArchiveError(f"has a part {entry.name[:60]!r} that is cut short")
    fields = _HEADER.unpack_from(content, entry.offset)
    signature, version, flags, method, _, _, crc, size, unpacked, name_size, extra_size = fields
    start = at + name_size + extra_size
    wide = _extra(content[at + name_size : min(start, end)])
    unpacked, size = _widened((unpacked, size), wide)
    found = (signature, flags, method, content[at : at + name_size])
    sizes, expected = (crc, size, unpacked), (entry.crc, entry.packed, entry.unpacked)
    allowed = {expected, (0, 0, 0)} if flags & _DESCRIBED else {expected}
    if found != (b"PK\3\4", entry.flags, entry.method, entry.raw_name) or sizes not in allowed or version > _NEWEST:
        raise ArchiveError(f"has a part {entry.name[:60]!r} whose header differs from its directory entry")
    return start, wide is not None


def _described(content: bytes, at: int, entry: _Entry, end: int, wide: bool) -> int:
    """Check the descriptor after a part's data against its entry. Return the offset where the descriptor ends."""
    form = _DESCRIPTOR64 if wide else _DESCRIPTOR
    if at + form.size > end or form.unpack_from(content, at) != (b"PK\7\x08", entry.crc, entry.packed, entry.unpacked):
        raise ArchiveError(f"has a part {entry.name[:60]!r} whose descriptor differs from its directory entry")
    return at + form.size
