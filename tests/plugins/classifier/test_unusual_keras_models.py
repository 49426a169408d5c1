"""Keras models with unusual inputs or outputs: the confidence is the framework's own, or one line says a cure.

Each case builds its model and returns the model, its forward pass on uint8 images (n, h, w, c), and the settings.
"""

import re

import numpy as np
import pytest
from helpers.experiments import ROOT
from helpers.keras_models import images_like, softmax
from helpers.unusual_models import SHAPE, agrees, refused

from fooldeap.configuration import config
from fooldeap.errors import InputError
from fooldeap_plugins.classifier._outputs import name_of_output
from fooldeap_plugins.classifier.callable import FunctionClassifier
from fooldeap_plugins.classifier.keras import Keras


def head(keras, image, activation="softmax", classes=4):
    pixels = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(image))
    return keras.layers.Dense(classes, activation=activation)(pixels)


def mapping_of_outputs(keras):
    image = keras.Input(SHAPE)
    model = keras.Model(image, {"scores": head(keras, image), "other": head(keras, image, None, 2)})
    return model, lambda images: model(images.astype("f"))["scores"], {"output": "scores"}


def list_of_outputs(keras):
    image = keras.Input(SHAPE)
    model = keras.Model(image, [head(keras, image, None, 2), head(keras, image)])
    return model, lambda images: model(images.astype("f"))[1], {"output": model.output_names[1]}


def mapping_of_one_output(keras):
    image = keras.Input(SHAPE)
    model = keras.Model(image, {"scores": head(keras, image)})
    return model, lambda images: model(images.astype("f"))["scores"], {}


def mapping_of_one_input(keras):
    image = keras.Input(SHAPE, name="image")
    model = keras.Model({"image": image}, head(keras, image))
    return model, lambda images: model({"image": images.astype("f")}), {}


def one_image_at_a_time(keras):
    image = keras.Input(batch_shape=(1, *SHAPE))
    flat = keras.ops.reshape(image / 255, (1, 144))
    model = keras.Model(image, keras.layers.Dense(4, activation="softmax")(flat))
    return model, lambda images: np.concatenate([model(each[None].astype("f")) for each in images]), {}


def fixed_batch(keras):
    image = keras.Input(batch_shape=(3, *SHAPE))
    flat = keras.ops.reshape(image / 255, (3, 144))
    model = keras.Model(image, keras.layers.Dense(4, activation="softmax")(flat))
    return model, lambda images: np.concatenate([model(np.stack([each] * 3).astype("f"))[:1] for each in images]), {}


def axes_of_size_1(keras):
    image = keras.Input(SHAPE)
    model = keras.Model(image, keras.layers.Softmax()(keras.layers.Conv2D(4, (8, 6))(image / 255)))
    return model, lambda images: np.asarray(model(images.astype("f")))[:, 0, 0], {}


def multi_label(keras):
    image = keras.Input(SHAPE)
    model = keras.Model(image, head(keras, image, "sigmoid", 5))
    return model, lambda images: model(images.astype("f")), {}


def resizing(keras):
    image = keras.Input((None, None, 3))
    model = keras.Model(image, head(keras, keras.layers.Resizing(8, 6)(image)))
    return model, lambda images: model(images.astype("f")), {"shape": (13, 7, 3)}


def training_layers(keras):
    k = keras.layers
    model = keras.Sequential([keras.Input(SHAPE), k.Flatten(), k.BatchNormalization(), k.Dropout(0.5), k.Dense(4)])
    return model, lambda images: softmax(np.asarray(model(images.astype("f"), training=False))), {"outputs": "logits"}


def half_precision(keras):
    image = keras.Input(SHAPE)
    flat = keras.layers.Flatten()(image / 255)
    model = keras.Model(image, keras.layers.Dense(4, activation="softmax", dtype="float16")(flat))
    return model, lambda images: model(images.astype("f")), {"outputs": "probabilities"}


KERAS = [
    mapping_of_outputs,
    list_of_outputs,
    mapping_of_one_output,
    mapping_of_one_input,
    one_image_at_a_time,
    fixed_batch,
    axes_of_size_1,
    multi_label,
    resizing,
    training_layers,
    half_precision,
]


# --- Layouts: where the channels are ---------------------------------------------------------------------------------


def dense(keras, sides):
    image = keras.Input(sides)
    return keras.Model(image, head(keras, image))


def convolution(keras, sides, first=False):
    image = keras.Input(sides)
    pixels = keras.layers.BatchNormalization()(keras.layers.Rescaling(1 / 255)(image))
    maps = keras.layers.Conv2D(2, 2, data_format="channels_first" if first else "channels_last")(pixels)
    return keras.Model(image, keras.layers.Dense(4, activation="softmax")(keras.layers.Flatten()(maps)))


def nested(keras, sides, first=False):
    return keras.Sequential([keras.Input(sides), keras.Sequential([convolution(keras, sides, first)])])


def permuted(keras, sides):
    image = keras.Input(sides)
    return keras.Model(image, convolution(keras, sides)(keras.layers.Permute((3, 2, 1))(image)))


FIRST = {"first": True}


@pytest.mark.parametrize(
    ("build", "sides", "how", "layout"),
    [
        (dense, (3, 8, 6), {}, "nchw"),
        (dense, (1, 8, 6), {}, "nchw"),
        (dense, (8, 6, 3), {}, "nhwc"),
        (dense, (8, 1, 3), {}, "nhwc"),
        (convolution, (3, 8, 3), {}, "nhwc"),
        (convolution, (3, 8, 3), FIRST, "nchw"),
        (nested, (3, 8, 3), {}, "nhwc"),
        (nested, (3, 8, 3), FIRST, "nchw"),
        (dense, (3, 8, 3), {}, None),
        (dense, (1, 8, 3), {}, None),
        (permuted, (3, 8, 3), {}, None),
    ],
)
def test_channels_are_where_layers_sizes_or_the_user_say(keras, build, sides, how, layout):
    model = build(keras, sides, **how)
    own = {"nhwc": lambda x: model(x.astype("f")), "nchw": lambda x: model(x.transpose(0, 3, 1, 2).astype("f"))}
    if layout is None:
        with pytest.raises(InputError) as error:
            Keras.from_object(model).logits(np.zeros((1, *SHAPE), np.uint8))
        assert re.findall("'layout: (.*?)'", str(error.value)) == ["nchw", "nhwc"]
        for each, forward in own.items():
            agrees(Keras.from_object(model, layout=each), forward)
    else:
        classifier = Keras.from_object(model)
        agrees(classifier, own[layout])
        assert classifier.gradient(images_like(classifier, 2), np.full(2, 1)).any()


def test_six_channels_are_no_channels_that_come_first(keras):
    refused(Keras.from_object(convolution(keras, (3, 8, 6))), "expected (height, width, channels), channels 1 or 3")


def test_flat_input_in_which_the_channels_come_first(keras):
    model = keras.Sequential([keras.Input((144,)), keras.layers.Dense(4, "softmax")])
    for layout, axes in (("nhwc", (0, 1, 2, 3)), ("nchw", (0, 3, 1, 2))):
        made = Keras.from_object(model, shape=SHAPE, layout=layout, input_range=(0, 1))
        agrees(made, lambda x, axes=axes: model(x.transpose(axes).reshape(len(x), -1).astype("f") / 255))


@pytest.mark.filterwarnings("error::UserWarning")
@pytest.mark.parametrize("build", KERAS)
def test_keras_model_gives_its_own_confidence(keras, build):
    model, forward, settings = build(keras)
    classifier = Keras.from_object(model, **settings)
    agrees(classifier, forward)
    assert classifier.gradient(images_like(classifier, 2), np.full(2, 1)).any()


def test_wrong_names_of_outputs_are_refused(keras):
    model, _, _ = mapping_of_outputs(keras)
    refused(Keras.from_object(model), "say which has the scores of the classes: 'output: scores'")
    refused(Keras.from_object(model, output="score"), "expected one of: scores, other")
    refused(Keras.from_object(model, output=1), "has no output '1', expected one of: scores, other")


def test_output_is_chosen_by_its_index(keras):
    model, forward, _ = list_of_outputs(keras)
    agrees(Keras.from_object(model, output=1), forward)
    refused(Keras.from_object(model, output=2), "or an index from 0 to 1")
    refused(Keras.from_object(model), f"'output: {model.output_names[1]}'")  # it ends in a softmax


@pytest.mark.parametrize(("output", "expected"), [(0, "7"), (7, "7"), ("7", "7"), (1, "p"), ("p", "p")])
def test_number_is_the_index_or_the_name_of_an_output(output, expected):
    assert name_of_output(output, {"7": None, "p": None}, {}, "it") == expected


def test_number_that_is_the_index_of_one_output_and_the_name_of_another_is_refused():
    names = {"1": None, "p": None}
    with pytest.raises(InputError, match=r"'output: 1', the name of an output and the index of 'p'; .*'output: p'"):
        name_of_output(1, names, {}, "it")
    assert name_of_output("1", names, {}, "it") == "1"


@pytest.mark.parametrize("name", ["keras", "onnx", "torch"])
def test_index_of_an_output_is_a_key_of_the_file_and_an_override(name):
    file = {"classifier": {"name": name, "model": "it", "output": 1}}
    assert config.load(file).classifier.values["output"] == 1
    assert config.load(file, ["classifier.output=2"]).classifier.values["output"] == 2
    with pytest.raises(InputError, match="output: got -1, expected text, an integer >= 0 or null"):
        config.load(file, ["classifier.output=-1"])


def test_a_reshape_that_mixes_images_is_refused(keras):
    image = keras.Input((None, None, 3))
    flat = keras.ops.reshape(image / 255, (-1, 144))
    model = keras.Model(image, keras.layers.Dense(4, activation="softmax")(flat))
    agrees(Keras.from_object(model, shape=SHAPE), lambda images: model(images.astype("f")))
    refused(Keras.from_object(model, shape=(16, 6, 3)), "see whether 'shape' is that of its images")


def test_softmax_over_the_images_is_refused(keras):
    """`outputs: sigmoid`, which the range of its output suggests, would give wrong confidences."""
    image = keras.Input(SHAPE)
    model = keras.Model(image, keras.layers.Softmax(axis=0)(head(keras, image, None)))
    for outputs in ("auto", "sigmoid", "logits", "probabilities"):
        refused(Keras.from_object(model, outputs=outputs), "correct it to 'dim=1' (PyTorch) or 'axis=-1'")
    right = keras.Model(image, keras.layers.Softmax(axis=-1)(model.layers[-2].output))
    agrees(Keras.from_object(right), lambda images: right(images.astype("f")))


def test_logarithms_of_probabilities_are_logits(keras):
    image = keras.Input(SHAPE)
    model = keras.Model(image, head(keras, image, "log_softmax"))
    agrees(Keras.from_object(model), lambda images: np.exp(model(images.astype("f"))))


def test_labels_are_no_probabilities(keras):
    image = keras.Input(SHAPE)
    label = keras.ops.one_hot(keras.ops.argmax(head(keras, image), axis=1), 4)
    refused(Keras.from_object(keras.Model(image, label)), "gives only 0 and 1, as labels do")


def test_a_keras_model_that_does_not_run_is_refused(keras):
    image = keras.Input(SHAPE)
    model = keras.Model(image, keras.layers.Dense(4, activation="softmax")(keras.ops.reshape(image, (1, 144))))
    refused(Keras.from_object(model), "keras.Input(batch_shape=(1, height, width, channels))")


# --- The table of the documentation ---------------------------------------------------------------------------------


def alpha(keras):
    return [keras.Input((8, 6, 4))], lambda inputs: head(keras, inputs[0])


def second_input(keras):
    flat = keras.layers.Flatten()
    joined = lambda inputs: keras.layers.Concatenate()([flat(inputs[0]) / 255, inputs[1]])  # noqa: E731
    return [keras.Input(SHAPE), keras.Input((2,))], lambda inputs: keras.layers.Dense(4, "softmax")(joined(inputs))


def one_probability(keras):
    return [keras.Input(SHAPE)], lambda inputs: head(keras, inputs[0], "sigmoid", 1)


WRAPPED = {
    "takes RGBA": (alpha, lambda x: np.concatenate([x, np.full((len(x), 8, 6, 1), 255)], axis=3)),
    "has a second input of two numbers": (second_input, lambda x: [x, np.zeros((len(x), 2))]),
    "returns one probability": (one_probability, lambda x: x),
}


def rows_of_the_table():
    text = (
        (ROOT / "docs/classifiers.md").read_text().partition("## Other inputs and outputs\n")[2].partition("\n## ")[0]
    )
    return re.findall(r"^\| ([^`|]+) \| `(.+)` \| `(.+)` \|$", text, re.MULTILINE)


def test_the_table_has_all_conversions():
    assert [title for title, _, _ in rows_of_the_table()] == list(WRAPPED)


@pytest.mark.parametrize(("title", "around", "function"), rows_of_the_table())
def test_the_documented_conversion_gives_the_confidence_of_the_model(keras, tmp_path, title, around, function):
    build, converted = WRAPPED[title]
    inputs, output = build(keras)
    model = keras.Model(inputs if len(inputs) > 1 else inputs[0], output(inputs))
    refused(Keras.from_object(model), "see 'Other inputs and outputs' in docs/classifiers.md")
    single = title == "returns one probability"
    outputs = "probabilities" if single or len(inputs) > 1 else "auto"

    def forward(images):
        fed = converted(images.astype(np.float32))
        found = np.asarray(model([np.asarray(each, "f") for each in fed] if isinstance(fed, list) else fed.astype("f")))
        return np.stack([1 - found[:, 0], found[:, 0]], axis=1) if single else found

    outer = eval(around, {"keras": keras, "image": keras.Input(SHAPE), "model": model})
    outer.save(tmp_path / "it.keras")
    agrees(Keras(model=str(tmp_path / "it.keras"), outputs=outputs), forward)

    called = lambda x: np.asarray(model([each.astype("f") for each in x] if isinstance(x, list) else x.astype("f")))  # noqa: E731
    names = {"np": np, "model": called}
    scores = lambda images: eval(function, {**names, "images": images})  # noqa: E731
    agrees(FunctionClassifier.from_object(scores, shape=SHAPE, classes=2 if single else 4), forward)
