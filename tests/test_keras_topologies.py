"""Keras models of any topology: the softmax of the logits is the model's own output."""

import numpy as np
import pytest
from keras_models import dense_softmax, images_like, normalised, saved, softmax

from fooldeap_plugins.classifier.keras import Keras


def softmax_layer(keras):
    k = keras.layers
    return keras.Sequential([keras.Input((9, 7, 1)), k.Rescaling(1 / 255), k.Flatten(), k.Dense(4), k.Softmax()])


def activation_layer(keras):
    k = keras.layers
    layers = [keras.Input((9, 7, 3)), k.Rescaling(1 / 255), k.Flatten(), k.Dense(4), k.Activation("softmax")]
    return keras.Sequential(layers)


def softmax_operation(keras):
    image = keras.Input((8, 8, 1))
    scores = keras.layers.Dense(3)(keras.layers.Flatten()(image / 255.0))
    return keras.Model(image, keras.ops.softmax(scores, axis=-1))


def pooling_and_activation(keras):
    image = keras.Input((12, 12, 1))
    maps = keras.layers.Conv2D(6, 3)(keras.layers.Rescaling(1 / 127.5, offset=-1)(image))
    pooled = keras.layers.GlobalAveragePooling2D()(maps)
    return keras.Model(image, keras.layers.Activation("softmax")(pooled))


def sequential_in_sequential(keras):
    return keras.Sequential([keras.Input((28, 28, 1)), keras.Sequential([dense_softmax(keras)])])


def nested_functional(keras):
    features = keras.Input((6,))
    head = keras.Model(features, keras.layers.Dense(5, activation="softmax")(features))
    image = keras.Input((16, 16, 1))
    flat = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(image))
    return keras.Model(image, head(keras.layers.Dense(6, activation="tanh")(flat)))


def mixed_precision(keras):
    half = {"dtype": "mixed_float16"}
    image = keras.Input((10, 10, 1))
    maps = keras.layers.Conv2D(4, 3, activation="relu", **half)(keras.layers.Rescaling(1 / 255)(image))
    scores = keras.layers.Dense(5, **half)(keras.layers.Flatten(**half)(maps))
    return keras.Model(image, keras.layers.Activation("softmax", dtype="float32")(scores))


def colour_of_five(keras):
    return dense_softmax(keras, (32, 32, 3), 5)


def two_classes(keras):
    return dense_softmax(keras, (11, 13, 1), 2)


def without_channels(keras):
    k = keras.layers
    return keras.Sequential([keras.Input((28, 28)), k.Rescaling(1 / 255), k.Flatten(), k.Dense(10, "softmax")])


TOPOLOGIES = (
    dense_softmax,
    softmax_layer,
    activation_layer,
    softmax_operation,
    pooling_and_activation,
    sequential_in_sequential,
    nested_functional,
    mixed_precision,
    colour_of_five,
    two_classes,
    without_channels,
)
LOST = [(softmax_operation, ".h5")]  # Keras writes layers to HDF5, and no operations


@pytest.mark.parametrize(
    ("build", "suffix"),
    [(build, suffix) for build in TOPOLOGIES for suffix in (".keras", ".h5", None) if (build, suffix) not in LOST],
)
def test_softmax_of_the_logits_is_the_models_own_output(keras, tmp_path, build, suffix):
    model = build(keras)
    classifier = saved(model, tmp_path, suffix)
    images = images_like(classifier)
    logits = classifier.logits(images)
    own = model.predict(images.reshape(64, *model.input_shape[1:]), verbose=0)
    assert logits.dtype == np.float32
    assert logits.shape == (64, classifier.classes) == own.shape
    assert np.abs(softmax(logits) - own).max() <= 1e-5
    assert not np.allclose(logits, own)


def test_a_layer_used_twice_is_cut_where_the_output_came_from(keras):
    image = keras.Input((2, 2, 1))
    head = keras.layers.Dense(4, activation="softmax")
    model = keras.Model(image, head(head(keras.layers.Flatten()(image / 255.0))))
    classifier = Keras.from_object(model)
    images = images_like(classifier)
    assert np.abs(softmax(classifier.logits(images)) - model.predict(images, verbose=0)).max() <= 1e-5


def test_half_precision_to_the_end_is_compared_in_half_precision(keras):
    image = keras.Input((6, 6, 1))
    flat = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(image))
    model = keras.Model(image, keras.layers.Dense(3, activation="softmax", dtype="mixed_float16")(flat))
    classifier = Keras.from_object(model)
    images = images_like(classifier)
    logits = classifier.logits(images)
    assert logits.dtype == np.float32
    assert np.abs(softmax(logits) - model.predict(images, verbose=0)).max() <= 2e-3


def test_logits_where_the_model_gives_them(keras):
    k = keras.layers
    model = keras.Sequential([keras.Input((5, 5, 1)), k.Flatten(), k.Dense(3)])
    classifier = Keras.from_object(model, outputs="logits")
    images = images_like(classifier)
    np.testing.assert_allclose(classifier.logits(images), model.predict(images, verbose=0), rtol=1e-6)


def test_logarithms_where_the_model_gives_probabilities_otherwise(keras):
    model = normalised(keras)
    classifier = Keras.from_object(model, outputs="probabilities")
    images = images_like(classifier)
    assert np.abs(softmax(classifier.logits(images)) - model.predict(images, verbose=0)).max() <= 1e-5


@pytest.mark.parametrize(("low", "high"), [(0, 255), (0, 1), (-1, 1)])
def test_input_range(keras, low, high):
    k = keras.layers
    small = keras.initializers.RandomNormal(stddev=1e-2)
    model = keras.Sequential([keras.Input((6, 6, 1)), k.Flatten(), k.Dense(4, "softmax", kernel_initializer=small)])
    classifier = Keras.from_object(model, input_range=(low, high))
    images = images_like(classifier)
    scaled = low + images.astype(np.float32) * (high - low) / 255
    assert np.abs(softmax(classifier.logits(images)) - model.predict(scaled, verbose=0)).max() <= 1e-5


def test_the_users_model_is_left_as_it_was(keras):
    model = nested_functional(keras)
    before = (model.to_json(), [len(layer._inbound_nodes) for layer in model.layers], model.get_weights())
    classifier = Keras.from_object(model)
    classifier.gradient(images_like(classifier), 1)
    assert model.to_json() == before[0]
    assert [len(layer._inbound_nodes) for layer in model.layers] == before[1]
    assert all(map(np.array_equal, model.get_weights(), before[2]))
