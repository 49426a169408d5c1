"""A Keras model as the classifier: a shipped model, a file, or a model in memory."""

import hashlib
import sys
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fooldeap.plugin import File, Images, InputError, Names, classifier, dataclass, field
from fooldeap.randomness import preserved

from ._keras_file import SUFFIXES, load
from ._logits import features_of, scores_of
from ._model import FromFile
from ._scores import InputRange, Outputs, check_size, probes

ALIGNMENT = 64  # bytes; TensorFlow aborts the process on memory that is aligned to less


@classifier("keras", suffixes=SUFFIXES)
@dataclass(frozen=True, kw_only=True)
class Keras(FromFile):
    """A Keras image classifier, attacked by its logits.

    ``model`` is the name of a shipped model, or the path of a ``.keras``, ``.h5`` or ``.hdf5`` file, with one
    input of fixed size and 1 or 3 channels, and one output (n, classes). ``outputs`` says what the output is:
    ``logits``, ``probabilities`` (the logits are then log p, p at least 1e-30), ``sigmoid`` (each number is the
    probability of its class, or its logit), or ``auto``, which removes the softmax or sigmoid at the model's end.
    ``input_range`` is the range of pixels that the
    model was trained on; the shipped ones rescale images themselves. ``class_names`` is a file with a name a line.

    The model is loaded at first use. It must not be trained on while it is a classifier.
    """

    model: File = "mnist_cnn"
    outputs: Outputs = "auto"
    input_range: InputRange = (0, 255)
    class_names: Names | None = None
    _object: Any = field(default=None, init=False, repr=False)

    @classmethod
    def from_object(
        cls,
        model: Any,
        *,
        outputs: Outputs = "auto",
        input_range: InputRange = (0, 255),
        class_names: str | None = None,
    ) -> "Keras | None":
        """Return a classifier for a Keras model in memory, or None if ``model`` is not a Keras model."""
        keras = sys.modules.get("keras")  # a Keras model exists only if Keras is imported
        if keras is None or not isinstance(model, keras.Model):
            return None
        name = f"(in memory) {model.name}"
        made = cls(model=name, outputs=outputs, input_range=input_range, class_names=class_names)
        object.__setattr__(made, "_object", model)
        return made

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the model file, or of the configuration and weights of a model in memory."""
        return super().digest if self._object is None else _digest(self._object)

    @property
    def confidence_kind(self) -> str:
        """How the confidence follows from the logits, see `fooldeap.contracts.log_confidences`."""
        return self._loaded.confidence_kind

    def logits(self, images: Images) -> NDArray[np.float32]:
        """Return logits, (n, classes) float32, for uint8 images (n, h, w, c)."""
        scores: NDArray[np.float32] = self._loaded.logits(self._loaded.tensor(images)).numpy()
        return scores

    def gradient(self, images: Images, target: int) -> NDArray[np.float32]:
        """Return the gradient of log p(target) with respect to the image in grey levels, float32 (n, h, w, c)."""
        gradient = self._loaded.gradient(images, np.int32(target))
        if gradient is None:
            raise InputError(f"{self._where} has no gradient by its input; use an algorithm that asks for none")
        found: NDArray[np.float32] = gradient.numpy()
        return found

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
        model = settings._object
        if model is None:
            model = load(settings._content(), settings._path.suffix.lower(), where, trusted=settings._trusted)
        self._shape, self.shape, self.classes = _shapes(model, where)
        low, high = settings.input_range
        self._low, self._scale = low, (high - low) / 255
        self._scores, self.confidence_kind = scores_of(model, settings.outputs, self._scaled(probes(self.shape)), where)
        features = features_of(model)
        images = self._tf.TensorSpec((None, *self.shape), self._tf.uint8)
        target = self._tf.TensorSpec((), self._tf.int32)
        self.logits = self._tf.function(self._logits, input_signature=[images], autograph=False)
        self.gradient = self._tf.function(self._gradient, input_signature=[images, target], autograph=False)
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
        pixels = self._tf.cast(images, self._tf.float32)
        if self._scale != 1 or self._low != 0:
            pixels = pixels * self._scale + self._low
        return self._tf.reshape(pixels, (-1, *self._shape))

    def _logits(self, images: Any) -> Any:
        return self._scores(self._scaled(images))

    def _gradient(self, images: Any, target: Any) -> Any:
        pixels = self._tf.cast(images, self._tf.float32)
        with self._tf.GradientTape() as tape:
            tape.watch(pixels)
            # Rows are independent, so the gradient of the sum has the gradient of each row.
            log_p = self._tf.reduce_sum(self._log_confidences(self._logits(pixels))[:, target])
        return tape.gradient(log_p, pixels)

    def _log_confidences(self, logits: Any) -> Any:
        if self.confidence_kind == "probability":
            return logits
        return (self._tf.nn.log_softmax if self.confidence_kind == "softmax" else self._tf.math.log_sigmoid)(logits)


def _shapes(model: Any, where: str) -> tuple[tuple[int, ...], tuple[int, int, int], int]:
    """Return the shape of the model's input, the shape of images (h, w, c), and the number of classes."""
    inputs, outputs = getattr(model, "inputs", None), getattr(model, "outputs", None)
    if not inputs or not outputs:
        raise InputError(
            f"{where} has no fixed input; wrap it: i = keras.Input((height, width, channels)); keras.Model(i, model(i))"
        )
    if len(inputs) != 1 or len(outputs) != 1:
        raise InputError(
            f"{where} has {len(inputs)} inputs and {len(outputs)} outputs, expected one of each; "
            "build a keras.Model of one image input and the class scores alone"
        )
    shape, output = tuple(inputs[0].shape[1:]), tuple(outputs[0].shape[1:])
    return shape, _image_shape(shape, where), _class_count(output, where)


def _image_shape(shape: tuple[int | None, ...], where: str) -> tuple[int, int, int]:
    height, width, channels = shape if len(shape) == 3 else (*shape, 1) if len(shape) == 2 else (0, 0, 0)
    if height is None or width is None:
        raise InputError(
            f"{where} takes images of any size, {shape}; fix it: "
            "i = keras.Input((height, width, channels)); keras.Model(i, model(i)).save(...)"
        )
    if height == 0 or channels not in (1, 3):
        raise InputError(
            f"{where} takes inputs of shape {shape}, expected (height, width, channels), channels 1 or 3; "
            "put a keras.layers.Reshape or Permute before it"
        )
    check_size((height, width, channels), None, where)
    return height, width, channels


def _class_count(output: tuple[int | None, ...], where: str) -> int:
    if len(output) != 1 or output[0] is None:
        raise InputError(
            f"{where} gives outputs of shape {output}, expected one score a class, (classes,); "
            "add a pooling or Flatten layer at its end"
        )
    if output[0] < 2:
        raise InputError(
            f"{where} has one output, expected a score for each of at least 2 classes; "
            "give it two: keras.layers.Concatenate()([1 - p, p])"
        )
    return output[0]


def _digest(model: Any) -> str:
    digest = hashlib.sha256(model.to_json().encode())
    for weights in model.get_weights():
        digest.update(f"{weights.dtype} {weights.shape}".encode())
        digest.update(np.ascontiguousarray(weights).tobytes())
    return digest.hexdigest()
