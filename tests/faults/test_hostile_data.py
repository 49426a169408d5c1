"""Data and YAML that came by mail: nothing is unpickled, and what is too big or has no end is not read."""

import contextlib
import pickle
import struct
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from helpers.commands import call
from hostile import Payload, at_most, declared, harmless, object_arrays

from fooldeap import registry
from fooldeap.errors import InputError

# --- Data -----------------------------------------------------------------------------------------------------------

ARRAYS = ("x_train", "y_train", "x_test", "y_test")


def test_data_sets_of_pickled_objects(owned, tmp_path):
    (tmp_path / "data.npz").write_bytes(object_arrays(ARRAYS, owned))
    (tmp_path / "pickle.npz").write_bytes(pickle.dumps(Payload(owned)))
    np.save(tmp_path / "array.npy", np.array([Payload(owned)], object), allow_pickle=True)
    for name in ("data.npz", "pickle.npz", "array.npy"):
        with pytest.raises(InputError, match=r"^dataset 'npz': .* is not a readable \.npz archive"):
            registry.load().get("dataset", "npz").build({"path": str(tmp_path / name)}).load()
    assert not owned.exists()


def test_data_sets_that_are_bombs(owned, tmp_path):
    import gzip

    with zipfile.ZipFile(tmp_path / "data.npz", "w") as archive:
        for name in ARRAYS:
            declared(archive, f"{name}.npy", 1 << 40)
    with at_most(megabytes=20), pytest.raises(InputError, match="would unpack to 4,398,046,511,104 bytes"):
        registry.load().get("dataset", "npz").build({"path": str(tmp_path / "data.npz")}).load()
    for sizes, said in (((1 << 31, 1 << 10, 1 << 10), "would unpack to"), ((1, 2, 2), "has more values")):
        header = struct.pack(">BBBB3I", 0, 0, 8, 3, *sizes)
        (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(header + bytes(50 << 20)))
        with at_most(megabytes=20), pytest.raises(InputError, match=said):
            registry.load().get("dataset", "idx").build({"folder": str(tmp_path)}).load()


# --- YAML -----------------------------------------------------------------------------------------------------------

BOMBS = {
    "python objects": b"name: !!python/object/apply:os.system [touch owned]",
    "python names": b"name: !!python/name:os.system",
    "a python module": b"name: !!python/module:evil",
    "a python object as a key": b"? !!python/object/apply:os.system [touch owned]\n: 1",
    "a new python object": b"name: !!python/object/new:subprocess.Popen [[touch, owned]]",
    "an alias bomb": b"a: &a [1,1,1,1,1,1,1,1,1]\n"
    + b"".join(b"%c: &%c [%s]\n" % (c, c, b",".join([b"*%c" % (c - 1)] * 9)) for c in range(ord("b"), ord("k"))),
    "a merge bomb": b"a: &a {x: 1}\n"
    + b"".join(b"%c: &%c {<<: [%s]}\n" % (c, c, b",".join([b"*%c" % (c - 1)] * 9)) for c in range(ord("b"), ord("k"))),
    "an alias in itself": b"a: &a [*a, *a]",
    "deep nesting": b"a: " + b"[" * 100_000,
    "deep nesting in blocks": b"".join(b" " * depth + b"a:\n" for depth in range(1000)),
    "a huge scalar": b"name: " + b"x" * 990_000,
    "50 megabytes": b"# " + b"x" * (50 << 20),
    "NUL bytes": b"name: a\0b",
    "no UTF-8": b"name: \xff\xfe",
    "UTF-16": "name: x".encode("utf-16"),
    "duplicate keys": b"seed: 1\nseed: 2",
    "duplicate keys, spelt otherwise": b'seed: 1\n"s\\x65ed": 2',
    "an include": b"name: !include /etc/passwd",
    "the environment": b"name: !ENV ${HOME}",
}


@pytest.mark.parametrize("name", BOMBS)
def test_yaml_that_is_a_bomb(name, owned, capfd):
    Path("mail.yaml").write_bytes(BOMBS[name])
    begun = time.monotonic()
    with at_most(megabytes=5) if name == "50 megabytes" else contextlib.nullcontext():  # which slows all else down
        for command in ("run", "compare"):
            assert call(command, "mail.yaml") == 2
    said = harmless(capfd)
    assert time.monotonic() - begun < 30
    assert all(len(line) < 2000 for line in said.splitlines())
    assert "Traceback" not in said
    assert not owned.exists()


@pytest.mark.parametrize("name", ["/dev/zero", "/dev/stdin", "."])
def test_endless_files_are_refused(name, owned, capfd):
    assert call("run", name) == 2
    Path("mail.yaml").write_text(f"base: {name}\n")
    assert call("run", "mail.yaml") == 2
    harmless(capfd)


def test_a_chain_of_files_is_bounded(owned, capfd):
    for number in range(2000):
        Path(f"{number}.yaml").write_text(f"base: {number + 1}.yaml\n")
    assert call("run", "0.yaml") == 2
    assert harmless(capfd) == "fooldeap: 19.yaml:1:7: base: got more than 20 files in a chain; merge some of them\n"
