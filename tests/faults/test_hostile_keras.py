"""Keras files from somebody else: what they name is on a list, and what was checked is what Keras gets."""

import io
import json
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
from archives import HOSTILE, archive, of
from helpers.commands import call
from helpers.experiments import ROOT
from helpers.keras_models import LOST, TOPOLOGIES, images_like
from hostile import layer, object_arrays, plain, refused, rewritten
from test_hostile_models import with_code

from fooldeap.errors import InputError
from fooldeap.storage.archives import Archive
from fooldeap_plugins.classifier import _keras_allowed, _keras_file
from fooldeap_plugins.classifier.keras import Keras

SHIPPED = sorted((ROOT / "fooldeap/data/classifiers").glob("*.keras"))


@pytest.fixture
def unloaded(keras, monkeypatch):
    """Keras does not get to load anything: what is refused is refused by the check."""

    def load(*arguments, **options):
        raise AssertionError("Keras was asked to load a model")

    monkeypatch.setattr(keras.models, "load_model", load)


def tree():
    return {path: path.read_bytes() for path in sorted(Path().rglob("*")) if path.is_file()}


# --- Archives -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def good(keras, tmp_path_factory):
    path = tmp_path_factory.mktemp("good") / "model.keras"
    plain(keras).save(path)
    return Archive(path.read_bytes()).parts()


@pytest.fixture(scope="module")
def evil(keras, tmp_path_factory):
    folder = tmp_path_factory.mktemp("evil")
    return Archive(with_code(keras, folder / "owned", folder / "model.keras").read_bytes()).parts()


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_is_one_line_and_changes_nothing(name, good, evil, owned, capfd):
    Path("it.keras").write_bytes(HOSTILE[name](of(good), of(evil)))
    Path("mail.yaml").write_text(
        "name: mail\nclassifier: {name: keras, model: it.keras}\ntargets: 1\nstop: {evaluations: 50}\n"
    )
    before = tree()
    assert call("run", "mail.yaml", "--no-plugins") == 2
    said = capfd.readouterr().err
    assert re.fullmatch(r"fooldeap: mail\.yaml:2:\d+: classifier: model '[^']*it\.keras'[^\n]*\n", said), said
    assert tree() == before


def test_weights_in_a_hostile_archive_are_refused(good, owned):
    weights = object_arrays(["__root__"], owned)
    for name in ("two parts of one name", "gap before the end record", "prefix"):
        inner = Archive(weights).parts()
        spoilt = HOSTILE[name](of(inner), of(inner))
        parts = {"config.json": good["config.json"], "metadata.json": b"{}", "model.weights.npz": spoilt}
        Path("it.keras").write_bytes(archive(of(parts)))
        assert "damaged or no Keras model" in refused("it.keras")
    assert not owned.exists()


@pytest.mark.parametrize("suffix", [".keras", ".h5", ".KERAS"])
def test_keras_gets_a_copy_of_what_was_checked(keras, owned, monkeypatch, suffix):
    given, load = [], keras.models.load_model

    def watched(path, **options):
        given.append(path)
        original.write_bytes(b"something else")
        return load(path, **options)

    original = Path(f"it{suffix.lower()}")
    plain(keras).save(original)
    original = original.rename(f"it{suffix}")
    content = original.read_bytes()
    monkeypatch.setattr(keras.models, "load_model", watched)
    assert Keras(model=str(original)).classes == 3
    assert given[0].resolve() != original.resolve()
    assert not given[0].parent.exists(), "the copy is removed"
    assert original.read_bytes() != content


def test_a_file_that_changes_is_not_loaded(keras, owned):
    plain(keras).save("it.keras")
    made = Keras(model="it.keras")
    assert len(made.digest) == 64
    with_code(keras, owned, Path("it.keras"))
    with pytest.raises(InputError, match="has changed since it was first read; start again"):
        _ = made.classes
    assert not owned.exists()


def test_compile_settings_are_not_loaded(keras, owned):
    def own_loss(expected, found):
        return keras.ops.mean(found)

    model = plain(keras)
    model.compile("adam", loss=own_loss)
    model.save("it.keras")
    assert Keras(model="it.keras").classes == 3


def test_images_that_nothing_can_hold_are_refused(keras, owned):
    k = keras.layers
    huge = keras.Sequential([keras.Input((10**9, 10**9, 1)), k.GlobalMaxPooling2D(), k.Dense(3, "softmax")])
    huge.save("it.keras")
    assert "1,000,000,000,000,000,000 numbers each, expected at most 16,777,216" in refused("it.keras")


# --- Names ----------------------------------------------------------------------------------------------------------


def part(module, name, config=None, **more):
    return {"module": module, "class_name": name, "config": config or {}, "registered_name": None, **more}


def function(module, name):
    return part(module, "function", name)


def inside(**config):
    """Return a layer of Keras with something in its configuration."""
    return part("keras.layers", "Activation", config)


CODE = {
    "a name with a dot": part("keras", "layers.Lambda"),
    "a name with two dots": part("keras", "src.layers.Lambda"),
    "a module inside": part("keras.src.layers.core.lambda_layer", "Lambda"),
    "another name for a module": part("keras.src.layers", "Lambda"),
    "a saved model": part("keras", "layers.TFSMLayer", {"filepath": "x"}),
    "a saved model inside": part("keras.src.export.tfsm_layer", "TFSMLayer"),
    "a pickle": part("keras", "layers.TorchModuleWrapper"),
    "a pickle inside": part("keras.src.utils.torch_utils", "TorchModuleWrapper"),
    "another wrapper": part("keras", "layers.JaxLayer"),
    "wrapped": part("keras.layers", "TimeDistributed", {"layer": part("keras", "layers.Lambda")}),
    "wrapped twice": part("keras.layers", "Bidirectional", {"backward_layer": part("keras", "layers.Lambda")}),
    "in what is built": {**inside(), "build_config": part("keras", "layers.Lambda")},
    "in a nested compilation": {**inside(), "compile_config": {"loss": part("keras", "layers.Lambda")}},
    "in an argument": {**inside(), "inbound_nodes": [{"args": [part("keras", "layers.Lambda")]}]},
    "without a module": {"class_name": "Lambda", "config": {}},
}


@pytest.mark.parametrize("name", CODE)
def test_layers_that_carry_code_are_refused_by_what_keras_finds(keras, owned, unloaded, tmp_path, name):
    assert re.search(
        r"holds a (Lambda|TFSMLayer|TorchModuleWrapper|JaxLayer) layer, code that is not run",
        refused(rewritten(keras, tmp_path / "it.keras", layer(CODE[name]))),
    )


OTHERS = {
    "a layer that reads a file": part("keras.layers", "StringLookup", {"vocabulary": "/etc/passwd"}),
    "another layer that reads a file": part("keras.layers", "TextVectorization", {"vocabulary": "/etc/passwd"}),
    "a layer that reads a file, inside": part("keras.src.layers.preprocessing.string_lookup", "StringLookup"),
    "a class that is no layer": part("keras.callbacks", "CSVLogger", {"filename": "owned"}),
    "a class that is no layer, by a dot": part("keras", "callbacks.CSVLogger", {"filename": "owned"}),
    "a class that only looks like Keras": part("kerasx.layers", "Dense"),
    "a module that is not there": part("keras.nothing", "Dense"),
    "a name that is none": part("keras.layers", "__init__"),
    "no name at all": part("keras.layers", ["Dense"]),
    "an empty name": part("keras.layers", ""),
    "a module that is none": part(["keras.layers"], "Dense"),
    "operations with functions": part("keras.src.ops.core", "Map"),
    "more operations with functions": part("keras.src.ops.linalg", "JVP"),
    "a base of operations": part("keras.src.ops.numpy", "Operation"),
    "what a module imports": part("keras.src.ops.numpy", "np"),
    "a function that loads": inside(activation=function("keras.saving", "load_model")),
    "a function that downloads": inside(activation=function("keras.utils", "get_file")),
    "a function that saves": inside(activation=function("keras.saving", "save_model")),
    "a function that trusts": inside(activation=function("keras.config", "enable_unsafe_deserialization")),
    "a function of Python": inside(activation=function("builtins", "eval")),
    "a function that makes objects": inside(activation=function("keras.activations", "deserialize")),
    "a function that is none": inside(activation=function("keras.activations", "__builtins__")),
    "a function by a dot": inside(activation=function("keras", "activations.relu")),
    "a function that code carries": inside(activation={"class_name": "__lambda__", "config": {"value": "x"}}),
    "a type of TensorFlow": part("tensorflow.python.framework.tensor", "__typespec__", [], spec_name="TensorSpec"),
    "a type of HDF5 files": {"class_name": "TypeSpec", "type_spec": "x", "serialized": []},
    "more of HDF5 files": {"class_name": "CompositeTensor", "spec": {}, "tensors": []},
    "an unknown name": {"class_name": "Nothing", "config": {}},
    "a function without a module": {"class_name": "function", "config": "relu"},
    "a class of an old package": part("keras_nlp.layers", "Dense"),
}


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_classes_outside_the_allowed_list_are_refused(keras, owned, unloaded, tmp_path, name, suffix):
    model = rewritten(keras, tmp_path / "it.keras", layer(OTHERS[name]))
    if suffix == ".h5":
        model = in_hdf5(keras, tmp_path / "it.h5", Archive(model.read_bytes()).read("config.json").decode())
    message = refused(model)
    assert re.search(r"code outside Keras|not among the layers and functions|code that is not run", message), message
    assert "--trust-model" in message
    assert not owned.exists()


def in_hdf5(keras, path, configuration):
    import h5py

    plain(keras).save(path)
    with h5py.File(path, "a") as file:
        file.attrs["model_config"] = configuration
    return path


def test_a_key_that_stands_twice_is_refused(keras, owned, unloaded, tmp_path):
    """In HDF5 files Keras acts on each object as it is read, also where another one replaces it."""
    hidden = '{"a": {"class_name": "TypeSpec", "type_spec": "x", "serialized": []}, "a": 1, "class_name": "Sequential"}'
    assert "damaged or no Keras model" in refused(in_hdf5(keras, tmp_path / "it.h5", hidden))


def test_classes_registered_by_the_user_are_allowed(keras, owned, tmp_path, monkeypatch):
    @keras.saving.register_keras_serializable("own")
    class Doubled(keras.layers.Layer):
        def call(self, x):
            return 2 * x

    model = rewritten(keras, tmp_path / "it.keras", layer(part("x", "Doubled", registered_name="own>Doubled")))
    assert Keras(model=str(model)).classes == 3
    legacy = layer({"class_name": "Lambda", "config": {}, "registered_name": "own>Doubled"})
    assert "holds a Lambda layer" in refused(rewritten(keras, tmp_path / "it.keras", legacy))


# --- The list -------------------------------------------------------------------------------------------------------


def test_every_name_on_the_list_is_a_class_of_keras(keras):
    for module, names in _keras_allowed.CLASSES.items():
        for name in names.split():
            assert isinstance(_keras_allowed.resolved(module, name), type), f"{module}.{name}"
    assert not _keras_file.CODE & _keras_allowed._simple_names()


def test_names_are_resolved_as_keras_resolves_them(keras):
    from keras.src import api_export
    from keras.src.saving import serialization_lib

    tried = 0
    for path, found in api_export.REGISTERED_NAMES_TO_OBJS.items():
        module, _, name = path.rpartition(".")
        if not module.startswith("keras._legacy"):  # which no module of Keras has, so that Keras alone finds them
            assert _keras_allowed.resolved(module, name) is found, path
            tried += 1
    assert tried > 900
    for module, names in _keras_allowed.CLASSES.items():
        for name in names.split():
            keras_finds = serialization_lib._retrieve_class_or_fn(name, None, module, "class", {})
            assert keras_finds is _keras_allowed.resolved(module, name)


def test_old_names_without_a_module_lead_to_nothing_else(keras):
    """In files without modules, Keras looks names of layers up in its module of layers, whatever is in that."""
    from keras.src import layers

    allowed = _keras_allowed._classes()
    for name in _keras_allowed._simple_names():
        assert vars(layers).get(name) in {None, *allowed}, name


def test_no_class_on_the_list_takes_a_file_or_code(keras):
    """By the names of the arguments that its configuration can set."""
    import inspect

    for each in _keras_allowed._classes():
        arguments = set(inspect.signature(each.__init__).parameters)
        assert not arguments & {"filepath", "filename", "path", "vocabulary", "function", "call_fn", "fn"}, each


def functional(keras):
    """A model of many layers, and of operations between them."""
    k, image = keras.layers, keras.Input((8, 8, 3))
    x = k.RandomFlip()(k.Rescaling([1 / 255] * 3)(image))
    x = k.Conv2D(4, 3, activation=keras.ops.gelu, kernel_regularizer="l2", kernel_constraint="max_norm")(x)
    x = k.BatchNormalization(gamma_initializer=keras.initializers.RandomNormal(seed=1))(k.Activation("relu")(x))
    x = k.SpectralNormalization(k.Conv2D(4, 3))(x)
    x = k.Reshape((16, 4))(keras.ops.relu(x[:, :4, :4] / 2 - keras.ops.mean(x, axis=(1, 2), keepdims=True)))
    x = k.Bidirectional(k.LSTM(3))(k.MultiHeadAttention(2, 2)(x, x)) * 0.5
    x = k.Dense(4)(k.TimeDistributed(k.Dense(3))(k.RepeatVector(2)(x)))
    x = k.Dense(4, dtype="mixed_float16")(k.Flatten()(keras.ops.where(x > 0, x, 0.0)))
    return keras.Model(image, k.Softmax(dtype="float32")(x))


def compiled(keras):
    """A model with another one in it, which has an optimizer, a loss and metrics."""
    k, image = keras.layers, keras.Input((8, 8, 3))
    head = keras.Model(image, k.Dense(4, "softmax")(k.GlobalAveragePooling2D()(k.Conv2D(4, 3)(image))))
    head.compile(keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 9)), "categorical_crossentropy")
    return keras.Sequential([image, k.RandomBrightness(0.1), head])


def quantised(keras):
    k = keras.layers
    model = keras.Sequential([keras.Input((4, 4, 1)), k.Flatten(), k.Dense(8), k.Dense(4, "softmax")])
    model.layers[1].quantize("int8")
    return model


@pytest.mark.parametrize("build", [functional, compiled, quantised, "ConvNeXtTiny"])
def test_configurations_that_keras_writes_are_on_the_list(keras, build):
    named = isinstance(build, str)
    model = getattr(keras.applications, build)(weights=None, classes=4) if named else build(keras)
    _keras_file._check_code(json.loads(json.dumps(keras.saving.serialize_keras_object(model))), "it")


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_models_that_ship_give_the_same_bits(keras, path):
    assert_same_bits(keras, path)


SAVED = [(build, suffix) for build in (*TOPOLOGIES, compiled) for suffix in (".keras", ".h5")]


@pytest.mark.parametrize(("build", "suffix"), [each for each in SAVED if each not in [*LOST, (compiled, ".h5")]])
def test_models_that_keras_saves_give_the_same_bits(keras, build, suffix, tmp_path):
    build(keras).save(tmp_path / f"model{suffix}")
    assert_same_bits(keras, tmp_path / f"model{suffix}")


def assert_same_bits(keras, path):
    direct = Keras.from_object(keras.models.load_model(path, compile=False))
    checked = Keras(model=str(path))
    images = images_like(checked)
    assert np.array_equal(checked.logits(images), direct.logits(images))
    assert checked.digest == Keras(model=str(path)).digest


def test_a_configuration_is_written_as_it_was_read(good):
    with zipfile.ZipFile(io.BytesIO(_keras_file._archive(archive(of(good)), "it")[1])) as copy:
        found = json.loads(copy.read("config.json"))
    assert found == {key: value for key, value in json.loads(good["config.json"]).items() if key != "compile_config"}
