"""Training: bit-identical results, resumption, and checks of every key, layer and path."""

import hashlib
import random
import re
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from helpers.training import CONFIG, Stripes

from fooldeap.errors import InputError
from fooldeap.lazy_tensorflow import tensorflow
from fooldeap.storage.lock import locked
from fooldeap.training.checkpoint import Checkpoint
from fooldeap.training.train import _shifted, train


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text(CONFIG)
    return path


def trained(config, *overrides, out):
    return train(config, overrides, config.parent / out, progress=False, plugins=[Stripes])


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """What a training without changes makes: first.keras and its card."""
    path = tmp_path_factory.mktemp("first") / "tiny.yaml"
    path.write_text(CONFIG)
    return trained(path, out="first.keras")


def test_training_is_bit_identical(config, first):
    tensorflow()
    import keras

    second = trained(config, out="second.keras")
    assert first.model.read_bytes() == second.model.read_bytes()
    assert first.sha256 == second.sha256
    assert trained(config, "seed=4", "epochs=1", out="third.keras").sha256 != first.sha256

    data = Stripes().load()
    model = keras.models.load_model(first.model)
    output = model.predict(data.test_images, verbose=0)
    assert (output.argmax(axis=1) == data.test_labels).mean() == pytest.approx(first.test_accuracy)
    assert first.test_accuracy > 0.8
    assert getattr(model, "optimizer", None) is None
    np.testing.assert_allclose(output.sum(axis=1), 1, atol=1e-5)
    names = ["first.keras", "first.md"]
    assert sorted(path.name for path in first.model.parent.iterdir() if path.name.startswith(("first", "."))) == names


@pytest.mark.slow
def test_two_threads_train_to_the_bytes_of_one(config, first):
    alone = [first.sha256, trained(config, "seed=4", out="alone-4.keras").sha256]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)
    try:
        with ThreadPoolExecutor(2) as pool:
            work = [pool.submit(trained, config, f"seed={seed}", out=f"beside-{seed}.keras") for seed in (3, 4)]
            assert [each.result().sha256 for each in work] == alone
    finally:
        sys.setswitchinterval(interval)


def test_training_leaves_the_global_random_generators_alone(config):
    before = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    trained(config, "epochs=1", out="model.keras")
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before  # noqa: NPY002


class Killed(BaseException):
    """Stands for a signal that ends the process."""


def test_resumed_training_is_bit_identical(config, monkeypatch):
    config.write_text(CONFIG.replace("  - Flatten", "  - GaussianNoise: {stddev: 0.1}\n  - Flatten"))
    whole = trained(config, out="whole.keras")
    kill_after(monkeypatch, 1)
    with pytest.raises(Killed):
        trained(config, out="model.keras")
    assert not config.with_name("model.keras").exists()
    kept = config.with_name("model.training").read_bytes()
    kill_after(monkeypatch, 1)
    with pytest.raises(Killed):
        trained(config, out="model.keras")
    assert config.with_name("model.training").read_bytes() != kept, "it resumed and finished one more epoch"
    monkeypatch.undo()
    assert trained(config, out="model.keras").sha256 == whole.sha256
    assert not config.with_name("model.training").exists()
    card, other = (config.with_name(f"{name}.md").read_text() for name in ("model", "whole"))
    assert card == other.replace("whole.keras", "model.keras")


def kill_after(monkeypatch, epochs):
    """Kill the training after it has written the checkpoints of ``epochs`` more epochs."""
    write, written = Checkpoint.write, []

    def writes(self, state):
        write(self, state)
        written.append(state.epoch)
        if len(written) == epochs:
            raise Killed

    monkeypatch.setattr(Checkpoint, "write", writes)


def test_finished_training_is_not_repeated(config, capsys):
    first = trained(config, "epochs=1", out="tiny.keras")
    before = first.model.stat()
    assert trained(config, "epochs=1", out="tiny.keras") is None
    after = first.model.stat()  # which has another time of access: it was read
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_files_of_another_training_are_not_overwritten(config, monkeypatch):
    first = trained(config, "epochs=1", out="tiny.keras")
    content = first.model.read_bytes()
    taken = "the file exists, and was not written by this training with these settings; choose another --out, or remove"
    with pytest.raises(InputError, match=rf"^{first.model}: {taken}"):
        trained(config, "epochs=1", "seed=9", out="tiny.keras")
    assert first.model.read_bytes() == content
    first.model.unlink()
    with pytest.raises(InputError, match=rf"^{first.card}: {taken}"):
        trained(config, "epochs=1", "seed=9", out="tiny.keras")
    first.card.unlink()
    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "remove", lambda self: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):  # after the last file was written
            trained(config, "epochs=1", out="tiny.keras")
    first.model.unlink()
    assert trained(config, "epochs=1", out="tiny.keras").sha256 == first.sha256


def test_a_checkpoint_that_is_left_at_the_end_is_removed(config, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "remove", lambda self: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):  # after the last file was written
            trained(config, "epochs=1", out="tiny.keras")
    assert config.with_name("tiny.training").is_file()
    assert trained(config, "epochs=1", out="tiny.keras") is None
    assert not config.with_name("tiny.training").exists()


def test_a_file_that_appears_during_the_training_is_kept(config, monkeypatch):
    card = config.with_name("tiny.md")
    with monkeypatch.context() as patch:
        write = Checkpoint.write
        patch.setattr(Checkpoint, "write", lambda self, state: (write(self, state), card.write_text("mine")))
        with pytest.raises(InputError, match=f"^{card}: the file exists"):
            trained(config, "epochs=1", out="tiny.keras")
    assert card.read_text() == "mine"
    card.unlink()
    assert trained(config, "epochs=1", out="tiny.keras").model.is_file()


def test_one_process_trains_a_model_at_a_time(config, monkeypatch):
    model = config.with_name("tiny.keras")
    with locked(model, ".tiny.lock"), pytest.raises(InputError, match=f"^{model}: in use by another process"):
        trained(config, "epochs=1", out="tiny.keras")
    assert not model.exists()


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.replace(b'"epoch": 1', b'"epoch": Infinity'),
        lambda content: content.replace(b"PK\x03\x04", b"PK\x03\x05"),
        lambda content: content.replace(b"PK\x01\x02", b"PK\x01\x03"),
    ],
)
def test_a_forged_checkpoint_is_refused_in_a_line(config, monkeypatch, change):
    kill_after(monkeypatch, 1)
    with pytest.raises(Killed):
        trained(config, out="tiny.keras")
    monkeypatch.undo()
    path = config.with_name("tiny.training")
    rest = path.read_bytes().partition(b"\n")[2]
    forged = change(rest)
    assert forged != rest
    path.write_bytes(hashlib.sha256(forged).hexdigest().encode() + b"\n" + forged)
    with pytest.raises(InputError, match=f"^{path}: is damaged .*; remove it to start the training again"):
        Checkpoint(path, {}).read()


def test_damaged_or_foreign_checkpoint_is_refused(config, monkeypatch):
    kill_after(monkeypatch, 1)
    with pytest.raises(Killed):
        trained(config, out="tiny.keras")
    monkeypatch.undo()
    path = config.with_name("tiny.training")
    with pytest.raises(InputError, match=f"^{path}: belongs to a training with other settings; .* or remove the file"):
        trained(config, "learning_rate=0.02", out="tiny.keras")
    content = path.read_bytes()
    for place in np.random.default_rng(0).integers(0, 8 * len(content), 100):
        flipped = bytearray(content)
        flipped[place // 8] ^= 1 << place % 8
        path.write_bytes(flipped)
        with pytest.raises(InputError, match=f"^{path}: is damaged .*; remove it"):
            Checkpoint(path, {}).read()
    for length in range(0, len(content), 997):
        path.write_bytes(content[:length])
        with pytest.raises(InputError, match=f"^{path}: is damaged .*; remove it"):
            Checkpoint(path, {}).read()


def test_model_card(config):
    card = trained(config, "epochs=1", out="tiny.keras").card.read_text()
    assert "| made by | `fooldeap train tiny.yaml epochs=1 --out tiny.keras` |" in card
    assert "| trained on | the other 236 training images, each moved at random by at most 1 px |" in card
    assert "| dense_5 | Dense | 2 | 290 |" in card
    assert str(config.parent) not in card
    assert not re.search(r"20\d\d-\d\d", card)


def test_npz_archive_gives_the_same_network(config, first):
    data = Stripes().load()
    arrays = ("x_train", data.train_images), ("y_train", data.train_labels), ("x_test", data.test_images)
    (config.parent / "own").mkdir()
    np.savez(config.parent / "own/stripes.npz", **dict(arrays), y_test=data.test_labels)
    config.write_text(CONFIG.replace("dataset: stripes", "dataset: {name: npz, path: own/stripes.npz}"))
    assert trained(config, out="tiny.keras").sha256 == first.sha256
    assert str(config.parent) not in config.with_name("tiny.md").read_text()
    assert trained(config, out="tiny.keras") is None, "the model exists already"


def test_training_file_names_the_plugin_of_its_dataset(config, capsys):
    own = "from fooldeap.plugin import dataclass, dataset\nfrom helpers.training import Stripes\n\n\n"
    (config.parent / "own.py").write_text(
        own + '@dataset("own")\n@dataclass(frozen=True)\nclass Own(Stripes):\n    """The same stripes."""\n'
    )
    config.write_text(CONFIG.replace("dataset: stripes", "dataset: own\nplugins: [own.py]"))
    expected = train(config, ["dataset=stripes", "epochs=1"], config.with_name("a.keras"), plugins=[Stripes])
    made = train(config, ["epochs=1"], config.with_name("b.keras"))
    assert made.model.read_bytes() == expected.model.read_bytes()
    assert f"runs the plugins in {config.parent / 'own.py'}, named in {config}" in capsys.readouterr().err
    with pytest.raises(InputError, match=rf"{config}:\d+:\d+: plugins\[0\]: runs .* which --no-plugins forbids"):
        train(config, ["epochs=1"], config.with_name("c.keras"), no_plugins=True)


def test_progress_without_a_terminal_is_one_line_per_epoch(config, capfd):
    train(config, ["epochs=2"], config.with_name("tiny.keras"), plugins=[Stripes])
    lines = capfd.readouterr().err.splitlines()
    assert [line[:14] for line in lines] == ["epoch 1 of 2: ", "epoch 2 of 2: "]


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ("epochs: 3", "epocs: 3", ("epocs: unknown key", "did you mean 'epochs'?")),
        ("epochs: 3", "epochs: 0", ("epochs: got 0, expected an integer > 0",)),
        ("name: tiny", "", ("name: is missing",)),
        ("dataset: stripes", "dataset: stripe", ("did you mean 'stripes'?",)),
        ("dataset: stripes", "dataset: null", ("dataset: got null, expected a dataset to train on",)),
        ("dataset: stripes", "dataset: {name: npz}", ("dataset.path: is missing",)),
        ("dataset: stripes", "dataset: {name: stripes, width: 3}", ("dataset.width: unknown key",)),
        ("validation: 64", "validation: 300", ("validation: got 300",)),
        ("- Flatten", "- Flaten", ("layers[2]", "did you mean 'Flatten'?")),
        ("- Flatten", "- Lambda: {function: os.system}", ("layers[2]", "no layer is named 'Lambda'")),
        ("- Flatten", "- {}", ("layers[2]", "got {}, expected one layer per item, such as '- Dense: {...}'")),
        ("units: 2", "unit: 2", ("layers[4]: Dense: ",)),
        ("units: 2", "units: 3", ("expected 2 probabilities",)),
        ("activation: softmax", "activation: sigmoid", ("expected 2 probabilities",)),
        ("{rate: 0.25}", "{rate: {a: 1}}", ("layers: got",)),
        ("name: tiny", "name: [", ("invalid YAML",)),
        (CONFIG, "12", ("expected a mapping",)),
    ],
)
def test_invalid_training_files_are_refused(config, old, new, parts):
    config.write_text(CONFIG.replace(old, new))
    with pytest.raises(InputError) as error:
        trained(config, out="tiny.keras")
    assert "\n" not in str(error.value)
    assert all(part in str(error.value) for part in parts), str(error.value)
    assert not config.with_name("tiny.keras").exists()


@pytest.mark.parametrize(("out", "part"), [("tiny.h5", "ending in .keras"), ("nowhere/tiny.keras", "create it first")])
def test_invalid_output_path_is_refused(config, out, part):
    with pytest.raises(InputError, match=re.escape(part)):
        trained(config, out=out)


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="no file"):
        train(tmp_path / "none.yaml")


def test_shift_moves_whole_images():
    images = np.random.default_rng(0).integers(1, 256, (50, 6, 5, 1), dtype=np.uint8)
    moved = _shifted(images, 2, np.random.default_rng(1))
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)))
    for image, source in zip(moved, padded, strict=True):
        places = [source[y : y + 6, x : x + 5] for y in range(5) for x in range(5)]
        assert any(np.array_equal(image, place) for place in places)
    assert _shifted(images, 0, np.random.default_rng(1)) is images
