"""A Keras model as the classifier: a shipped model, a file, or a model in memory."""

import contextlib
import copy
import hashlib
import math
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from fooldeap.plugin import File, Images, InputError, classifier, dataclass
from fooldeap.randomness import preserved

from ._keras_file import SUFFIXES, load
from ._layout import CHANNELS, Layout, layout_by_sizes, layouts_of_layers
from ._logits import features_of, scores_of
from ._model import ImageModel
from ._outputs import Output, name_of_output
from ._scores import WRAP, Scaling, check_integers, check_size, class_count, flat_shapes, leave_out, probes, shape_key

ALIGNMENT = 64  # bytes; TensorFlow aborts the process on memory that is aligned to less


@classifier("keras", suffixes=SUFFIXES)
@dataclass(frozen=True, kw_only=True)
class Keras(ImageModel):
    """A Keras image classifier; the attack uses its logits.

    ``model`` is the name of a shipped model, or the path of a ``.keras``, ``.h5`` or ``.hdf5`` file. It has one input
    with 1 or 3 channels, and one output (n, classes); ``output`` is its name or index if there are several.
    ``shape``, (height, width, channels), is required for inputs of any size and for flat inputs. ``layout`` is the
    order of the input's axes, ``nchw`` or ``nhwc``; ``auto`` asks the layers, then looks for the axis of size 1 or 3.
    ``outputs`` says what the output is: ``logits``, ``probabilities`` (the logits are then log p, p at least 1e-30),
    ``sigmoid`` (each number is the probability of its class, or its logit), or ``auto``, which removes the softmax or
    sigmoid at the model's end.

    ``input_range`` is the range of pixels that the model was trained on; the shipped ones rescale images themselves.
    ``mean`` and ``std``, one number per channel in that range, normalise the pixels. ``channels`` is the order of the
    channels. ``preprocessing`` sets these keys as ``preprocess_input`` of Keras does: ``torch``, ``caffe`` or ``tf``.
    ``device`` is ``cpu``, ``cuda``, ``cuda:1`` and so on, or ``auto``: what TensorFlow chooses. ``class_names`` is a
    file with one name per line.

    The model is loaded at first use. It must not be trained while it is a classifier.
    """

    model: File = "mnist_cnn"
    layout: Layout = "auto"

    @classmethod
    def _name_of(cls, model: Any) -> str | None:
        keras = sys.modules.get("keras")  # a Keras model exists only if Keras is imported
        return str(model.name) if keras is not None and isinstance(model, keras.Model) else None

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the model file, or of the configuration and weights of a model in memory."""
        return super().digest if self._object is None else _digest(self._object)

    def logits(self, images: Images) -> NDArray[np.float32]:
        """Return logits, (n, classes) float32, for uint8 images (n, h, w, c)."""
        with self._loaded.on():
            scores: NDArray[np.float32] = self._loaded.logits(self._loaded.tensor(images)).numpy()
        return scores

    def gradient(self, images: Images, targets: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the gradient of log p(target) with respect to each image in grey levels, float32 (n, h, w, c)."""
        with self._loaded.on():
            gradient = self._loaded.gradient(images, targets)
        if gradient is None:
            raise InputError(
                f"{self._where} has no gradient by its input; leave 'algorithm' out, the default needs none"
            )
        found: NDArray[np.float32] = gradient.numpy()
        return found

    def alternatives(self) -> Iterator[tuple[str, Self]]:
        """Yield the same model with other preprocessing, unless it takes integers."""
        if "int" not in self._loaded.dtype:
            yield from super().alternatives()

    def features(self, images: Images) -> NDArray[np.float32] | None:
        """Return the input of the last dense layer, (n, d) float32, or None if the model does not end in one."""
        if self._loaded.features is None:
            return None
        found: NDArray[np.float32] = self._loaded.features(self._loaded.tensor(images)).numpy()
        return found

    @cached_property
    def _loaded(self) -> "_Loaded":
        with preserved():  # Keras seeds the layers that it builds from the global generators
            return _Loaded(self)


class _Loaded:
    """The loaded model of a `Keras` classifier, as compiled functions. The model is checked."""

    def __init__(self, settings: Keras) -> None:
        from fooldeap.lazy_tensorflow import tensorflow

        self._tf = tensorflow()
        where = settings._where
        self.device, self.on = _device(self._tf, settings.device, where)
        with self.on():
            self._build(settings, where)

    def _build(self, settings: Keras, where: str) -> None:
        model = settings._object
        if model is None:
            model = load(settings._content(), settings._path.suffix.lower(), where, trusted=settings._trusted)
        model = _with_output(model, settings.output, where)
        self._shape, self._layout, self.shape, self.classes = _shapes(model, settings.shape, settings.layout, where)
        self.scaling = settings.scaling(self.shape[2])
        self.dtype = str(model.inputs[0].dtype)
        check_integers(self.dtype, settings.pixel_keys, where)
        images = self._scaled(probes(self.shape))
        found = scores_of(model, settings.outputs, images, where)
        self._scores, self.confidence_kind, self.removes_activation = found
        self._features = features_of(model)
        self._compile()

    def rescaled(self, scaling: Scaling) -> "_Loaded":
        """Return the same model with another scaling."""
        other = copy.copy(self)
        other.scaling = scaling
        other._compile()
        return other

    def _compile(self) -> None:
        features = self._features
        images = self._tf.TensorSpec((None, *self.shape), self._tf.uint8)
        targets = self._tf.TensorSpec((None,), self._tf.int64)
        self.logits = self._tf.function(self._logits, input_signature=[images], autograph=False)
        self.gradient = self._tf.function(self._gradient, input_signature=[images, targets], autograph=False)
        self.features = features and self._tf.function(
            lambda shown: features(self._scaled(shown)), input_signature=[images], autograph=False
        )

    def tensor(self, images: Images) -> Any:
        """Return images for TensorFlow: as a tensor without a copy if they are aligned, otherwise unchanged."""
        if not isinstance(images, np.ndarray) or not len(images):
            return images
        flags = images.flags
        if images.ctypes.data % ALIGNMENT or not (flags.c_contiguous and flags.writeable):
            return images
        return self._tf.experimental.dlpack.from_dlpack(images.__dlpack__())

    def _scaled(self, images: Any) -> Any:
        pixels, scaling = self._tf.cast(images, self._tf.float32), self.scaling
        if scaling.reverse:
            pixels = self._tf.reverse(pixels, [-1])
        if (scaling.scale != 1).any() or (scaling.offset != 0).any():
            uniform = np.ptp(scaling.scale) == np.ptp(scaling.offset) == 0
            scale, offset = (each[0] if uniform else each for each in (scaling.scale, scaling.offset))
            pixels = pixels * scale + offset
        if self._layout == "nchw":
            pixels = self._tf.transpose(pixels, (0, 3, 1, 2))
        return self._tf.reshape(pixels, (-1, *self._shape))

    def _logits(self, images: Any) -> Any:
        return self._scores(self._scaled(images))

    def _gradient(self, images: Any, targets: Any) -> Any:
        pixels = self._tf.cast(images, self._tf.float32)
        with self._tf.GradientTape() as tape:
            tape.watch(pixels)
            # Rows are independent, so the gradient of the sum has the gradient of each row.
            log_confidences = self._log_confidences(self._logits(pixels))
            log_p = self._tf.reduce_sum(self._tf.gather(log_confidences, targets, axis=1, batch_dims=1))
        return tape.gradient(log_p, pixels)

    def _log_confidences(self, logits: Any) -> Any:
        if self.confidence_kind == "probability":
            return logits
        return (self._tf.nn.log_softmax if self.confidence_kind == "softmax" else self._tf.math.log_sigmoid)(logits)


def _device(tf: Any, device: str, where: str) -> tuple[str, Callable[[], AbstractContextManager[Any]]]:
    """Return the device that computes, and a function that returns a context in which it computes."""
    gpus = [f"cuda:{number}" for number in range(len(tf.config.list_physical_devices("GPU")))]
    if device == "auto":
        return (gpus or ["cpu"])[0], contextlib.nullcontext
    kind, _, number = device.partition(":")
    if kind == "cuda" and f"cuda:{number or 0}" not in gpus:
        raise InputError(
            f"{where}: got 'device: {device}', but TensorFlow has only {', '.join(['cpu', *gpus])}; say 'device: cpu'"
        )
    return device, lambda: tf.device(f"/{'GPU' if kind == 'cuda' else 'CPU'}:{number or 0}")


def _with_output(model: Any, output: Output | None, where: str) -> Any:
    """Return the model with only the output that the user chose, a tensor, and with a tensor as its single input."""
    import keras

    if not getattr(model, "inputs", None) or not getattr(model, "outputs", None):
        return model
    sequential = isinstance(model, keras.Sequential)
    structure = model.outputs[0] if sequential else model.output
    names = [model.layers[-1].name] if sequential else model.output_names
    # The keys of a mapping are the names that the user wrote.
    named = structure if isinstance(structure, dict) else dict(zip(names, model.outputs, strict=True))
    if isinstance(output, int) and isinstance(structure, dict):
        output = str(output)  # Keras sorts the outputs of a mapping, so an index would be unclear
    shapes = {name: tuple(each.shape) for name, each in named.items()}
    shown = {name: str(shape) for name, shape in shapes.items()}
    softmaxes = [name for name, each in named.items() if _ends_in_softmax(each)]
    chosen = named[name_of_output(output, shapes, shown, where, softmaxes)]
    is_plain = sequential or (structure is chosen and model.input is model.inputs[0])
    return model if is_plain or len(model.inputs) > 1 else keras.Model(model.inputs[0], chosen)


def _ends_in_softmax(output: Any) -> bool:
    """Return whether an output is that of a softmax, alone or in a layer. Nested models are not searched."""
    last = getattr(getattr(output, "_keras_history", None), "operation", None)
    names = (type(last).__name__, getattr(getattr(last, "activation", None), "__name__", ""))
    return "softmax" in {name.lower() for name in names}


def _shapes(
    model: Any, shape: tuple[int, int, int] | None, layout: Layout, where: str
) -> tuple[tuple[int, ...], str, tuple[int, int, int], int]:
    """Return the shape of the model's input, its layout, the shape of images (h, w, c), and the number of classes."""
    inputs, outputs = getattr(model, "inputs", None), getattr(model, "outputs", None)
    if not inputs or not outputs:
        raise InputError(
            f"{where} has no fixed input; wrap it: i = keras.Input((height, width, channels)); keras.Model(i, model(i))"
        )
    if len(inputs) != 1:
        raise InputError(
            f"{where} has {len(inputs)} inputs, expected one image; build a keras.Model of one input, see {WRAP}"
        )
    sides, output = tuple(inputs[0].shape[1:]), tuple(outputs[0].shape[1:])
    known = _layout(model, sides, where) if layout == "auto" else layout
    swapped = known == "nchw" and len(sides) == 3
    images = _image_shape((*sides[1:], sides[0]) if swapped else sides, shape, where)
    given = (images[2], *images[:2]) if swapped else images
    own = tuple(given[axis] if side is None else side for axis, side in enumerate(sides))
    return own, known, images, class_count(output, where)


def _layout(model: Any, sides: tuple[int | None, ...], where: str) -> str:
    """Return the layout that the layers declare, otherwise the only one that fits the sizes, otherwise Keras' own."""
    declared = layouts_of_layers(model)
    if len(declared) == 1:
        return declared.pop()
    return layout_by_sizes(sides, where) if len(sides) == 3 and sides[0] in CHANNELS else "nhwc"


def _image_shape(sides: tuple[int | None, ...], shape: tuple[int, int, int] | None, where: str) -> tuple[int, int, int]:
    """Return the shape of images. Sizes that the model leaves open are taken from the user's ``shape``."""
    if len(sides) == 1 and shape is not None and sides[0] == math.prod(shape):
        own: tuple[int | None, ...] = shape
    else:
        own = sides if len(sides) == 3 else (*sides, 1) if len(sides) == 2 else ()
    if None in own and shape is not None and all(side in (None, given) for side, given in zip(own, shape, strict=True)):
        own = shape
    if None in own:
        raise InputError(f"{where} takes images of any size, {sides}; say which: {shape_key(own)}")
    if len(sides) == 1 and not own:
        numbers, got = sides[0], "" if shape is None else f", got 'shape: {list(shape)}'"
        raise InputError(f"{where} takes {numbers} numbers{got}; say the shape of its images: {flat_shapes(numbers)}")
    if not own or own[2] not in (1, 3):
        raise InputError(
            f"{where} takes inputs of shape {sides}, expected (height, width, channels), channels 1 or 3; "
            f"put a layer before it that makes them of an image, see {WRAP}"
        )
    if shape is not None and own != shape:
        raise InputError(f"{where} takes images of {own}, got 'shape: {list(shape)}'; {leave_out(['shape'])}")
    height, width, channels = (int(side) for side in own if side is not None)
    check_size((height, width, channels), None, where)
    return height, width, channels


def _digest(model: Any) -> str:
    digest = hashlib.sha256(model.to_json().encode())
    for weights in model.get_weights():
        digest.update(f"{weights.dtype} {weights.shape}".encode())
        digest.update(np.ascontiguousarray(weights).tobytes())
    return digest.hexdigest()
