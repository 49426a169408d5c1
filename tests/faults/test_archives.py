"""The strict reader of archives: it refuses every hostile one, and reads the others as Python does."""

import io
import random
import zipfile

import numpy as np
import pytest
from archives import HOSTILE, Part, archive, archive64, deflated, descriptor, of
from failing import EVERY, SEED
from helpers.experiments import ROOT

from fooldeap.storage.archives import Archive, ArchiveError, packed

GOOD = {"it/config.json": b"{}" * 20, "it/data/0": bytes(range(256)), "it/version": b"3\n"}
EVIL = dict.fromkeys(GOOD, b"evil")
SHIPPED = sorted((ROOT / "fooldeap/data").rglob("*.keras")) + sorted((ROOT / "fooldeap/data").rglob("*.npz"))


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_is_refused(name):
    content = HOSTILE[name](of(GOOD), of(EVIL))
    with pytest.raises(ArchiveError, match=r"^(has|is|would) [^\n]{5,150}$"):
        Archive(content).parts()


def test_each_hostile_archive_differs_from_the_good_one_and_from_the_others():
    made = [HOSTILE[name](of(GOOD), of(EVIL)) for name in HOSTILE]
    assert len({*made, archive(of(GOOD))}) == len(HOSTILE) + 1


@pytest.mark.parametrize("name", ["two directories, the first named", "prefix", "comment", "part hidden in a gap"])
def test_refused_archives_are_readable_by_python(name):
    content = HOSTILE[name](of(GOOD), of(EVIL))
    assert zipfile.ZipFile(io.BytesIO(content)).read("it/data/0") == GOOD["it/data/0"]


def as_python_reads(content):
    with zipfile.ZipFile(io.BytesIO(content)) as opened:
        return {name: opened.read(name) for name in opened.namelist() if not name.endswith("/")}


@pytest.mark.parametrize(
    "content",
    [
        archive(of(GOOD)),
        archive64(of(GOOD)),
        archive64(of(GOOD), short={"start": 0xFFFFFFFF, "size": 0xFFFFFFFF, "here": 0xFFFF, "count": 0xFFFF}),
        archive([deflated(part) for part in of(GOOD)]),
        archive([descriptor(part) for part in of(GOOD)]),
        archive([*of(GOOD), Part(b"it/folder/", b"")]),
        archive([Part(b"empty", b"")]),
        archive([]),
    ],
)
def test_a_good_archive_is_read_as_python_reads_it(content):
    assert Archive(content).parts() == as_python_reads(content)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_every_archive_that_ships_is_read_as_python_reads_it(path):
    content = path.read_bytes()
    assert Archive(content).parts() == as_python_reads(content)


class Pipe(io.RawIOBase):
    """A file that cannot go back, so that sizes follow the data."""

    def __init__(self):
        self.content = b""

    def writable(self):
        return True

    def write(self, content):
        self.content += bytes(content)
        return len(content)


@pytest.mark.parametrize("target", [io.BytesIO, Pipe])
@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_archives_that_python_writes_are_read(target, wide, method):
    file = target()
    with zipfile.ZipFile(file, "w", method) as writer:
        for name, part in GOOD.items():
            with writer.open(name, "w", force_zip64=wide) as opened:
                opened.write(part)
        writer.mkdir("it/folder")
    content = file.getvalue() if isinstance(file, io.BytesIO) else file.content
    assert Archive(content).parts() == GOOD


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_archives_that_numpy_writes_are_read(save):
    file = io.BytesIO()
    save(file, first=np.arange(5), second=np.zeros((3, 4)))
    assert Archive(file.getvalue()).parts() == as_python_reads(file.getvalue())


def test_a_copy_holds_the_same_parts_and_is_the_same_bits_every_time():
    parts = Archive(archive([deflated(part) for part in of(GOOD)])).parts()
    assert Archive(packed(parts)).parts() == parts == GOOD
    assert packed(parts) == packed(GOOD)


def broken(content, chance):
    """Return an archive with some bytes changed, removed, or put elsewhere."""
    content = bytearray(content)
    for _ in range(chance.choice([1, 1, 2, 4])):
        place, length = chance.randrange(len(content)), chance.randrange(1, 40)
        match chance.randrange(4):
            case 0:
                content[place] = chance.randrange(256)
            case 1:
                del content[place : place + length]
            case 2:
                content[place:place] = content[place : place + length]
            case 3:
                content[place] ^= 1 << chance.randrange(8)
        if not content:
            return b""
    return bytes(content)


@pytest.mark.parametrize("made", [archive, archive64])
@pytest.mark.parametrize("change", [lambda part: part, deflated, descriptor])
def test_a_broken_archive_is_refused_or_read_as_python_reads_it(made, change):
    content, chance = made([change(part) for part in of(GOOD)]), random.Random(f"{SEED} archives")
    for _ in range(20_000 if EVERY else 1000):
        tried = broken(content, chance)
        try:
            found = Archive(tried).parts()
        except ArchiveError:
            continue
        assert found == as_python_reads(tried)
