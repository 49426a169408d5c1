"""Files from anybody: regular files of a bounded size are read, everything else is refused in a line, and at once."""

import contextlib
import hashlib
import io
import os
import signal
import socket
import struct
import time
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fooldeap.errors import FileError, FooldeapError, InputError
from fooldeap.results import FoolingImage
from fooldeap.storage import inputs, npz

NAMED = pytest.mark.parametrize("named", [False, True])


@pytest.fixture(autouse=True)
def within_seconds():
    """No test waits for a pipe."""
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.alarm(20)
    yield
    signal.alarm(0)


@NAMED
def test_a_file_is_read(named, tmp_path):
    path = tmp_path / "file"
    content = os.urandom(100_000)
    path.write_bytes(content)
    assert inputs.read(path, named=named) == content
    assert inputs.digest_of(path, named=named) == hashlib.sha256(content).hexdigest()
    with inputs.opened(path, named=named) as file:
        assert file.read() == content


@NAMED
def test_size_limit_of_a_file_is_exact(named, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"x" * 1000)
    assert len(inputs.read(path, 1000, named=named)) == 1000
    with pytest.raises(InputError, match=r"file: got 1,000 bytes, expected at most 999; use a smaller file$"):
        inputs.read(path, 999, named=named)


def test_a_file_that_grows_is_not_read_without_end(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_bytes(b"x" * 1000)

    class Growing:
        def __getattr__(self, name):
            return getattr(os, name)

        def read(self, descriptor, count):
            return b"y" * 400

    monkeypatch.setattr(inputs, "os", Growing())
    with pytest.raises(InputError, match="got 1,200 bytes, expected at most 1,000"):
        inputs.read(path, 1000)


def test_kernel_files_of_size_zero_are_bounded():
    assert Path("/proc/self/status").stat().st_size == 0
    assert b"Name:" in inputs.read(Path("/proc/self/status"))
    with pytest.raises(InputError, match="expected at most 10"):
        inputs.read(Path("/proc/self/status"), 10)


def opened(path, named):
    with inputs.opened(path, named=named) as file:
        return file.read()


def others(folder):
    """What is no regular file, with the words for it."""
    os.mkfifo(folder / "pipe")
    with contextlib.chdir(folder), socket.socket(socket.AF_UNIX) as bound:
        bound.bind("socket")  # the names of sockets are short
    return {
        folder / "pipe": "is a pipe",
        folder / "socket": "is a socket",
        folder: "is a folder",
        Path("/dev/zero"): "is a device",
        Path("/dev/tty"): "is a device",
    }


@NAMED
@pytest.mark.parametrize("read", [inputs.read, inputs.read_text, inputs.digest_of, opened])
def test_irregular_files_are_refused(read, named, tmp_path):
    for path, told in others(tmp_path).items():
        with pytest.raises(InputError) as error:
            read(path, named=named)
        assert str(error.value) == f"{path}: {told}, expected a regular file; use a regular file"


def test_a_pipe_that_takes_the_place_of_a_file_does_not_block(tmp_path, monkeypatch):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    regular = tmp_path.joinpath("file")
    regular.touch()

    class Swapping:
        def __getattr__(self, name):
            return getattr(os, name)

        def stat(self, *_, **__):
            return regular.stat()

    monkeypatch.setattr(inputs, "os", Swapping())
    with pytest.raises(InputError, match="pipe: is a pipe"):
        inputs.read(path)


def test_a_link_is_followed_only_where_the_user_named_it(tmp_path):
    (tmp_path / "file").write_text("content")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "zero").symlink_to("/dev/zero")
    assert inputs.read(tmp_path / "link", named=True) == b"content"
    for name in ("link", "loop", "zero"):
        with pytest.raises(FileError, match=f"{name}: is a symbolic link, and links are not followed; remove it"):
            inputs.read(tmp_path / name)
    with pytest.raises(InputError, match="zero: is a device"):
        inputs.read(tmp_path / "zero", named=True)
    with pytest.raises(InputError, match="loop: cannot be read"):
        inputs.read(tmp_path / "loop", named=True)


@pytest.mark.parametrize(
    ("named", "kind", "cure"), [(True, InputError, "check its name"), (False, FileError, "restore its folder")]
)
def test_a_file_that_is_not_there_is_told_in_a_line(named, kind, cure, tmp_path):
    with pytest.raises(kind, match=rf"none: cannot be read \(No such file or directory\); {cure}"):
        inputs.read(tmp_path / "none", named=named)


@NAMED
@pytest.mark.parametrize("name", ["a\0b", "\ud800", "x" * 5000])
def test_invalid_file_names_give_one_line(name, named):
    with pytest.raises(FooldeapError) as error:
        inputs.read(Path(name), named=named)
    assert "\n" not in str(error.value)
    assert isinstance(error.value, InputError) or not named


def test_text_is_utf_8(tmp_path):
    (tmp_path / "text").write_bytes("né\n".encode())
    (tmp_path / "latin").write_bytes("né\n".encode("latin-1"))
    assert inputs.read_text(tmp_path / "text") == "né\n"
    with pytest.raises(InputError, match=r"latin: is not UTF-8 text \(byte 1\); save it as UTF-8"):
        inputs.read_text(tmp_path / "latin")


@pytest.mark.parametrize("content", [b"[" * 100_000, b"{", b"\xff", b"1" * 5000, b""])
def test_invalid_json_is_a_value_error(content, tmp_path):
    (tmp_path / "file.json").write_bytes(content)
    with pytest.raises(ValueError):  # noqa: PT011 - of any text
        inputs.read_json(tmp_path / "file.json")


def test_rows_of_csv():
    assert inputs.rows_of(b"a,b\n1,2\n") == [{"a": "1", "b": "2"}]
    assert inputs.rows_of("a,b\n") == inputs.rows_of("") == []
    for text in ("a,b\n1\n", "a,b\n1,2,3\n"):
        with pytest.raises(ValueError, match="row 1 has more or fewer cells than the header"):
            inputs.rows_of(text)
    with pytest.raises(ValueError, match="is not valid CSV"):
        inputs.rows_of("a,b\n" + '"' + "x" * 200_000)


# --- Pictures -------------------------------------------------------------------------------------------------------


def png(width, height, *chunks):
    """A PNG of grey pixels that says it is so large, and holds nothing."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunk(*each) for each in chunks) + chunk(b"IEND", b"")


def saved(image, kind="PNG"):
    content = io.BytesIO()
    image.save(content, kind)
    return content.getvalue()


@pytest.mark.parametrize("size", [(14_000, 14_000), (1 << 26, 2), (1 << 31, 1 << 31), (8192, 8193), (100_000, 900)])
def test_the_size_of_a_picture_is_known_before_it_is_decoded(size):
    begun = time.monotonic()
    content = png(*size, (b"IDAT", zlib.compress(bytes(1000))))
    with pytest.raises(ValueError, match=r"it has more than 67,108,864 pixels|is not a readable PNG picture"):
        inputs.decoded(content, ("PNG",))
    assert time.monotonic() - begun < 5


def test_a_picture_of_very_many_pixels_is_a_line(tmp_path):
    (tmp_path / "0.png").write_bytes(saved(Image.new("L", (14_000, 14_000))))
    with pytest.raises(InputError, match=r"0\.png: it has more than 67,108,864 pixels; restore it from a copy$"):
        FoolingImage.from_file(tmp_path / "0.png")


def test_no_warning_of_pillow_is_shown(recwarn, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert inputs.decoded(saved(Image.new("L", (12, 12))), ("PNG",)).size == (12, 12)
    assert not recwarn.list


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"x" * 100,
        saved(Image.new("L", (8, 8)))[:43],
        saved(Image.new("L", (8, 8)), "GIF"),
        png(8, 8, (b"zTXt", b"a\0\0" + zlib.compress(bytes(1 << 24))), (b"IDAT", zlib.compress(bytes(72)))),
        saved(Image.new("I;16", (8, 8))),
    ],
    ids=["empty", "nonsense", "cut short", "another format", "a bomb in its text", "16 bits"],
)
def test_invalid_pictures_are_a_value_error(content):
    with pytest.raises(ValueError, match="it is "):
        FoolingImage.from_png(content)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_picture_reads_back_what_was_written(channels):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, channels), dtype=np.uint8)
    np.testing.assert_array_equal(FoolingImage.from_png(FoolingImage(pixels).png()).pixels, pixels)


# --- Archives -------------------------------------------------------------------------------------------------------


def test_archive_bombs_are_refused():
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", b"x" * 1000)
        archive.getinfo("x.npy").file_size = 1 << 40
    with pytest.raises(npz.TooLarge, match="would unpack to 1,099,511,627,776 bytes"), npz.opened(content):
        pass


def test_the_bounds_of_archives():
    npz.check_unpacked(1 << 30, 1)
    npz.check_unpacked(100 << 30, 1 << 30)
    for unpacked, packed in (((1 << 30) + 1, 1), ((100 << 30) + 1, 1 << 30)):
        with pytest.raises(npz.TooLarge):
            npz.check_unpacked(unpacked, packed)


def test_arrays_are_read(tmp_path):
    content = io.BytesIO()
    np.savez(content, a=np.arange(3), b=np.eye(2))
    with npz.opened(content) as arrays:
        found = dict(arrays)
    assert list(found) == ["a", "b"]
    np.testing.assert_array_equal(found["b"], np.eye(2))
