"""Keras models with random weights, and images for them."""

import numpy as np

from fooldeap_plugins.classifier.keras import Keras


def images_like(classifier, count=64, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, *classifier.input_shape), dtype=np.uint8)


def softmax(logits):
    scores = logits.astype(np.float64)
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def dense_softmax(keras, shape=(28, 28, 1), classes=10):
    return keras.Sequential(
        [
            keras.Input(shape),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(4, 3, strides=2, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(classes, activation="softmax"),
        ]
    )


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


def normalised(keras):
    """Outputs that sum to 1 without any softmax."""
    image = keras.Input((5, 5, 1))
    scores = keras.layers.Dense(3, activation="sigmoid")(keras.layers.Flatten()(image / 255.0))
    return keras.Model(image, scores / keras.ops.sum(scores, axis=1, keepdims=True))


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


def saved(model, folder, suffix):
    if suffix is None:
        return Keras.from_object(model)
    path = folder / f"model{suffix}"
    model.save(path)
    return Keras(model=str(path))
