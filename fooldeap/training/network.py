"""The network that a training file describes: its layers, checked one by one before they take memory."""

import functools
import math
import re
from typing import Any

import numpy as np

from fooldeap.configuration.document import Document
from fooldeap.errors import LONGEST, InputError, did_you_mean
from fooldeap.lazy_tensorflow import tensorflow
from fooldeap.parameters import shown
from fooldeap.terminal_text import printable
from fooldeap.training.settings import Layer, Training

LAYERS = (
    *(
        "Activation",
        "AveragePooling2D",
        "BatchNormalization",
        "Conv2D",
        "Cropping2D",
        "Dense",
        "DepthwiseConv2D",
    ),
    *("Dropout", "ELU", "Flatten", "GaussianNoise", "GlobalAveragePooling2D", "GlobalMaxPooling2D"),
    *("GroupNormalization", "LayerNormalization", "LeakyReLU", "MaxPooling2D", "ReLU", "Reshape"),
    *("SeparableConv2D", "Softmax", "SpatialDropout2D", "UpSampling2D", "ZeroPadding2D"),
)
PREDICTED = 1000  # images at a time, where the accuracy is measured
MOST_WEIGHTS = 1 << 28  # of a network; Adam needs four arrays of this size
MOST_OUTPUTS = 1 << 33  # values in the output of a layer for a batch


def build(training: Training, shape: tuple[int, ...], classes: int, document: Document) -> Any:
    """Return the network as a `keras.Sequential` with random initial weights.

    Parameters
    ----------
    training : its settings
    shape : of an image, (h, w, c)
    classes : the number of probabilities that it gives
    document : the settings with their positions, for messages

    Raises
    ------
    InputError
        A layer is unknown or too large, or Keras refuses it; or the last layer does not give probabilities.
    """
    tensorflow()
    import keras

    low, high = training.input_range
    model = keras.Sequential(name=training.name)
    model.add(keras.Input(shape, name="image"))
    model.add(keras.layers.Rescaling((high - low) / 255, offset=low, name="rescaling"))
    size = _Size(training.batch_size)
    for position, layer in enumerate(training.layers):
        try:
            _add(model, layer, size)
        except InputError as error:
            raise document.error(("layers", position), str(error)) from error
    try:
        valid = _gives_probabilities(model, shape, classes)
    except InputError as error:
        raise document.error(("layers",), str(error)) from error
    if not valid:
        raise document.error(
            ("layers",),
            f"expected {classes} probabilities as output, one per class of the dataset {training.dataset!r}; "
            f"add the last layer 'Dense: {{units: {classes}, activation: softmax}}'",
        )
    return model


class _Size:
    """Limits for the size of a network, checked before memory is allocated."""

    def __init__(self, batch_size: int) -> None:
        self._batch, self._weights = max(batch_size, PREDICTED), 0

    def check_output(self, kind: str, shape: tuple[int | None, ...]) -> None:
        """Refuse a layer if an output of this shape is too large. The first axis, for the images, is not counted."""
        values = self._batch * math.prod(size or 0 for size in shape[1:])
        if values > MOST_OUTPUTS:
            got = f"got {values:.3g} output values for {self._batch:,} images"
            raise InputError(f"{kind}: {got}, expected at most {MOST_OUTPUTS:.3g}; make it smaller")

    def check_weights(self, kind: str, shape: tuple[int, ...]) -> None:
        """Count the weights of an array, and refuse too many weights."""
        self._weights += math.prod(shape)
        if self._weights > MOST_WEIGHTS:
            got = f"got {self._weights:.3g} weights in the network"
            raise InputError(f"{kind}: {got}, expected at most {MOST_WEIGHTS:.3g}; make it smaller")


def _add(model: Any, layer: Layer, size: _Size) -> None:
    import keras

    named_layers = {layer: {}} if isinstance(layer, str) else layer
    if len(named_layers) != 1:
        example = next(iter(named_layers), "Dense")
        raise InputError(f"got {shown(layer)}, expected one layer per item, such as '- {example}: {{...}}'")
    ((kind, options),) = named_layers.items()
    if kind not in LAYERS:
        raise InputError(f"no layer is named {kind!r}{did_you_mean(kind, LAYERS)}")
    # Names are part of the file, and Keras would count the layers of all networks in the process.
    named = {"name": f"{kind.lower()}_{len(model.layers)}", **options}
    try:
        made = getattr(keras.layers, kind)(**named)
        size.check_output(kind, made.compute_output_shape(model.output_shape))
        made.add_weight = functools.partial(_added_weight, made.add_weight, functools.partial(size.check_weights, kind))
        model.add(made)
        del made.add_weight
    except InputError:
        raise
    except Exception as error:  # Keras and TensorFlow raise many types
        raise InputError(f"{kind}: {in_a_line(error)}") from None


def in_a_line(error: Exception) -> str:
    """Return a message of Keras or TensorFlow in one line, without terminal colours."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    return printable(" ".join(text.split()))[:LONGEST] or type(error).__name__


def _added_weight(add: Any, check: Any, shape: Any = None, *more: Any, **others: Any) -> Any:
    """Add an array of weights to a layer, its size checked before."""
    check(shape or ())
    return add(shape, *more, **others)


def _gives_probabilities(model: Any, shape: tuple[int, ...], classes: int) -> bool:
    """Return whether a network gives ``classes`` numbers for an image, not negative, which sum to 1."""
    if model.output_shape != (None, classes):
        return False
    probes = np.random.default_rng(0).integers(0, 256, (8, *shape), dtype=np.uint8)
    try:
        output = np.asarray(model(probes), np.float64)
    except Exception as error:  # TensorFlow raises many types
        raise InputError(f"fail on images {shape}: {in_a_line(error)}") from None
    return bool((output >= 0).all() and np.allclose(output.sum(axis=1), 1, atol=1e-3))
