"""A model in the ONNX format as the classifier. ONNX Runtime runs it."""

import copy
import hashlib
import sys
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from fooldeap.plugin import Array, Images, InputError, classifier, dataclass

from ._model import ImageModel
from ._onnx_graph import Graph, Input, external_files, opened
from ._scores import Scaling, batched_by, confidence_kind, logarithms, probes


@classifier("onnx", suffixes=(".onnx",))
@dataclass(frozen=True, kw_only=True)
class Onnx(ImageModel):
    """An ONNX image classifier; the attack uses its logits. It needs the extra ``onnx``.

    ``model`` is the path of an ``.onnx`` file. Its weights may be in other files of the same folder. It has one input
    and one output (n, classes); ``output`` is the name of the output if there are several. ``layout`` is the order of
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

    layout: Literal["auto", "nchw", "nhwc"] = "auto"

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

    @cached_property
    def _loaded(self) -> "_Loaded":
        return _Loaded(self)


class _Loaded:
    """The loaded model of an `Onnx` classifier: a session, and the conversion of images to its input."""

    def __init__(self, settings: Onnx) -> None:
        where = settings._where
        removable = {"auto": ("Softmax", "Sigmoid"), "sigmoid": ("Sigmoid",)}.get(settings.outputs, ())
        self._graph: Graph = opened(
            settings._content(), where, removable, settings.output, settings._beside, settings.device
        )
        self.input: Input = self._graph.input(settings.layout, settings.shape, where)
        self.shape = self.input.shape
        self.scaling = settings.scaling(self.shape[2])
        if self.input.dtype == np.uint8 and not self.scaling.changes_nothing:
            raise InputError(f"{where} takes uint8 pixels; leave input_range at [0, 255], and the other keys out")
        found = self._probed(where)
        if found.ndim != 2 or found.shape[1] < 2:
            raise InputError(
                f"{where} gives outputs of shape {found.shape[1:]}, expected one score a class, (classes,), at least "
                "2 of them; export it without what comes behind the scores"
            )
        self.classes = int(found.shape[1])
        known = {"Softmax": "softmax", "Sigmoid": "sigmoid"}.get(self._graph.removed)
        kind = confidence_kind(found.astype(np.float64), "logits" if known else settings.outputs, where)
        self.confidence_kind = known or kind

    @property
    def device(self) -> str:
        """The execution provider that computes."""
        return self._graph.provider

    def rescaled(self, scaling: Scaling) -> "_Loaded":
        """Return the same model with another scaling."""
        other = copy.copy(self)
        other.scaling = scaling
        return other

    def _probed(self, where: str) -> Array:
        try:
            return self.scores(probes(self.shape))
        except Exception as error:  # ONNX Runtime may raise any error for a model that cannot run
            said = " ".join(str(error).split())[:160]
            raise InputError(
                f"{where} does not run on images of {self.shape} ({said}); see whether 'shape' is that of its images"
            ) from None

    def scores(self, images: Images) -> Array:
        """Return the model's output, (n, classes)."""
        return self._run(self._graph.output, images)

    def features(self, images: Images) -> NDArray[np.float32] | None:
        """Return the input of the last linear layer, (n, d) float32, or None if the model does not end in one."""
        if self._graph.features is None:
            return None
        return self._run(self._graph.features, images).reshape(len(images), -1).astype(np.float32, copy=False)

    def _run(self, output: str, images: Images) -> Array:
        # Without images, one black batch runs, because the result needs the number of columns.
        batches, count = batched_by(images, self.input.batch or max(1, len(images)))
        found = [self._graph.run(output, self._fed(batch)) for batch in batches or [self._nothing()]]
        return np.concatenate(found)[:count]

    def _fed(self, images: Images) -> Array:
        pixels = images if self.input.dtype == np.uint8 else self.scaling(images).astype(self.input.dtype, copy=False)
        return np.ascontiguousarray(self.input.arranged(pixels))

    def _nothing(self) -> Images:
        return np.zeros((self.input.batch or 1, *self.shape), np.uint8)
