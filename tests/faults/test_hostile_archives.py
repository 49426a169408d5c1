"""Model files that came by mail and are damaged on purpose: pickles, bombs, and parts that lie elsewhere."""

import io
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hostile import Payload, at_most, declared, object_arrays, plain, refused, rewritten


def dressed_pickle(path, marker):
    path.write_bytes(pickle.dumps(Payload(marker)))


def zipped_pickle(path, marker):
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("config.json", "metadata.json", "data.pkl", "model.weights.h5", "model/data.pkl"):
            archive.writestr(name, pickle.dumps(Payload(marker)))


@pytest.mark.parametrize("dress", [dressed_pickle, zipped_pickle])
@pytest.mark.parametrize("suffix", [".keras", ".h5", ".hdf5"])
def test_a_pickle_dressed_as_a_model(owned, tmp_path, dress, suffix):
    dress(tmp_path / f"model{suffix}", owned)
    assert "damaged or no Keras model" in refused(tmp_path / f"model{suffix}")
    assert not owned.exists()


def test_weights_that_are_pickled_objects(keras, owned, tmp_path):
    model = rewritten(keras, tmp_path / "model.keras", lambda configuration: configuration)
    with zipfile.ZipFile(model) as archive:
        configuration = archive.read("config.json")
    with zipfile.ZipFile(model, "w") as archive:
        archive.writestr("config.json", configuration)
        archive.writestr("metadata.json", "{}")
        archive.writestr("model.weights.npz", object_arrays(["layers/dense/vars", "__root__"], owned))
    refused(model)
    assert not owned.exists()


@pytest.mark.parametrize(
    "name",
    ["assets/../../owned", "../owned", "/tmp/fooldeap-owned", "a\\..\\..\\owned", "c:owned", "assets/x/../../owned"],
)
def test_parts_of_an_archive_that_climb_out(keras, owned, tmp_path, name):
    model = tmp_path / "model.keras"
    plain(keras).save(model)
    with zipfile.ZipFile(model, "a") as archive:
        archive.writestr("assets/plain", "")
        archive.writestr(name, "x")
    assert "leads out of the archive" in refused(model)
    assert not owned.exists()
    assert not Path("/tmp/fooldeap-owned").exists()


@pytest.mark.parametrize("name", ["config.json", "model.weights.h5", "assets/x"])
def test_parts_that_are_bombs(keras, owned, tmp_path, name):
    model = tmp_path / "model.keras"
    with zipfile.ZipFile(model, "w") as archive:
        for each in ("config.json", "metadata.json", "model.weights.h5"):
            if each != name:
                archive.writestr(each, "{}")
        declared(archive, name, 1 << 40)
    with at_most(megabytes=20):
        assert "would unpack to 1,099,511," in refused(model)


def test_a_configuration_that_is_a_bomb(owned, tmp_path):
    model = tmp_path / "model.keras"
    with zipfile.ZipFile(model, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", b" " * (100 << 20))
    assert model.stat().st_size < 200_000
    with at_most(megabytes=20):
        assert "would unpack to 104,857,600 bytes" in refused(model)


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":' * 100_000, "", "null", "[]", '"x"', "1e999", '{"class_name": []}']
)
def test_invalid_model_configurations_are_refused(keras, owned, tmp_path, text):
    model = tmp_path / "model.keras"
    plain(keras).save(model)
    with zipfile.ZipFile(model) as archive:
        weights = archive.read("model.weights.h5")
    with zipfile.ZipFile(model, "w") as archive:
        archive.writestr("config.json", text)
        archive.writestr("model.weights.h5", weights)
    refused(model)


def huge(file, folder):
    file.create_dataset("bomb", shape=(1 << 42,), chunks=(1 << 20,), dtype="u1")


def linked(file, folder):
    import h5py

    file["elsewhere"] = h5py.ExternalLink(str(folder / "secret.h5"), "/secret")


def stored_elsewhere(file, folder):
    file.create_dataset("elsewhere", shape=(4,), dtype="u1", external=[(str(folder / "secret"), 0, 4)])


def virtual(file, folder):
    import h5py

    layout = h5py.VirtualLayout(shape=(4,), dtype="u1")
    layout[:] = h5py.VirtualSource(str(folder / "secret.h5"), "secret", shape=(4,))
    file.create_virtual_dataset("elsewhere", layout)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (huge, "would unpack to 4,398,"),
        (linked, "names other files"),
        (stored_elsewhere, "other files"),
        (virtual, "other"),
    ],
)
def test_arrays_that_are_bombs_or_elsewhere(keras, owned, tmp_path, suffix, spoil, said):
    import h5py

    (tmp_path / "secret").write_bytes(b"1234")
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["secret"] = np.arange(4, dtype=np.uint8)
    model = tmp_path / f"model{suffix}"
    plain(keras).save(model)
    if suffix == ".h5":
        with h5py.File(model, "a") as file:
            spoil(file, tmp_path)
    else:
        with zipfile.ZipFile(model) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
        weights = io.BytesIO(parts["model.weights.h5"])
        with h5py.File(weights, "a") as file:
            spoil(file, tmp_path)
        with zipfile.ZipFile(model, "w") as archive:
            for name, part in {**parts, "model.weights.h5": weights.getvalue()}.items():
                archive.writestr(name, part)
    assert said in refused(model)
