"""Data sets read from files: what is in them, and what is wrong with them."""

import gzip
import io
import re
import struct
import zipfile

import numpy as np
import pytest

from fooldeap import registry
from fooldeap.errors import InputError

IMAGES = np.arange(5 * 4 * 3, dtype=np.uint8).reshape(5, 4, 3)
LABELS = np.array([0, 1, 2, 1, 0], np.uint8)
FILES = {
    "train-images-idx3": IMAGES,
    "train-labels-idx1": LABELS,
    "t10k-images-idx3": IMAGES[:2],
    "t10k-labels-idx1": LABELS[:2],
}


def load(name, **values):
    return registry.load().get("dataset", name).build(values).load()


def idx(array, code=8):
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape) + array.tobytes()


@pytest.mark.parametrize("ending", ["-ubyte", "-ubyte.gz"])
def test_idx(tmp_path, ending):
    for name, array in FILES.items():
        content = idx(array)
        (tmp_path / f"{name}{ending}").write_bytes(gzip.compress(content) if ending.endswith("gz") else content)
    data = load("idx", folder=str(tmp_path))
    assert np.array_equal(data.train_images, IMAGES[..., None])
    assert data.test_labels.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is not an IDX file"),
        (b"\0\0\x08", "is not an IDX file"),
        (struct.pack(">BBBB100I", 0, 0, 8, 100, *[1] * 100) + b"x", "is not an IDX file"),
        (struct.pack(">BBBB", 0, 0, 8, 0) + b"x", "is not an IDX file"),
        (idx(IMAGES[:0]), "training images are (0, 4, 3), expected at least one image"),
        (idx(IMAGES, code=13), "is not an IDX file of unsigned bytes"),
        (idx(IMAGES)[:-1], "has 59 values, expected 60 as in its header"),
        (idx(LABELS), "training images are uint8 (5,), expected uint8 (n, height, width[, channels])"),
        (idx(IMAGES[:3]), "got training labels uint8 (5,), expected integers (3,), one for each image"),
        (None, "has no 'train-images-idx3-ubyte' or 'train-images-idx3-ubyte.gz'"),
    ],
)
def test_invalid_idx_files_are_refused(tmp_path, content, said):
    for name, array in FILES.items():
        (tmp_path / f"{name}-ubyte").write_bytes(idx(array))
    damaged = tmp_path / "train-images-idx3-ubyte"
    damaged.unlink() if content is None else damaged.write_bytes(content)
    with pytest.raises(InputError) as error:
        load("idx", folder=str(tmp_path))
    assert said in str(error.value)


def test_npz(tmp_path):
    np.savez(tmp_path / "own.npz", x_train=IMAGES, y_train=LABELS, x_test=IMAGES[:2, ..., None], y_test=LABELS[:2])
    data = load("npz", path=str(tmp_path / "own.npz"))
    assert np.array_equal(data.train_images, IMAGES[..., None])
    assert np.array_equal(data.test_images, IMAGES[:2, ..., None])


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({}, "has no array 'x_train', expected x_train, y_train, x_test, y_test"),
        ({"x_train": IMAGES[:0]}, "training images are (0, 4, 3), expected at least one image"),
        (
            {"x_train": IMAGES, "x_test": IMAGES[:0], "y_test": LABELS[:0]},
            "test images are (0, 4, 3), expected at least",
        ),
        (
            {"x_train": IMAGES, "y_test": np.array([0, 1, 2, -500, 0])},
            "got the test label -500, expected classes from 0 to 999999",
        ),
        (
            {"y_train": np.array([0, 1, 2**63, 1, 0], np.uint64)},
            "got the training label 9223372036854775808, expected classes from 0 to 999999",
        ),
        ({"y_test": np.array([0, 1, 10**6, 1, 0])}, "got the test label 1000000, expected classes from 0 to 999999"),
        ({"y_train": LABELS.astype(float)}, "got training labels float64 (5,), expected integers (5,), one for each"),
        ({"y_train": LABELS > 1}, "got training labels bool (5,), expected integers (5,)"),
        ({"y_test": LABELS[:4]}, "got test labels uint8 (4,), expected integers (5,), one for each image"),
        ({"y_test": np.stack([LABELS, LABELS], 1)}, "got test labels uint8 (5, 2), expected integers (5,)"),
        ({"x_train": IMAGES / 255}, "training images are float64 (5, 4, 3), expected uint8"),
        ({"x_train": np.array([{}], object)}, "is not a readable .npz archive"),
    ],
)
def test_invalid_npz_files_are_refused(tmp_path, arrays, said):
    rest = {"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES, "y_test": LABELS} if arrays else {}
    np.savez(tmp_path / "own.npz", **{**rest, **arrays})
    with pytest.raises(InputError) as error:
        load("npz", path=str(tmp_path / "own.npz"))
    assert said in str(error.value)
    (tmp_path / "own.npz").write_bytes(b"nothing")
    with pytest.raises(InputError, match="is not a readable"):
        load("npz", path=str(tmp_path / "own.npz"))


def test_labels_may_stand_in_a_column(tmp_path):
    np.savez(tmp_path / "own.npz", x_train=IMAGES, y_train=LABELS[:, None], x_test=IMAGES, y_test=LABELS[:, None])
    data = load("npz", path=str(tmp_path / "own.npz"))
    assert data.train_labels.tolist() == data.test_labels.tolist() == LABELS.tolist()


def good(path):
    np.savez_compressed(path, x_train=IMAGES, y_train=LABELS, x_test=IMAGES, y_test=LABELS)
    return path.read_bytes()


def other_members(path):
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("x_train", "y_train", "x_test", "y_test"):
            archive.writestr(name, "text")


def no_arrays(path):
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("x_train", "y_train", "x_test", "y_test"):
            archive.writestr(f"{name}.npy", "text")


def huge(path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (10**18,)})
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("x_train", "y_train", "x_test", "y_test"):
            archive.writestr(f"{name}.npy", header.getvalue())


def a_single_array(path):
    with path.open("wb") as file:
        np.save(file, IMAGES)


@pytest.mark.parametrize("write", [other_members, no_arrays, huge, a_single_array])
def test_files_that_are_something_else_are_refused_in_one_line(write, tmp_path):
    write(tmp_path / "own.npz")
    with pytest.raises(InputError, match=r"^dataset 'npz': .*own\.npz'") as error:
        load("npz", path=str(tmp_path / "own.npz"))
    assert len(str(error.value).splitlines()) == 1


def test_a_damaged_archive_is_refused_or_read_but_never_a_traceback(tmp_path):
    content, rng, said = good(tmp_path / "own.npz"), np.random.default_rng(1), []
    for _ in range(300):
        damaged = bytearray(content)
        for place in rng.integers(0, len(content), 3):
            damaged[place] = rng.integers(256)
        (tmp_path / "own.npz").write_bytes(bytes(damaged))
        try:
            load("npz", path=str(tmp_path / "own.npz"))
        except InputError as error:
            said.append(str(error))
    assert len(said) > 100
    assert not any("\n" in line for line in said)


TABLE = IMAGES.reshape(5, -1)


@pytest.mark.parametrize(
    ("images", "labels", "names"),
    [
        ((IMAGES / np.float32(255)), LABELS, {}),
        (IMAGES.astype(np.float64), LABELS, {}),
        (IMAGES.astype(np.int64), LABELS, {}),
        (TABLE, LABELS, {"height": 4, "width": 3, "channels": 1}),
        (IMAGES, np.eye(3)[LABELS], {}),
        (IMAGES, LABELS.astype(np.float32), {}),
    ],
)
def test_code_of_the_message_makes_a_dataset(tmp_path, images, labels, names):
    np.savez(tmp_path / "it.npz", images=images, labels=labels)
    with pytest.raises(InputError) as error:
        load("npz", path=str(tmp_path / "it.npz"))
    code = re.search(r"; save (.*)$", str(error.value))[1]
    values = {"images": images, "labels": labels}
    values["labels" if "labels" in code else "images"] = eval(code, {"numpy": np, **values, **names})
    np.savez(tmp_path / "it.npz", **values)
    data = load("npz", path=str(tmp_path / "it.npz"))
    np.testing.assert_array_equal(data.train_images, IMAGES[..., None])
    np.testing.assert_array_equal(data.train_labels, LABELS)


@pytest.mark.parametrize("content", [b"damaged", None])
def test_file_that_the_message_tells_to_write_is_read(tmp_path, monkeypatch, content):
    monkeypatch.chdir(tmp_path)
    np.savez("NAME.npz", images=IMAGES)
    if content is not None:
        (tmp_path / "NAME.npz").write_bytes(content)
    with pytest.raises(InputError) as error:
        load("npz", path="NAME.npz")
    exec(
        re.search(r"write it with (numpy\.savez\(.*\))$", str(error.value))[1],
        {"numpy": np, "images": IMAGES, "labels": LABELS},
    )
    np.testing.assert_array_equal(load("npz", path="NAME.npz").test_images, IMAGES[..., None])


def test_missing_idx_file_is_put_where_the_message_says(tmp_path):
    for name, array in FILES.items():
        (tmp_path / f"{name}-ubyte").write_bytes(idx(array))
    (tmp_path / "t10k-labels-idx1-ubyte").rename(tmp_path / "elsewhere")
    with pytest.raises(InputError) as error:
        load("idx", folder=str(tmp_path))
    folder, name = re.search("'(/[^']*)' has no '([^']*)' or .*; put it there$", str(error.value)).groups()
    (tmp_path / "elsewhere").rename(f"{folder}/{name}")
    assert load("idx", folder=str(tmp_path)).test_labels.tolist() == [0, 1]
