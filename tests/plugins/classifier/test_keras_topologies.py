"""Keras models of any topology: the softmax of the logits is the model's own output."""

import numpy as np
import pytest
from helpers.keras_models import (
    LOST,
    TOPOLOGIES,
    images_like,
    nested_functional,
    normalised,
    saved,
    softmax,
)

from fooldeap.errors import InputError
from fooldeap_plugins.classifier.keras import Keras


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
    np.testing.assert_allclose(classifier.logits(images), model.predict(images, verbose=0), rtol=1e-6, atol=1e-4)


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
    classifier.gradient(images_like(classifier, 2), np.full(2, 1))
    assert model.to_json() == before[0]
    assert [len(layer._inbound_nodes) for layer in model.layers] == before[1]
    assert all(map(np.array_equal, model.get_weights(), before[2]))


def test_one_of_several_outputs_is_chosen_by_name(keras):
    image = keras.Input((5, 5, 1))
    flat = keras.layers.Flatten()(image)
    model = keras.Model(
        image,
        {"label": keras.layers.Dense(3, "softmax", name="label")(flat), "box": keras.layers.Dense(4, name="box")(flat)},
    )
    images = np.random.default_rng(0).integers(0, 256, (40, 5, 5, 1), dtype=np.uint8)
    with pytest.raises(InputError, match=r"has 2 outputs: .*; say which has the scores of the classes: 'output: "):
        Keras.from_object(model).logits(images)
    with pytest.raises(InputError, match="has no output 'x', expected one of: "):
        Keras.from_object(model, output="x").logits(images)
    classifier = Keras.from_object(model, output="label")
    np.testing.assert_allclose(softmax(classifier.logits(images)), model(images.astype("f"))["label"], atol=1e-5)
