"""Messages about Keras models and files name the exact key, command or code that solves them, see `helpers.cures`."""

import importlib
import importlib.metadata
import re
import subprocess
import sys

import numpy as np
import pytest
from helpers.commands import call
from helpers.cures import SHAPE, Made, agrees, check, fooled, message_of
from helpers.experiments import ROOT
from helpers.keras_models import softmax

import fooldeap


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


@pytest.mark.slow
@pytest.mark.thorough
def test_file_of_densities_is_made_by_the_command_of_the_message(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tools").symlink_to(ROOT / "tools")
    (tmp_path / "NAME.npz").write_bytes(b"PK")
    made = Made({"name": "density", "model": "NAME.npz"}, None)
    program, *words = re.search("make one: (python tools/.*)$", message_of(made, {}))[1].split()
    subprocess.run([{"python": sys.executable}[program], *words], check=True, capture_output=True)
    assert fooled(made, {}).confidence == fooled(made, {"model": "mnist_density"}).confidence
