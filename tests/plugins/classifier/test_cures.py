"""A message about a classifier names the exact key, command or code that solves it. Here, each is applied as written.

A case builds a model that fails, with its own forward pass on uint8 images (n, h, w, c). The test takes the cure from
the message, applies it, and compares the confidence of the image that was found with the forward pass.
"""

import importlib
import importlib.metadata
import re
import subprocess
import sys
import warnings
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pytest
import yaml
from helpers.commands import call
from helpers.experiments import ROOT
from helpers.keras_models import softmax
from packaging.requirements import Requirement

import fooldeap
from fooldeap.errors import FooldeapError, FooldeapWarning

SHAPE = (8, 6, 3)
RNG = np.random.default_rng(0)
WEIGHTS = RNG.normal(0, 0.01, (144, 4)).astype(np.float32)
FEW = {"stop": {"confidence": 0.9, "evaluations": 64}, "quiet": True}


class Made(NamedTuple):
    """A model in memory or settings that name its file, its own forward pass, and further settings."""

    model: Any
    forward: Any
    settings: Any = MappingProxyType({})
    arguments: Any = MappingProxyType({})


def fooled(made, settings):
    named = isinstance(made.model, dict)
    model = {**made.model, **settings} if named else made.model
    given = {} if named else {"classifier": settings}
    return fooldeap.fool(model, 1, **FEW, **given, **made.arguments)[1]


def message_of(made, settings):
    """Return the error about a model, or the warning about it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", FooldeapWarning)
        try:
            fooled(made, settings)
            (text,) = [str(each.message) for each in caught if issubclass(each.category, FooldeapWarning)]
        except FooldeapError as error:
            text = str(error)
    assert "\n" not in text
    return text


def cured(message, cure, settings, filled):
    """Return the settings after a cure, "key: value" or "leave 'key' out", as the message words it."""
    assert cure in message, message
    if cure.startswith("leave"):
        left = re.findall("'(.*?)'", cure)
        assert set(left) <= settings.keys()
        return {key: value for key, value in settings.items() if key not in left}
    assert f"got '{cure}'" not in message
    for name, value in filled.items():
        cure = cure.replace(name, str(value))
    return {**settings, **yaml.safe_load(cure)}


def agrees(made, settings):
    image = fooled(made, settings)
    (own,) = np.asarray(made.forward(image.image.pixels[None]), np.float64)
    assert image.confidence == pytest.approx(own[1], abs=1e-5)
    assert image.predicted == own.argmax()


def check(made, *cures, **filled):
    """Apply cures one after the other, each from the message that is then given."""
    settings = made.settings
    for cure in cures:
        settings = cured(message_of(made, settings), cure, settings, filled)
    agrees(made, settings)


# --- Keras ----------------------------------------------------------------------------------------------------------


def network(keras, activation="softmax", shape=SHAPE, scale=1 / 255, **head):
    layers = keras.layers
    image = keras.Input(shape)
    sides = [side for side in shape if side is not None]
    flat = layers.Flatten()(layers.Rescaling(scale)(image)) if len(sides) == len(shape) else None
    flat = layers.GlobalMaxPooling2D()(layers.Conv2D(5, 3)(image / 255)) if flat is None else flat
    spread = keras.initializers.RandomNormal(stddev=1.0, seed=2)
    return keras.Model(image, layers.Dense(4, activation=activation, kernel_initializer=spread, **head)(flat))


def made_of(keras, model, *, scale=1.0, then=lambda x: x, **settings):
    return Made(model, lambda images: then(np.asarray(model(images.astype(np.float32) * np.float32(scale)))), settings)


def several(keras):
    image = keras.Input(SHAPE)
    model = keras.Model(image, {"other": network(keras, None)(image)[:, 0], "scores": network(keras)(image)})
    return Made(model, lambda images: model(images.astype("f"))["scores"], {})


def normalised(keras):
    image = keras.Input(SHAPE)
    scores = network(keras, "sigmoid")(image)
    return made_of(keras, keras.Model(image, scores / keras.ops.sum(scores, axis=1, keepdims=True)))


def flat(keras, shape):
    model = keras.Sequential([keras.Input((int(np.prod(shape)),)), *network(keras, shape=shape).layers[2:]])
    return Made(model, lambda images: model(images.reshape(len(images), -1).astype("f") / 255), {"input_range": [0, 1]})


def overflowing(keras):
    image = keras.Input(SHAPE)
    model = keras.Model(image, network(keras, scale=1.0)(keras.ops.exp(image)))
    return made_of(keras, model, scale=1 / 255)


def integers(keras):
    image = keras.Input(SHAPE, dtype="uint8")
    model = keras.Model(image, network(keras)(keras.ops.cast(image, "float32")))
    return Made(model, lambda images: model(images), {"input_range": [0, 1], "mean": [0.5, 0.5, 0.5]})


def in_range(keras, scale=1 / 255, offset=0.0, **settings):
    model = network(keras, scale=1.0)
    return Made(model, lambda images: model(images.astype("f") * scale + offset), settings)


GREY = (8, 6, 1)
KERAS = {
    "outputs are sigmoids": (lambda k: made_of(k, network(k, "hard_sigmoid")), "outputs: sigmoid"),
    "outputs are logits": (lambda k: made_of(k, network(k, None), then=softmax), "outputs: logits"),
    "outputs are probabilities": (normalised, "outputs: probabilities"),
    "outputs are no logits": (lambda k: made_of(k, network(k), outputs="logits"), "outputs: auto"),
    "outputs are no probabilities": (
        lambda k: made_of(k, network(k, None), then=softmax, outputs="probabilities"),
        "outputs: logits",
    ),
    "logits are in 0..1": (lambda k: made_of(k, network(k, "sigmoid"), outputs="logits"), "outputs: sigmoid"),
    "several outputs": (several, "output: scores"),
    "misspelt output": (lambda k: several(k)._replace(settings={"output": "score"}), "output: scores"),
    "any size": (
        lambda k: made_of(k, network(k, shape=(None, None, 3))),
        "shape: [height, width, 3]",
    ),
    "flat": (lambda k: flat(k, SHAPE), "shape: [height, width, channels]"),
    "flat and square": (lambda k: flat(k, (12, 12, 1)), "shape: [12, 12, 1]"),
    "flat, square and coloured": (lambda k: flat(k, (8, 8, 3)), "shape: [8, 8, 3]"),
    "other shape": (lambda k: made_of(k, network(k), shape=[6, 8, 3]), "leave 'shape' out"),
    "unclear channels": (lambda k: made_of(k, network(k, shape=(3, 8, 3))), "layout: nhwc"),
    "unknown device": (lambda k: made_of(k, network(k), device="gpu"), "device: auto"),
    "missing device": (lambda k: made_of(k, network(k), device="cuda:77"), "device: cpu"),
    "preset and mean": (
        lambda k: in_range(k, 1 / 127.5, -1, preprocessing="tf", mean=[0.5, 0.5, 0.5]),
        "leave 'mean' out",
    ),
    "integer pixels": (integers, "leave 'input_range' and 'mean' out"),
    "one mean for three channels": (
        lambda k: in_range(k, 1 / 255, -0.5, input_range=[0, 1], mean=[0.5]),
        "mean: [0.5, 0.5, 0.5]",
    ),
    "std is 0": (lambda k: in_range(k, input_range=[0, 1], std=[0, 1, 1]), "std: [1, 1, 1]"),
    "mean of grey levels": (
        lambda k: in_range(k, 1 / 60, -2, mean=[120] * 3, std=[60] * 3, input_range=[0, 1]),
        "input_range: [0, 255]",
    ),
    "std of 0..1": (lambda k: in_range(k, 1 / 51, 0, std=[0.2] * 3), "input_range: [0, 1]"),
    "bgr without colours": (lambda k: made_of(k, network(k, shape=GREY), channels="bgr"), "leave 'channels' out"),
    "not finite": (overflowing, "input_range: [0, 1]"),
    "far too confident": (lambda k: in_range(k), "input_range: [0, 1]"),
    "name of another plugin": (lambda k: made_of(k, network(k), name="onnx"), "leave 'name' out"),
}


@pytest.mark.parametrize("title", KERAS)
def test_key_solves_what_is_wrong_with_a_keras_model(keras, title):
    build, *cures = KERAS[title]
    check(build(keras), *cures, height=8, width=6, channels=3)


def test_code_around_a_model_without_an_input_is_run(keras):
    model = keras.Sequential(network(keras).layers[1:])
    made = Made(model, lambda images: model(images.astype("f")), {})
    code = re.search(r"wrap it: (i = keras.Input.*; )(keras.Model\(.*\))$", message_of(made, {}))
    names = {"keras": keras, "model": model, "height": 8, "width": 6, "channels": 3}
    exec(code[1], names)
    agrees(made._replace(model=eval(code[2], names)), {})


def test_input_of_a_model_of_single_images_is_built(keras):
    def build(image):
        numbers = keras.ops.reshape(image / 255, (1, 144))
        return keras.Model(image, keras.layers.Dense(4, "softmax")(numbers))

    made = Made(build(keras.Input(SHAPE)), None, {})
    code = re.search(r"build it with (keras\.Input\(.*\))\W*$", message_of(made, {}))[1]
    model = build(eval(code, {"keras": keras, "height": 8, "width": 6, "channels": 3}))
    agrees(Made(model, lambda images: model(images.astype("f"))), {})


# --- Files of Keras -------------------------------------------------------------------------------------------------


def test_model_file_is_saved_by_the_code_of_the_message(keras, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = network(keras)
    made = made_of(keras, model)._replace(model={"name": "keras", "model": "NAME.keras"})
    (tmp_path / "NAME.keras").write_bytes(b"PK")
    exec(re.search(r"save it with (model\.save\(.*\))", message_of(made, {}))[1], {"model": model})
    agrees(made, {})
    model.save_weights("FILE.weights.h5")
    weights = made._replace(model={"name": "keras", "model": "FILE.weights.h5"})
    loading, saving = re.search(
        r"then (model\.load_weights\(.*\)) and (model\.save\(.*\))", message_of(weights, {})
    ).groups()
    (tmp_path / "NAME.keras").unlink()
    other = keras.models.clone_model(model)
    exec(f"{loading}; {saving}", {"model": other})
    agrees(made, {})


def test_model_with_an_operation_is_saved_in_the_format_of_the_message(keras, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    image = keras.Input(SHAPE)
    model = keras.Model(image, network(keras, scale=1.0)(image / 255))
    model.save("it.h5")
    made = made_of(keras, model)._replace(model={"name": "keras", "model": "it.h5"})
    for arguments in ({}, {"trust_model": True}):
        text = message_of(made._replace(arguments=arguments), {})
        assert "uses 'TrueDivide', an operation of Keras" in text
    exec(re.search(r"in that format: (model\.save\(.*\))$", text)[1], {"model": model})
    agrees(made._replace(model={"name": "keras", "model": "NAME.keras"}), {})


SUBCLASS = """
import keras


class Scaled(keras.Layer):
    def call(self, images):
        return images / 255
"""


def test_module_of_a_trusted_model_is_found_in_the_folder_of_the_message(keras, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "code").mkdir()
    (tmp_path / "code/own_scaling.py").write_text(SUBCLASS)
    with monkeypatch.context() as context:
        context.syspath_prepend(tmp_path / "code")
        model = keras.Sequential(
            [keras.Input(SHAPE), importlib.import_module("own_scaling").Scaled(), network(keras, scale=1.0)]
        )
        model.save("it.keras")
        del sys.modules["own_scaling"]
    made = made_of(keras, model)._replace(model={"name": "keras", "model": "it.keras"}, arguments={"trust_model": True})
    text = message_of(made, {})
    assert "run with PYTHONPATH=FOLDER, the folder of the module 'own_scaling'" in text
    assert "'Subclassed Keras model' in docs/classifiers.md" in text
    monkeypatch.syspath_prepend(tmp_path / "code")
    agrees(made, {})
    del sys.modules["own_scaling"]


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("way", ["option", "argument"])
def test_code_in_a_model_file_is_allowed_by_the_option_of_the_message(
    keras, tmp_path, monkeypatch, capsys, suffix, way
):
    monkeypatch.chdir(tmp_path)
    layers = keras.layers
    inner = network(keras, scale=1.0)
    model = keras.Sequential([keras.Input(SHAPE), layers.Lambda(lambda x: x / 255, output_shape=SHAPE), inner])
    model.save(f"it{suffix}")
    made = made_of(keras, model)._replace(model={"name": "keras", "model": f"it{suffix}"})
    option, argument = re.search(r"run with (--[\w-]+) \(in Python: (\w+=True)\)", message_of(made, {})).groups()
    if way == "argument":
        agrees(made._replace(arguments=dict([argument.split("=")])), {})
        return
    (tmp_path / "it.yaml").write_text(
        f"classifier: {{name: keras, model: it{suffix}}}\ntargets: [1]\nreporters: [images]\n"
    )
    assert call("run", "it.yaml", "stop.evaluations=64", "--out", "run", "--quiet") == 2
    assert option in capsys.readouterr().err
    assert call("run", "it.yaml", "stop.evaluations=64", "--out", "run", "--quiet", option) == 0
    (run,) = fooldeap.load("run")
    own = np.asarray(made.forward(run.image.pixels[None]))[0, 1]
    assert run.confidence == pytest.approx(float(own), abs=1e-5)


def test_name_of_a_model_is_corrected_as_the_message_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = Made({"name": "keras", "model": "mnist_cn"}, None)
    name = re.search("did you mean '(.*)'", message_of(made, {}))[1]
    assert fooled(made, {"model": name}).target == 1
    linear(tmp_path / "it.onnx")
    check(own_of(tmp_path / "it.onnx")._replace(model={"name": "keras", "model": "it.onnx"}), "name: onnx")


@pytest.mark.slow
def test_file_of_densities_is_made_by_the_command_of_the_message(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tools").symlink_to(ROOT / "tools")
    (tmp_path / "NAME.npz").write_bytes(b"PK")
    made = Made({"name": "density", "model": "NAME.npz"}, None)
    program, *words = re.search("make one: (python tools/.*)$", message_of(made, {}))[1].split()
    subprocess.run([{"python": sys.executable}[program], *words], check=True, capture_output=True)
    assert fooled(made, {}).confidence == fooled(made, {"model": "mnist_density"}).confidence


def test_missing_package_is_in_the_extra_of_the_message(tmp_path, monkeypatch):
    linear(tmp_path / "it.onnx")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    text = message_of(own_of(tmp_path / "it.onnx"), {})
    provides(text, "onnx", "onnxruntime")
    monkeypatch.setitem(sys.modules, "torch", None)
    (tmp_path / "it.pt").write_bytes(b"")
    text = message_of(Made({"name": "torch", "model": str(tmp_path / "it.pt"), "network": "it:it"}, None), {})
    provides(text, "torch", "torch")


def provides(text, extra, package):
    """Check that the command in a message installs a package."""
    assert f"pip install 'fooldeap[{extra}]'" in text
    assert f"package '{package}'" in text
    needed = map(Requirement, importlib.metadata.requires("fooldeap"))
    assert package in {each.name for each in needed if each.marker and each.marker.evaluate({"extra": extra})}


# --- ONNX -----------------------------------------------------------------------------------------------------------


def linear(path, *tail, sides=(3, 8, 6), out="s", dtype="FLOAT", batch="n", **arrays):
    """Write a linear model whose scores ``s`` are those of `WEIGHTS`."""
    onnx = pytest.importorskip("onnx")
    helper, kinds = onnx.helper, onnx.TensorProto
    nodes = [("Cast", "x", "c", {"to": kinds.FLOAT}), ("Flatten", "c", "f", {}), ("MatMul", "f w", "s", {}), *tail]
    types = {"label": (kinds.INT64, ["n"])}
    outputs = [helper.make_tensor_value_info(name, *types.get(name, (kinds.FLOAT, ["n", 4]))) for name in out.split()]
    graph = helper.make_graph(
        [helper.make_node(kind, fed.split(), [name], **how) for kind, fed, name, how in nodes],
        "it",
        [helper.make_tensor_value_info("x", getattr(kinds, dtype), [batch, *sides])],
        outputs,
        [onnx.numpy_helper.from_array(array, name) for name, array in {"w": WEIGHTS, **arrays}.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return model


def own_of(path, settings=None, *, axes=(0, 3, 1, 2), scale=1.0, dtype="f", output=None):
    def forward(images):
        session = pytest.importorskip("onnxruntime").InferenceSession(str(path))
        shape = [-1, *session.get_inputs()[0].shape[1:]]
        fed = (images.transpose(axes) * np.float32(scale)).astype(dtype)
        fed = fed if any(isinstance(side, str) for side in shape) else fed.reshape(shape)
        found = session.run([output or session.get_outputs()[0].name], {"x": fed})[0]
        return found if output else softmax(found)

    return Made({"name": "onnx", "model": str(path)}, forward, settings or {})


SOFTMAX, LABEL = ("Softmax", "s", "p", {"axis": 1}), ("ArgMax", "s", "label", {"axis": 1, "keepdims": 0})
LABELLED = ((SOFTMAX, LABEL), {"out": "label p"})
LAST = (0, 1, 2, 3)
ONNX = {
    "several outputs": (*LABELLED, {"output": "p"}, {}, "output: p"),
    "label": (*LABELLED, {"output": "p"}, {"output": "label"}, "output: p"),
    "unclear channels, first": ((), {"sides": (3, 16, 3)}, {}, {}, "layout: nchw"),
    "unclear channels, last": ((), {"sides": (3, 16, 3)}, {"axes": LAST}, {}, "layout: nhwc"),
    "flat colours": ((), {"sides": (144,)}, {"axes": LAST}, {"shape": list(SHAPE)}, "layout: nhwc"),
    "flat colours, channels first": ((), {"sides": (144,)}, {}, {"shape": list(SHAPE)}, "layout: nchw"),
    "flat": ((), {"sides": (144,)}, {}, {"layout": "nchw"}, "shape: [height, width, channels]"),
    "flat and square": ((), {"sides": (144,)}, {}, {}, "shape: [12, 12, 1]"),
    "any size": ((), {"sides": (3, "h", "w")}, {}, {}, "shape: [height, width, 3]"),
    "other shape": ((), {}, {}, {"shape": [6, 8, 3]}, "leave 'shape' out"),
    "uint8 pixels": ((), {"dtype": "UINT8"}, {"dtype": "u1"}, {"input_range": [0, 1]}, "leave 'input_range' out"),
    "missing device": ((), {}, {}, {"device": "cuda:77"}, "device: cpu"),
    "far too confident": (
        [("Mul", "s by", "y", {})],
        {"out": "y", "by": np.float32([99])},
        {"scale": 1 / 255},
        {},
        "input_range: [0, 1]",
    ),
}


@pytest.mark.parametrize("title", ONNX)
def test_key_solves_what_is_wrong_with_an_onnx_model(tmp_path, title):
    tail, how, own, settings, cure = ONNX[title]
    linear(tmp_path / "it.onnx", *tail, **how)
    check(own_of(tmp_path / "it.onnx", settings, **own), cure, height=8, width=6, channels=3)


def test_weights_in_another_folder_are_brought_into_one_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model, onnx = linear(tmp_path / "FILE.onnx"), pytest.importorskip("onnx")
    (tmp_path / "sub").mkdir()
    onnx.save(model, "FILE.onnx", save_as_external_data=True, location="sub/weights", size_threshold=0)
    code = re.search(r"one file: (onnx\.save\(.*\))\W*$", message_of(own_of("FILE.onnx"), {}))[1]
    exec(code, {"onnx": onnx})
    agrees(own_of("NAME.onnx"), {})


def test_weights_that_are_missing_are_put_where_the_message_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model, onnx = linear(tmp_path / "it.onnx"), pytest.importorskip("onnx")
    onnx.save(model, "it.onnx", save_as_external_data=True, location="w.data", size_threshold=0)
    (tmp_path / "w.data").rename("elsewhere")
    name = re.search(
        "keeps its weights in '(.*)', which is not beside it; put it there", message_of(own_of("it.onnx"), {})
    )[1]
    (tmp_path / "elsewhere").rename(name)
    agrees(own_of("it.onnx"), {})


def test_dynamic_quantisation_is_named_where_answers_depend_on_the_batch(tmp_path):
    path = tmp_path / "it.onnx"
    model = linear(
        path, ("DynamicQuantizeLinear", "s", "q", {}), ("DequantizeLinear", "q scale zero", "y", {}), out="y"
    )
    (node,) = (each for each in model.graph.node if each.op_type == "DynamicQuantizeLinear")
    node.output.extend(["scale", "zero"])
    path.write_bytes(model.SerializeToString())
    message = message_of(own_of(path), {})
    assert "alone; the model is quantised dynamically, so" in message
    assert "model.eval()" not in message
    assert "or use the model before quantisation; results" in message
    linear(path)
    agrees(own_of(path), {})


def test_softmax_over_the_images_of_batches_of_one_is_named(tmp_path):
    path = tmp_path / "it.onnx"
    linear(path, ("Softmax", "s", "p", {"axis": 0}), out="p", batch=1)
    message = message_of(own_of(path), {})
    assert "its softmax is over the wrong axis: correct it to" in message
    linear(path, SOFTMAX, out="p", batch=1)
    agrees(own_of(path, output="p"), {})


def test_missing_axis_of_the_batch_is_named(tmp_path):
    path = tmp_path / "it.onnx"
    tail = ("ReduceMax", "s", "y", {"axes": [0], "keepdims": 1})
    linear(path, tail, sides=(8, 3), batch=8, out="y", w=WEIGHTS[:24])
    assert "whether its input has an axis for the images of a batch" in message_of(own_of(path), {})


def test_algorithm_with_gradients_is_left_out(tmp_path):
    linear(tmp_path / "it.onnx")
    made = own_of(tmp_path / "it.onnx")
    assert "leave 'algorithm' out" in message_of(made._replace(arguments={"algorithm": "gradient_ascent"}), {})
    agrees(made, {})


def test_dataset_of_other_images_is_left_out(tmp_path):
    linear(tmp_path / "it.onnx")
    made = own_of(tmp_path / "it.onnx")
    assert "leave 'dataset' out" in message_of(made._replace(arguments={"dataset": "mnist"}), {})
    agrees(made, {})


# --- Functions ------------------------------------------------------------------------------------------------------


def raw(images):
    return np.einsum("ij,jk->ik", images.reshape(len(images), -1), WEIGHTS)  # of each row alone, to the bit


SIZES = {"shape": list(SHAPE), "classes": 4}


def function(scores, forward=lambda images: softmax(raw(images)), **settings):
    return Made(scores, forward, {**SIZES, **settings})


def votes(images):
    return np.round(raw(images)).astype(np.int64)


FUNCTIONS = {
    "integers": (function(votes, lambda images: softmax(votes(images))), "outputs: logits"),
    "another number of classes": (function(raw, classes=5), "classes: 4"),
    "probabilities that the user calls logits": (
        function(lambda images: softmax(raw(images)), outputs="logits"),
        "outputs: auto",
    ),
    "billable, of an unknown kind": (function(raw, billable=True), "outputs: logits"),
    "billable, of probabilities": (
        function(lambda images: softmax(raw(images)), billable=True),
        "outputs: probabilities",
    ),
    "billable, of wrong logits": (
        function(lambda images: softmax(raw(images)), billable=True, outputs="logits"),
        "outputs: probabilities",
    ),
    "coarse probabilities": (
        function(lambda images: coarse(images), lambda images: coarse(images)),
        "outputs: probabilities",
    ),
    "name of another plugin": (function(raw, name="keras"), "leave 'name' out"),
}


def coarse(images):
    return np.round(softmax(raw(images)) * 63) / 64


@pytest.mark.parametrize("title", FUNCTIONS)
def test_key_solves_what_is_wrong_with_a_function(title):
    check(FUNCTIONS[title][0], *FUNCTIONS[title][1:])


@pytest.mark.parametrize(
    ("wrong", "code", "name"),
    [
        (lambda images: softmax(raw(images))[:, 1], r"(np\.stack\(.*\))$", "p"),
        (lambda images: softmax(raw(images))[:, 1:2], r"(np\.stack\(.*\))$", "p"),
        (lambda images: [list(map(str, row)) for row in softmax(raw(images))], r"as (np\.array\(.*\))$", "rows"),
    ],
)
def test_code_makes_scores_of_other_values(wrong, code, name):
    two = name == "p"
    made = function(wrong, classes=2 if two else 4)
    found = re.search(code, message_of(made, made.settings))[1]

    def corrected(images):
        return eval(found, {"np": np, name: np.reshape(wrong(images), -1) if two else wrong(images)})

    def forward(images):
        shares = softmax(raw(images))
        return np.stack([1 - shares[:, 1], shares[:, 1]], axis=1) if two else shares

    agrees(Made(corrected, forward), made.settings)


def test_rows_and_columns_are_transposed():
    made = function(lambda images: raw(images).T)
    assert message_of(made, made.settings).endswith("; transpose it")
    agrees(function(lambda images: made.model(images).T), made.settings)


SOURCE = """
import numpy as np
WEIGHTS = np.load("weights.npy")

class Net:
    def __call__(self, images):
        return linear(images)

def scaled(images, factor):
    return factor * linear(images)

def scores(images):
    return linear(images)

def linear(images):
    return np.einsum("ij,jk->ik", images.reshape(len(images), -1), WEIGHTS)
"""


@pytest.mark.parametrize(
    ("name", "line", "right"),
    [
        ("Net", r"write (NET = Net\(\)) in its file, and name (NET) instead of Net$", None),
        ("scaled", r"write one: (def (\w+)\(images\): return .*)$", {"...": "1"}),
        ("score", r"did you mean ()'(\w+)'\?$", None),
    ],
)
def test_function_of_a_file_is_written_and_named_as_the_message_says(tmp_path, monkeypatch, name, line, right):
    monkeypatch.chdir(tmp_path)
    np.save("weights.npy", WEIGHTS)
    (tmp_path / "own.py").write_text(SOURCE)
    settings = {"name": "callable", **SIZES}
    made = Made({**settings, "function": f"own.py:{name}"}, lambda images: softmax(raw(images)))
    code, function = re.search(line, message_of(made, {})).groups()
    for old, new in (right or {}).items():
        code = code.replace(old, new)
    (tmp_path / "later.py").write_text(f"{SOURCE}\n{code}\n")
    agrees(made._replace(model={**settings, "function": f"later.py:{function}"}), {})


NEGATED = {
    "negative log-probabilities": (lambda shares: -np.log(shares), r"return (-output) from the model or a function$"),
    "odds": (lambda shares: shares / (1 - shares), r"return (output / \(1 \+ output\)) from the model or a function$"),
}


@pytest.mark.parametrize("title", NEGATED)
@pytest.mark.parametrize("settings", [{}, {"outputs": "logits"}, {"outputs": "logits", "billable": True}])
def test_scores_of_which_a_larger_one_is_no_likelier_class_are_converted_as_the_message_says(title, settings):
    change, code = NEGATED[title]
    made = function(lambda images: change(softmax(raw(images).astype(np.float64) / 8)), **settings)
    message = message_of(made, made.settings)
    assert title.split(",")[0] in message
    cure = re.search(code, message)[1]
    agrees(
        Made(lambda images: eval(cure, {"output": made.model(images)}), lambda images: softmax(raw(images) / 8)),
        {**SIZES, "outputs": "auto"},
    )


def test_axes_of_size_1_do_not_count():
    made = function(lambda images: raw(images).reshape(len(images), 1, 1, 4))
    agrees(made, made.settings)


# --- PyTorch --------------------------------------------------------------------------------------------------------

NET = """
import numpy as np
import torch


class CLASS(torch.nn.Module):
    def __init__(self, change=lambda scores: scores):
        super().__init__()
        self.dense, self.change = torch.nn.Linear(144, 4, bias=False), change

    def forward(self, x):
        return self.change(self.dense(x.reshape(len(x), -1)))
"""


@pytest.fixture
def torch(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file.py").write_text(NET)
    return pytest.importorskip("torch", reason="PyTorch is not installed")


def module(torch, *change):
    names = {}
    exec(NET, names)
    made = names["CLASS"](*change).eval()
    with torch.no_grad():
        made.dense.weight[:] = torch.tensor(WEIGHTS.T * 255)
    return made


def own_of_module(torch, model, scale=1 / 255):
    body = module(torch)

    def forward(images):
        with torch.no_grad():
            return softmax(body(torch.tensor(images.transpose(0, 3, 1, 2).tolist()) * scale).numpy())

    return Made(model, forward, {"input_range": [0, 1]})


FILLED = {"height": 8, "width": 6, "channels": 3}
TORCH = {
    "no shape": (None, {}, "shape: [height, width, channels]"),
    "several outputs": (lambda scores: (scores[:, 0], scores), {"shape": list(SHAPE)}, "output: 1"),
    "one output": (None, {"shape": list(SHAPE), "output": "scores"}, "leave 'output' out"),
    "missing device": (None, {"shape": list(SHAPE), "device": "cuda:77"}, "device: cpu"),
    "sigmoids": (
        lambda scores: scores.softmax(1) * 0.5,
        {"shape": list(SHAPE)},
        "outputs: sigmoid",
    ),
}


@pytest.mark.parametrize("title", TORCH)
def test_key_solves_what_is_wrong_with_a_module(torch, title):
    change, settings, cure = TORCH[title]
    made = own_of_module(torch, module(torch, *([change] if change else [])))
    if title == "sigmoids":
        made = made._replace(forward=lambda images, own=made.forward: own(images) / 2)
    check(made._replace(settings={**made.settings, **settings}), cure, **FILLED)


def test_pickle_is_saved_and_named_by_the_code_and_the_key_of_the_message(torch):
    model = module(torch)
    torch.save(model.state_dict(), "it.pt")
    made = own_of_module(torch, {"name": "torch", "model": "it.pt", "shape": list(SHAPE)})
    network = re.search("'(network: file.py:CLASS)'", message_of(made, made.settings))[1]
    agrees(made, {**made.settings, **yaml.safe_load(network)})
    torch.save({"folder": Path(), "state_dict": model.state_dict()}, "it.pt")  # more than weights
    settings = {**made.settings, **yaml.safe_load(network)}
    code = re.search(r"alone: (torch\.save\(.*\))$", message_of(made, settings))[1]
    exec(code, {"torch": torch, "model": model})
    agrees(made._replace(model={**made.model, "model": "NAME.pth"}), settings)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
def test_exported_program_is_allowed_by_the_argument_of_the_message(torch):
    if "tensorflow" in sys.modules:
        sys.modules.setdefault("triton", None)  # torch.export would import it, which ends the process
    torch.export.save(torch.export.export(module(torch), (torch.zeros(4, 3, 8, 6),)), "it.pt2")
    made = own_of_module(torch, {"name": "torch", "model": "it.pt2"})
    argument = re.search(r"run with --trust-model \(in Python: (\w+)=True\)", message_of(made, made.settings))[1]
    made = made._replace(arguments={argument: True})
    agrees(made, made.settings)
    check(made._replace(settings={**made.settings, "shape": [6, 8, 3]}), "leave 'shape' out")


def test_softmax_over_the_images_is_corrected(torch):
    wrong = own_of_module(torch, module(torch, lambda scores: scores.softmax(dim=0)))
    settings = {**wrong.settings, "shape": list(SHAPE)}
    axis = re.search(r"'dim=(\d)' \(PyTorch\)", message_of(wrong, settings))[1]
    agrees(own_of_module(torch, module(torch, lambda scores: scores.softmax(dim=int(axis)))), settings)
