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


def normalised(keras):
    """Outputs that sum to 1 without any softmax."""
    image = keras.Input((5, 5, 1))
    scores = keras.layers.Dense(3, activation="sigmoid")(keras.layers.Flatten()(image / 255.0))
    return keras.Model(image, scores / keras.ops.sum(scores, axis=1, keepdims=True))


def saved(model, folder, suffix):
    if suffix is None:
        return Keras.from_object(model)
    path = folder / f"model{suffix}"
    model.save(path)
    return Keras(model=str(path))
