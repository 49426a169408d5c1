"""Keras models that cannot be used: refused in a line that says the cure."""

import numpy as np
import pytest
from helpers.keras_models import dense_softmax, normalised, saved

from fooldeap.errors import InputError
from fooldeap_plugins.classifier.keras import Keras


def hard_sigmoid_head(keras):
    k = keras.layers
    return keras.Sequential([keras.Input((5, 5, 1)), k.Rescaling(1 / 255), k.Flatten(), k.Dense(3, "hard_sigmoid")])


def two_inputs(keras):
    first, second = keras.Input((5, 5, 1)), keras.Input((5, 5, 1))
    k = keras.layers
    return keras.Model([first, second], k.Dense(3, "softmax")(k.Flatten()(first + second)))


def two_outputs(keras):
    image = keras.Input((5, 5, 1))
    flat = keras.layers.Flatten()(image)
    return keras.Model(image, [keras.layers.Dense(3, "softmax")(flat), keras.layers.Dense(3)(flat)])


def any_size(keras):
    image = keras.Input((None, None, 1))
    pooled = keras.layers.GlobalMaxPooling2D()(keras.layers.Conv2D(3, 3)(image))
    return keras.Model(image, keras.layers.Softmax()(pooled))


def four_channels(keras):
    return dense_softmax(keras, (8, 8, 4))


def flat_input(keras):
    return keras.Sequential([keras.Input((784,)), keras.layers.Dense(10, "softmax")])


def one_class(keras):
    return dense_softmax(keras, classes=1)


def map_of_classes(keras):
    return keras.Sequential([keras.Input((5, 5, 1)), keras.layers.Conv2D(3, 1, activation="softmax")])


def not_finite(keras):
    model = dense_softmax(keras)
    model.set_weights([np.full_like(weights, np.nan) for weights in model.get_weights()])
    return model


REFUSED = [
    (hard_sigmoid_head, "outputs: sigmoid"),
    (normalised, "outputs: probabilities"),
    (two_inputs, "has 2 inputs, expected one image"),
    (two_outputs, "say which has the scores of the classes: 'output: "),
    (any_size, "shape: [height, width, 1]"),
    (four_channels, "channels 1 or 3"),
    (flat_input, "shape: [height, width, channels]"),
    (one_class, "at least 2 classes"),
    (map_of_classes, "expected one score for each class"),
    (not_finite, "NaN"),
]


@pytest.mark.parametrize(("build", "cure"), REFUSED)
def test_unsupported_models_are_refused_with_a_cure(keras, build, cure):
    refused(Keras.from_object(build(keras)), cure)


def refused(classifier, *parts):
    with pytest.raises(InputError) as error:
        classifier.logits(np.zeros((32, 28, 28, 1), np.uint8))
    message = str(error.value)
    assert "\n" not in message
    assert message.startswith("classifier 'keras': ")
    assert all(part in message for part in parts), message


def test_a_claim_about_outputs_is_checked(keras):
    refused(Keras.from_object(dense_softmax(keras), outputs="logits"), "outputs: auto")
    refused(Keras.from_object(hard_sigmoid_head(keras), outputs="probabilities"), "outputs: logits")


def test_a_model_without_an_input_is_refused(keras):
    refused(Keras.from_object(keras.Sequential([keras.layers.Dense(3)])), "keras.Input")


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_code_in_a_file_is_not_run(keras, tmp_path, suffix):
    k = keras.layers
    model = keras.Sequential([keras.Input((5, 5, 1)), k.Lambda(lambda x: x / 255), k.Flatten(), k.Dense(3, "softmax")])
    refused(saved(model, tmp_path, suffix), "Lambda", "layer of Keras in its place")


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_custom_layers_are_named(keras, tmp_path, suffix):
    class Doubled(keras.layers.Layer):
        def call(self, x):
            return 2 * x

    model = keras.Sequential([keras.Input((5, 5, 1)), Doubled(), keras.layers.Flatten(), keras.layers.Dense(3)])
    refused(saved(model, tmp_path, suffix), "needs 'Doubled'")


@pytest.mark.parametrize("suffix", [".keras", ".h5", ".hdf5"])
def test_a_broken_file_is_refused(tmp_path, suffix):
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(b"\x89HDF and then nothing")
    refused(Keras(model=str(path)), "damaged or no Keras model")


def test_a_file_of_weights_alone_is_refused(keras, tmp_path):
    path = tmp_path / "only.weights.h5"
    dense_softmax(keras).save_weights(path)
    refused(Keras(model=str(path)), "model.save(")


@pytest.mark.parametrize(
    ("model", "parts"),
    [
        ("mnist_cn", ("model 'mnist_cn' is not there", "did you mean 'mnist_cnn'?")),
        ("xyz", ("expected mnist_cnn, mnist_cnn_b, mnist_lenet, mnist_lenet_b, or a file",)),
        (
            "nowhere/mine.keras",
            ("model 'nowhere/mine.keras' is not there", "expected mnist_cnn, mnist_cnn_b, mnist_lenet"),
        ),
        (__file__, ("ends in '.py'", "keras (.keras, .h5, .hdf5), onnx (.onnx), torch (.pt,")),
    ],
)
def test_a_missing_model_is_refused(model, parts):
    refused(Keras(model=model), *parts)
    with pytest.raises(InputError):
        _ = Keras(model=model).digest


def test_from_object_ignores_other_objects():
    assert not Keras.takes("mnist_cnn")
    assert not Keras.takes(lambda x: x)
