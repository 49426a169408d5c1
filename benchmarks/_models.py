"""Classifiers from several libraries, trained for about a minute, with matching real images.

Each function writes its files into a folder and returns the arguments for ``fooldeap audit``.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fooldeap import registry
from fooldeap.lazy_tensorflow import tensorflow
from fooldeap.plugin import Images, Split

ROOT = Path(__file__).parent.parent
SIDE = 160
MEAN, DEVIATION = 0.1307, 0.3081  # of MNIST's pixels, black 0 and white 1


def mnist() -> Split:
    split: Split = registry.load().get("dataset", "mnist").build({}).load()
    return split


def channels_first(folder: Path) -> list[str]:
    """Write ``mnist_cnn`` as ONNX, with channels first and a softmax at the end."""
    sys.path.append(str(ROOT / "tests/kit"))
    from exports import as_onnx  # type: ignore[import-not-found, unused-ignore]

    model = _keras().models.load_model(ROOT / "fooldeap/data/classifiers/mnist_cnn.keras")
    (folder / "cnn.onnx").write_bytes(as_onnx(model).SerializeToString())
    return [str(folder / "cnn.onnx"), "--images", "mnist"]


def torchscript(folder: Path) -> list[str]:
    """Write a small PyTorch network, trained on a third of MNIST, as TorchScript."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    data = mnist()
    images = torch.from_numpy(data.train_images[:20_000]).permute(0, 3, 1, 2).float() / 255
    images = (images - MEAN) / DEVIATION
    labels = torch.from_numpy(data.train_labels[:20_000]).long()
    layers = [nn.Conv2d(1, 16, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3), nn.ReLU(), nn.MaxPool2d(2)]
    model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(800, 10))
    optimizer = torch.optim.Adam(model.parameters(), 2e-3)
    for rows in [rows for _ in range(2) for rows in torch.randperm(len(images)).split(128)]:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images[rows]), labels[rows]).backward()
        optimizer.step()
    torch.jit.script(model.eval()).save(str(folder / "net.pt"))
    pixels = {"shape": "[28,28,1]", "input_range": "[0,1]", "mean": f"[{MEAN}]", "std": f"[{DEVIATION}]"}
    return [str(folder / "net.pt"), *(f"classifier.{key}={text}" for key, text in pixels.items()), "--images", "mnist"]


def pooled(folder: Path) -> list[str]:
    """Write a Keras network for digits of 64 x 64 pixels, with global pooling before the softmax."""
    keras = _keras()
    layers, data = keras.layers, mnist()
    inputs = keras.Input((64, 64, 1))
    flow = layers.Rescaling(1 / 255)(inputs)
    for filters in (16, 32, 32):
        flow = layers.MaxPooling2D()(layers.Conv2D(filters, 3, padding="same", activation="relu")(flow))
    flow = layers.GlobalAveragePooling2D()(layers.Conv2D(10, 3, padding="same")(flow))
    model = keras.Model(inputs, layers.Activation("softmax")(flow))
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(_enlarged(data.train_images[:6000]), data.train_labels[:6000], epochs=10, batch_size=64, verbose=0)
    model.save(folder / "pooled.keras")
    return _with_images(folder, "pooled.keras", _enlarged(data.test_images[:1000]))


def mobilenet(folder: Path) -> list[str]:
    """Write a MobileNetV2 with random weights and a head that was trained to classify ten textures."""
    keras = _keras()
    layers, rng = keras.layers, np.random.default_rng(0)
    images, labels = textures(40, rng), np.repeat(np.arange(10), 40)
    shape = (SIDE, SIDE, 3)
    body = keras.applications.MobileNetV2(input_shape=shape, include_top=False, weights=None, pooling="avg")
    for layer in body.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = 0.5
    for _ in range(5):  # adapts the batch normalisation to these images
        body(_scaled(images[rng.permutation(len(images))[:48]]), training=True)
    features = body.predict(_scaled(images), batch_size=32, verbose=0)
    normal = layers.Normalization(mean=features.mean(axis=0), variance=features.var(axis=0) + 1e-12)
    head = keras.Sequential([keras.Input(features.shape[1:]), normal, layers.Dense(10, activation="softmax")])
    head.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy")
    head.fit(features, labels, epochs=60, batch_size=32, verbose=0)
    inputs = keras.Input(shape)
    keras.Model(inputs, head(body(layers.Rescaling(1 / 127.5, offset=-1)(inputs)))).save(folder / "mobile.keras")
    return _with_images(folder, "mobile.keras", textures(20, rng))


def textures(count: int, rng: np.random.Generator) -> Images:
    """Return ``count`` images per class, sorted by class: stripes of five directions and colours, wide or narrow."""
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE
    found = np.empty((10 * count, SIDE, SIDE, 3), np.uint8)
    for index in range(10 * count):
        narrow, direction = divmod(index // count, 5)
        angle = np.pi * direction / 5 + rng.normal(0, 0.05)
        waves = (6, 18)[narrow] * rng.uniform(0.85, 1.15)
        stripe = 0.5 + 0.5 * np.sin(2 * np.pi * waves * (x * np.cos(angle) + y * np.sin(angle)) + rng.uniform(0, 6.28))
        colour = 0.5 + 0.45 * np.cos(2 * np.pi * (direction / 5 + np.array([0, 1 / 3, 2 / 3])))
        image = stripe[..., None] * colour + (1 - stripe[..., None]) * rng.uniform(0.2, 0.6)
        found[index] = 255 * np.clip(image + rng.normal(0, 0.05, image.shape), 0, 1)
    return found


def _keras() -> Any:
    tensorflow()
    import keras

    keras.utils.set_random_seed(3)
    return keras


def _enlarged(images: Images) -> Images:
    """Return grey images of 28 x 28 pixels, enlarged to 64 x 64."""
    larger = tensorflow().image.resize(images.astype(np.float32), (64, 64)).numpy()
    enlarged: Images = np.clip(np.rint(larger), 0, 255).astype(np.uint8)
    return enlarged


def _scaled(images: Images) -> NDArray[np.float32]:
    return images.astype(np.float32) / np.float32(127.5) - 1


def _with_images(folder: Path, model: str, images: Images) -> list[str]:
    real = folder / f"{Path(model).stem}.npz"
    np.savez_compressed(real, x_test=images)
    return [str(folder / model), "--images", str(real)]
