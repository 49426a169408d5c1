"""Write the files of Keras 2 in this folder: python make.py, with tf_keras 2.21 and tf2onnx 1.17.

``outputs.npz`` has the forward pass of tf_keras on `images`, by the name of the model.
"""

from pathlib import Path

import numpy as np
import tensorflow as tf
import tf2onnx
import tf_keras

FOLDER = Path(__file__).parent


def images(channels):
    """Return the images of ``outputs.npz``."""
    return np.random.default_rng(0).integers(0, 256, (8, 12, 12, channels), dtype=np.uint8)


def depthwise():
    k = tf_keras.layers
    layers = [k.Conv2D(4, 3, activation="relu", input_shape=(12, 12, 1)), k.DepthwiseConv2D(3, activation="relu")]
    return tf_keras.Sequential([*layers, k.BatchNormalization(), k.Flatten(), k.Dense(5, activation="softmax")])


def separable():
    k, image = tf_keras.layers, tf_keras.Input((12, 12, 3))
    pooled = k.GlobalAveragePooling2D()(k.ReLU(6.0)(k.SeparableConv2D(4, 3)(image)))
    return tf_keras.Model(image, k.Dense(5, activation="sigmoid")(pooled))


def operations():
    k, image = tf_keras.layers, tf_keras.Input((12, 12, 3))
    pooled = k.GlobalAveragePooling2D()(tf.nn.relu(k.DepthwiseConv2D(3)(image[:, 1:11] / 255.0 - 0.5)))
    return tf_keras.Model(image, k.Dense(5, activation="softmax")(pooled))


def main():
    outputs = {}
    for build in (depthwise, separable, operations):
        model, rng = build(), np.random.default_rng(0)
        pairs = zip(model.weights, model.get_weights(), strict=True)
        model.set_weights([np.ones_like(w) if "var" in v.name else rng.normal(0, 0.3, w.shape) for v, w in pairs])
        shown = images(model.input_shape[3]).astype(np.float32)
        outputs[build.__name__] = model(shown).numpy()
        model.save(FOLDER / f"{build.__name__}.h5")
    model.save(FOLDER / "operations.keras")
    model.save_weights(FOLDER / "operations.weights.h5")
    signature = [tf.TensorSpec((None, 12, 12, 3), tf.float32)]
    tf2onnx.convert.from_keras(model, signature, output_path=str(FOLDER / "operations.onnx"))
    np.savez(FOLDER / "outputs.npz", **outputs)


if __name__ == "__main__":
    main()
