"""Zip archives written byte by byte: good ones, and hostile ones made of the parts of a good one."""

import struct
import zlib
from dataclasses import dataclass, field, replace

FULL, FULL_COUNT = 0xFFFFFFFF, 0xFFFF
DESCRIBED, ENCRYPTED, STRONGLY, UTF8 = 1 << 3, 1 << 0, 1 << 6, 1 << 11


@dataclass(frozen=True)
class Part:
    """A part of an archive, and what its header and its directory entry say otherwise than they should."""

    name: bytes
    data: bytes
    stored: bytes | None = None  # the data as it is in the file; None: the data itself, not deflated
    header: dict = field(default_factory=dict)
    entry: dict = field(default_factory=dict)
    header_extra: bytes = b""
    entry_extra: bytes = b""
    comment: bytes = b""
    before: bytes = b""
    after: bytes = b""  # a descriptor, or a gap

    def said(self, **otherwise):
        stored = self.data if self.stored is None else self.stored
        values = {
            "version": 20,
            "flags": 0,
            "method": 0 if self.stored is None else 8,
            "crc": zlib.crc32(self.data),
            "packed": len(stored),
            "size": len(self.data),
            "name": self.name,
        }
        return stored, {**values, **otherwise}

    def in_file(self):
        stored, said = self.said(**self.header)
        form, lengths = "<4s5H3L2H", (len(said["name"]), len(self.header_extra))
        sizes = (said["crc"], said["packed"], said["size"])
        head = struct.pack(form, b"PK\3\4", said["version"], said["flags"], said["method"], 0, 33, *sizes, *lengths)
        return head + said["name"] + self.header_extra + stored + self.after

    def in_directory(self, offset):
        _, said = self.said(**{"offset": offset, "disk": 0, **self.entry})
        form, lengths = "<4s6H3L5H2L", (len(said["name"]), len(self.entry_extra), len(self.comment))
        sizes = (said["crc"], said["packed"], said["size"])
        head = struct.pack(
            *(form, b"PK\1\2", 20, said["version"], said["flags"], said["method"], 0, 33, *sizes, *lengths),
            *(said["disk"], 0, 0, said["offset"]),
        )
        return head + said["name"] + self.entry_extra + self.comment


def of(content):
    """Return the parts of a good archive, by name."""
    return [Part(name.encode(), data) for name, data in content.items()]


def deflated(part, data=None, **otherwise):
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    data = part.data if data is None else data
    return replace(part, data=data, stored=packer.compress(data) + packer.flush(), **otherwise)


def body(parts, start=0):
    """Return the parts one after another, and the directory of them."""
    content, directory = b"", b""
    for part in parts:
        content += part.before
        directory += part.in_directory(start + len(content))
        content += part.in_file()
    return content, directory


def end(at, directory, number, /, comment=b"", **otherwise):
    said = {"disk": 0, "first": 0, "here": number, "count": number, "size": len(directory), "start": at, **otherwise}
    return struct.pack("<4s4H2LH", b"PK\5\6", *said.values(), len(comment)) + comment


def end64(at, directory, number, /, **otherwise):
    """Return the end record of zip64 and its locator, to be put behind the directory."""
    said = {"disk": 0, "first": 0, "here": number, "count": number, "size": len(directory), "start": at}
    said |= {"locator": at + len(directory), **otherwise}
    record = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, *list(said.values())[:6])
    return record + struct.pack("<4sLQL", b"PK\6\7", 0, said["locator"], 1)


def archive(parts, **otherwise):
    """Return an archive; its end record may say otherwise than it should."""
    content, directory = body(parts)
    return content + directory + end(len(content), directory, len(parts), **otherwise)


def archive64(parts, short=None, **otherwise):
    """Return an archive with the end record of zip64 as well."""
    content, directory = body(parts)
    wide = end64(len(content), directory, len(parts), **otherwise)
    return content + directory + wide + end(len(content), directory, len(parts), **(short or {}))


# --- Hostile archives: of good parts, and of evil ones of the same names ------------------------------------------


def one(change):
    """Return an archive with its first part changed."""

    def made(good, evil):
        return archive([change(good[0]), *good[1:]])

    return made


def more(*parts):
    """Return an archive with parts added."""

    def made(good, evil):
        return archive([*good, *(part if isinstance(part, Part) else part(good, evil) for part in parts)])

    return made


def header(**otherwise):
    return one(lambda part: replace(part, header=otherwise))


def entry(**otherwise):
    return one(lambda part: replace(part, entry=otherwise))


def both(**otherwise):
    return one(lambda part: replace(part, header=otherwise, entry=otherwise))


def flagged(flags):
    return {"header": {"flags": flags}, "entry": {"flags": flags}}


def named(name):
    return more(Part(name, b"x"))


def ended(**otherwise):
    return lambda good, evil: archive(good, **otherwise)


def extra(field_):
    return one(lambda part: replace(part, header_extra=field_, entry_extra=field_))


def descriptor(part, **otherwise):
    _, said = part.said(**otherwise)
    after = struct.pack("<4s3L", b"PK\7\x08", said["crc"], said["packed"], said["size"])
    header = {"flags": DESCRIBED, "crc": 0, "packed": 0, "size": 0}
    return replace(part, header=header, entry={"flags": DESCRIBED}, after=after)


def prefixed(good, evil):
    """A prefix, as self-extracting archives have; the offsets count from behind it."""
    return b"#!/bin/sh\n" + archive(good)


def prefixed_in_offsets(good, evil):
    content, directory = body(good, start=10)
    return b"#!/bin/sh\n" + content + directory + end(10 + len(content), directory, len(good))


def two_directories(good, evil):
    """The evil parts and their directory, then the good ones and theirs: the offset leads to the first directory.

    PyTorch reads the first, which is where the end record says; Python reads the second, which ends at the end record.
    """
    evil_content, evil_directory = body(evil)
    size = len(body(good)[0])
    evil_content = evil_content.ljust(size, b"\0")
    content, directory = body(good, start=len(evil_content) - size)
    assert len(directory) == len(evil_directory), "as many parts, of names as long"
    return evil_content + evil_directory + content + directory + end(len(evil_content), directory, len(good))


def second_directory(good, evil):
    evil_content, evil_directory = body(evil)
    content, directory = body(good, start=len(evil_content) + len(evil_directory))
    start = len(evil_content) + len(evil_directory) + len(content)
    return evil_content + evil_directory + content + directory + end(start, directory, len(good))


def archive_in_comment(good, evil):
    return archive(good, comment=archive(evil))


def archive_in_front(good, evil):
    """A whole archive, then another one: a stream reader sees the first."""
    return archive(evil) + archive(good)


def overlapping(good, evil):
    """A second entry of another name, for the same bytes."""
    content, directory = body(good)
    directory += replace(good[0], name=good[0].name).in_directory(0)
    return content + directory + end(len(content), directory, len(good) + 1)


def inside_another(good, evil):
    """A part that lies in the data of another one."""
    inner = Part(b"inner", b"x")
    outer = Part(b"outer", inner.in_file())
    content, directory = body([*good, outer])
    directory += inner.in_directory(content.rindex(b"PK\3\4"))
    return content + directory + end(len(content), directory, len(good) + 2)


def hidden_in_gap(good, evil):
    return archive([replace(good[0], after=evil[0].in_file()), *good[1:]])


def hidden_before_directory(good, evil):
    content, directory = body(good)
    content += evil[0].in_file()
    return content + directory + end(len(content), directory, len(good))


def gap_before_end(good, evil):
    content, directory = body(good)
    return content + directory + b"\0" * 8 + end(len(content), directory, len(good))


def more_in_directory(good, evil):
    content, directory = body(good)
    directory += b"\0" * 46
    return content + directory + end(len(content), directory, len(good))


def ended_twice(good, evil):
    content, directory = body(good)
    record = end(len(content), directory, len(good))
    return content + directory + record + record


def wide_elsewhere(good, evil):
    evil_content, evil_directory = body(evil)
    start, size = len(evil_content), len(evil_directory)
    content, directory = body(good, start=start + size)
    before = evil_content + evil_directory + content
    wide = end64(len(before), directory, len(good), start=start, size=size)
    return before + directory + wide + end(len(before), directory, len(good), start=FULL, size=FULL)


def wide_without_record(good, evil):
    return archive(good, start=FULL, size=FULL)


def size_in_wide_field(part):
    """A size of 2^40 that only readers of zip64 see."""
    return replace(part, entry={"size": FULL}, entry_extra=struct.pack("<2HQ", 1, 8, 1 << 40))


def wide_field_too_long(part):
    return replace(part, entry_extra=struct.pack("<2H2Q", 1, 16, len(part.data), len(part.data)))


def sized(part, size):
    return deflated(part, header={"size": size}, entry={"size": size})


def longer(part):
    made = deflated(part)
    return replace(made, stored=made.stored + b"x")


def described_otherwise(part):
    return replace(descriptor(part), header={"flags": DESCRIBED, "size": 1})


def renamed(part):
    field_ = struct.pack("<2HBL", 0x7075, 5 + len(b"other"), 1, zlib.crc32(part.name)) + b"other"
    return replace(part, header_extra=field_, entry_extra=field_)


def bomb(part):
    return sized(replace(part, name=b"it/bomb", data=bytes(1 << 20)), 1 << 31)


def sibling(part):
    return replace(part, name=part.name.swapcase())


HOSTILE = {
    "prefix": prefixed,
    "prefix in the offsets": prefixed_in_offsets,
    "two directories, the first named": two_directories,
    "two directories, the second named": second_directory,
    "archive in the comment": archive_in_comment,
    "archive in front": archive_in_front,
    "comment": lambda good, evil: archive(good, comment=b"hello"),
    "trailing bytes": lambda good, evil: archive(good) + b"\0",
    "cut short": lambda good, evil: archive(good)[:-1],
    "end record twice": ended_twice,
    "end record names another offset": ended(start=0),
    "end record names another size": ended(size=1),
    "end record counts too few": lambda good, evil: archive(good, here=len(good) - 1, count=len(good) - 1),
    "end record counts too many": lambda good, evil: archive(good, here=len(good) + 1, count=len(good) + 1),
    "end record with two counts": lambda good, evil: archive(good, count=len(good) - 1),
    "end record of another disk": ended(disk=1, first=1),
    "zip64 end record elsewhere": lambda good, evil: archive64(good, locator=0),
    "zip64 end record disagrees on the count": lambda good, evil: archive64(good, here=1, count=1),
    "zip64 end record disagrees on the offset": lambda good, evil: archive64(good, start=0),
    "zip64 end record leads elsewhere": wide_elsewhere,
    "zip64 end record missing": wide_without_record,
    "zip64 field with another size": one(size_in_wide_field),
    "zip64 field that nothing needs": one(wide_field_too_long),
    "zip64 field twice": extra(struct.pack("<2H", 1, 0) * 2),
    "gap before the end record": gap_before_end,
    "gap before the directory": hidden_before_directory,
    "part hidden in a gap": hidden_in_gap,
    "bytes behind the directory's entries": more_in_directory,
    "one part twice in the directory": overlapping,
    "part inside another": inside_another,
    "two parts of one name": more(lambda good, evil: evil[0]),
    "two parts of one name but for case": more(lambda good, evil: sibling(evil[0])),
    "header with another name": header(name=b"it/other"),
    "header with another method": header(method=8),
    "header with another checksum": header(crc=1),
    "header with another packed size": header(packed=1),
    "header with another size": header(size=1),
    "header with other flags": header(flags=UTF8),
    "entry with another name": entry(name=b"it/other"),
    "entry with another method": entry(method=8),
    "entry with another checksum": entry(crc=1),
    "entry with another packed size": entry(packed=1),
    "entry with another size": entry(size=1),
    "entry with other flags": entry(flags=UTF8),
    "entry with another offset": entry(offset=4),
    "entry on another disk": entry(disk=1),
    "entry with a comment": one(lambda part: replace(part, comment=b"hello")),
    "wrong checksum": both(crc=1),
    "stored part with two sizes": both(size=1 << 20),
    "deflated part with a smaller size": one(lambda part: sized(part, 1)),
    "deflated part with a larger size": one(lambda part: sized(part, 1 << 20)),
    "deflated part with bytes behind its data": one(longer),
    "deflated part of damaged data": one(lambda part: replace(part, stored=b"\xff" * 9)),
    "bomb": more(lambda good, evil: bomb(good[0])),
    "encrypted": both(flags=ENCRYPTED),
    "strongly encrypted": both(flags=ENCRYPTED | STRONGLY),
    "packed by another method": both(method=12),
    "header of another version": header(version=63),
    "entry of another version": entry(version=63),
    "descriptor missing": both(flags=DESCRIBED),
    "descriptor with another checksum": one(lambda part: descriptor(part, crc=1)),
    "descriptor with another size": one(lambda part: descriptor(part, size=1)),
    "descriptor, and a header with another size": one(described_otherwise),
    "absolute name": named(b"/tmp/owned"),
    "name that climbs out": named(b"it/../../owned"),
    "name that climbs out at once": named(b"../owned"),
    "name with a backslash": named(b"it\\..\\..\\owned"),
    "name with a drive": named(b"c:owned"),
    "name with a control character": named(b"it/\x1b[2J"),
    "name with a zero byte": named(b"it/owned\0.py"),
    "name with an empty part": named(b"it//owned"),
    "name with a dot": named(b"it/./owned"),
    "name that is empty": named(b""),
    "name that is not UTF-8": more(replace(Part(b"it/\xff", b"x"), **flagged(UTF8))),
    "name in another encoding": named(b"it/\xe9"),
    "other name in an extra field": one(renamed),
    "unknown extra field": extra(struct.pack("<2H", 0x9901, 0)),
    "extra field cut short": extra(struct.pack("<2H", 0x5455, 9)),
    "folder with data": named(b"it/folder/"),
}
