"""A model in the ONNX format as the classifier. ONNX Runtime runs it."""

import copy
import hashlib
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from fooldeap.contracts import log_confidences
from fooldeap.plugin import Array, Images, InputError, classifier, dataclass

from ._code import in_a_line
from ._layout import Layout
from ._model import ImageModel
from ._onnx_graph import Graph, Input, external_files, opened
from ._scores import (
    NUMBERS,
    Scaling,
    batched_by,
    check_integers,
    check_removed,
    check_rows,
    class_count,
    confidence_kind,
    logarithms,
    probes,
)

TOLERANCE = {2: 5e-3, 4: 1e-5, 8: 1e-5}  # of a model's own probabilities, by the bytes of a number


@classifier("onnx", suffixes=(".onnx",))
@dataclass(frozen=True, kw_only=True)
class Onnx(ImageModel):
    """An ONNX image classifier; the attack uses its logits. It needs the extra ``onnx``.

    ``model`` is the path of an ``.onnx`` file. Its weights may be in other files of the same folder. It has one input
    and one output (n, classes); ``output`` is its name or index if there are several. ``layout`` is the order of
    the input's axes, ``nchw`` or ``nhwc``; ``auto`` looks for the axis of size 1 or 3. ``shape``, (height, width,
    channels), gives sizes that the file leaves open, and the shape of images for flat inputs. If the file has a fixed
    batch size, batches are padded to it. ``outputs`` is the kind of output: ``logits``; ``probabilities``, whose logits
    are log p with p at least 1e-30; ``sigmoid``, if each number is the probability of its class, or its logit; or
    ``auto``, which removes a final softmax or sigmoid, and otherwise decides from the output for probe images.

    ``input_range`` is the range of pixels that the model was trained on. ``mean`` and ``std``, one number per channel
    in that range, normalise the pixels. ``channels`` is the order of the channels. ``preprocessing`` sets these keys
    as ``preprocess_input`` of Keras does: ``torch``, ``caffe`` or ``tf``. ``device`` is ``cpu``, ``cuda``, ``cuda:1``
    and so on, or ``auto``: a GPU if the installed ONNX Runtime supports it. ``class_names`` is a file with one name per
    line.
    """

    layout: Layout = "auto"

    @classmethod
    def _name_of(cls, model: Any) -> str | None:
        runtime = sys.modules.get("onnxruntime")  # a session exists only if ONNX Runtime is imported
        if runtime is None or not isinstance(model, runtime.InferenceSession):
            return None
        return str(Path(getattr(model, "_model_path", None) or "session").name)

    def _content(self) -> bytes:
        """Return the content of the model file. A session in memory keeps its file, or the path of it."""
        if self._object is None:
            return super()._content()
        content = getattr(self._object, "_model_bytes", None)
        return bytes(content) if content else super()._content()

    @property
    def _path(self) -> Path:
        path = getattr(self._object, "_model_path", None)
        return Path(path) if path else super()._path

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the model file, and of the files beside it that have its weights."""
        content = self._content()
        digest = hashlib.sha256(content)
        for name in external_files(content):
            digest.update(self._beside(name))
        return digest.hexdigest()

    def alternatives(self) -> Iterator[tuple[str, Self]]:
        """Yield the same model with other preprocessing, unless it takes uint8 pixels."""
        if self._loaded.input.dtype != np.uint8:
            yield from super().alternatives()

    def logits(self, images: Images) -> NDArray[np.float32]:
        """Return logits, (n, classes) float32, for uint8 images (n, h, w, c)."""
        scores = self._loaded.scores(images)
        return logarithms(scores) if self.confidence_kind == "probability" else scores.astype(np.float32, copy=False)

    def features(self, images: Images) -> NDArray[np.float32] | None:
        """Return the input of the last linear layer, (n, d) float32, or None if the model does not end in one."""
        return self._loaded.features(images)

    @property
    def quantized_dynamically(self) -> bool:
        """Whether values are rounded to steps that depend on the whole batch."""
        return self._loaded.quantized_dynamically

    @cached_property
    def _loaded(self) -> "_Loaded":
        return _Loaded(self)


class _RunError(InputError):
    """The model does not run on probe images."""


class _Loaded:
    """The loaded model of an `Onnx` classifier: a session, and the conversion of images to its input."""

    def __init__(self, settings: Onnx) -> None:
        self._where = where = settings._where
        removable = {"auto": ("Softmax", "Sigmoid"), "sigmoid": ("Sigmoid",)}.get(settings.outputs, ())
        self._graph: Graph = opened(
            settings._content(), where, removable, settings.output, settings._beside, settings.device
        )
        self.input: Input = self._graph.input(settings.layout, settings.shape, where)
        self.shape = self.input.shape
        self.scaling = settings.scaling(self.shape[2])
        check_integers(np.dtype(self.input.dtype).name, settings.pixel_keys, where)
        images = probes(self.shape)
        try:
            found = self._probed(self._graph.output, images, where)
        except _RunError as error:
            self.input = replace(self.input, batch=1)  # the file does not say that it takes one image at a time
            try:
                found = self._probed(self._graph.output, images, where)
            except InputError:
                raise error from None
        self.classes = found.shape[1]
        known = {"Softmax": "softmax", "Sigmoid": "sigmoid"}.get(self._graph.removed)
        kind = confidence_kind(found.astype(np.float64), "logits" if known else settings.outputs, where)
        if kind == "softmax" and settings.outputs == "auto" and not known:
            _check_title(self._graph.title, where)
        self.confidence_kind = known or kind
        if known:
            own = self._probed(self._graph.own_output, images, where)
            check_removed(_gap(found, known, own), known, TOLERANCE[own.dtype.itemsize], where)

    @property
    def removes_activation(self) -> bool:
        """Whether the logits are the input of a softmax or sigmoid at the model's end."""
        return bool(self._graph.removed)

    @property
    def quantized_dynamically(self) -> bool:
        """Whether values are rounded to steps that depend on the whole batch."""
        return self._graph.quantized_dynamically

    @property
    def device(self) -> str:
        """The execution provider that computes."""
        return self._graph.provider

    def rescaled(self, scaling: Scaling) -> "_Loaded":
        """Return the same model with another scaling."""
        other = copy.copy(self)
        other.scaling = scaling
        return other

    def _probed(self, output: str, images: Images, where: str) -> Array:
        """Return an output for probe images as a table, (n, classes)."""
        try:
            found = self._run(output, images)
        except InputError:
            raise
        except Exception as error:  # ONNX Runtime may raise any error for a model that cannot run
            raise _RunError(
                f"{where} does not run on images of {self.shape} ({in_a_line(error)}); see whether 'shape' is that of "
                "its images"
            ) from None
        if found.dtype.kind != "f":
            raise InputError(
                f"{where} returns {found.dtype if found.dtype.kind in NUMBERS else 'text'}, expected the scores of the "
                "classes as floats; name another output, 'output: NAME', or export the model with its probabilities"
            )
        classes = class_count(found.shape[1:], where)
        return found.reshape(-1, classes)

    def scores(self, images: Images) -> Array:
        """Return the model's output, (n, classes)."""
        return self._run(self._graph.output, images).reshape(len(images), self.classes)

    def features(self, images: Images) -> NDArray[np.float32] | None:
        """Return the input of the last linear layer, (n, d) float32, or None if the model does not end in one."""
        if self._graph.features is None:
            return None
        return self._run(self._graph.features, images).reshape(len(images), -1).astype(np.float32, copy=False)

    def _run(self, output: str, images: Images) -> Array:
        # Without images, one black batch runs, because the result needs the number of columns.
        batches, count = batched_by(images, self.input.batch or max(1, len(images)))
        found = []
        for batch in batches or [self._nothing()]:
            found.append(self._graph.run(output, self._fed(batch)))
            check_rows(found[-1].shape[0] if found[-1].ndim else 0, len(batch), self.shape, self._where)
        return np.concatenate(found)[:count]

    def _fed(self, images: Images) -> Array:
        pixels = images if self.input.dtype == np.uint8 else self.scaling(images).astype(self.input.dtype, copy=False)
        return np.ascontiguousarray(self.input.arranged(pixels))

    def _nothing(self) -> Images:
        return np.zeros((self.input.batch or 1, *self.shape), np.uint8)


def _check_title(title: str, where: str) -> None:
    """Refuse an output that is not probabilities, but is named so, as that of a support vector machine."""
    name = title.lower()
    if "prob" in name and not any(part in name for part in ("log", "pre", "before", "un")):
        raise InputError(
            f"{where}: its output {title[:60]!r} has no probabilities: they do not sum to 1; a converted SVC or "
            "LinearSVC has margins there: fit and convert CalibratedClassifierCV(model); if these are scores before a "
            "softmax, say 'outputs: logits'"
        )


def _gap(logits: Array, kind: str, own: Array) -> float:
    """Return the largest difference of the confidences from the logits and the model's own."""
    ours = np.exp(log_confidences(logits.astype(np.float64), kind))
    return float(np.abs(ours - own).max())
