"""A PyTorch model as the classifier: TorchScript, or an exported program."""

import copy
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fooldeap.lazy_tensorflow import thread_limit
from fooldeap.plugin import Array, Images, InputError, classifier, dataclass

from ._model import ImageModel
from ._scores import FLOOR, Scaling, batched_by, check_size, confidence_kind, probes
from ._torch_file import SUFFIXES, Program, load

BLOCK = 32  # images in a batch; a fixed number, because the bits of a row depend on the batch size in PyTorch


@classifier("torch", suffixes=SUFFIXES)
@dataclass(frozen=True, kw_only=True)
class Torch(ImageModel):
    """A PyTorch image classifier, attacked by its logits and with its gradient; needs the extra ``torch``.

    ``model`` is a file of ``torch.jit.save`` (TorchScript) or of ``torch.export.save``. The latter is code and needs
    ``--trust-model``. The model receives float32 (n, channels, height, width) and returns (n, classes). ``shape``,
    (height, width, channels), is required for TorchScript, which does not contain it. ``outputs`` is the kind of
    output: ``logits``; ``probabilities``, whose logits are log p with p at least 1e-30; ``sigmoid``, if each number is
    the probability of its class, or its logit; or ``auto``, which decides from the output for probe images.

    ``input_range`` is the range of pixels that the model was trained on. ``mean`` and ``std``, one number per channel
    in that range, normalise the pixels. ``channels`` is the order of the channels. ``preprocessing`` sets these keys
    as ``preprocess_input`` of Keras does: ``torch``, ``caffe`` or ``tf``. ``class_names`` is a file with one name per
    line.
    """

    @classmethod
    def _name_of(cls, model: Any) -> str | None:
        return None

    def logits(self, images: Images) -> NDArray[np.float32]:
        """Return logits, (n, classes) float32, for uint8 images (n, h, w, c)."""
        return self._loaded.logits(images)

    def gradient(self, images: Images, target: int) -> NDArray[np.float32]:
        """Return the gradient of log p(target) with respect to the image in grey levels, float32 (n, h, w, c)."""
        found = self._loaded.gradient(images, target)
        if found is None:
            raise InputError(f"{self._where} has no gradient by its input; use an algorithm that asks for none")
        return found

    @cached_property
    def _loaded(self) -> "_Loaded":
        return _Loaded(self)


class _Loaded:
    """The loaded model of a `Torch` classifier, and the conversion of images to its input."""

    def __init__(self, settings: Torch) -> None:
        where = settings._where
        program: Program = load(settings._content(), where, trusted=settings._trusted)
        import torch

        self._torch, self._model, self._batch = torch, program.model, program.batch or BLOCK
        threads = thread_limit()
        if threads:
            torch.set_num_threads(threads)
        self.shape = _shape(program, settings.shape, where)
        self.scaling = settings.scaling(self.shape[2])
        found = self._probed(where)
        self.classes = int(found.shape[1])
        self.confidence_kind = confidence_kind(found.astype(np.float64), settings.outputs, where)

    def rescaled(self, scaling: Scaling) -> "_Loaded":
        """Return the same model with another scaling."""
        other = copy.copy(self)
        other.scaling = scaling
        return other

    def logits(self, images: Images) -> NDArray[np.float32]:
        """Return logits, (n, classes) float32."""
        batches, count = batched_by(images, self._batch)
        with self._torch.inference_mode():
            found = [self._scores(self._tensor(batch)).numpy() for batch in batches]
        return np.concatenate([np.empty((0, self.classes), np.float32), *found])[:count]

    def gradient(self, images: Images, target: int) -> NDArray[np.float32] | None:
        """Return the gradient of log p(target) with respect to the image, or None if the model has no gradient."""
        batches, count = batched_by(images, self._batch)
        found = [np.empty((0, *self.shape), np.float32)]
        for batch in batches:
            pixels = self._tensor(batch).requires_grad_()
            # Rows are independent, so the gradient of the sum has the gradient of each row.
            log_p = self._log_confidences(self._scores(pixels))[:, target].sum()
            if not log_p.requires_grad:
                return None
            (slope,) = self._torch.autograd.grad(log_p, pixels)
            found.append(slope.numpy())
        return np.concatenate(found)[:count]

    def _tensor(self, images: Images) -> Any:
        return self._torch.from_numpy(images.astype(np.float32))

    def _input(self, pixels: Any) -> Any:
        """Return the input of the model, (n, channels, height, width), for pixels (n, height, width, channels)."""
        pixels = pixels.flip(-1) if self.scaling.reverse else pixels
        scale, offset = (self._torch.from_numpy(each) for each in (self.scaling.scale, self.scaling.offset))
        scaled = (pixels * scale + offset).permute(0, 3, 1, 2)
        # With one channel, the transposed tensor counts as contiguous, and contiguous() does nothing. Convolutions then
        # answer in channels-last layout, and x.view(n, -1) fails behind them.
        return scaled.clone(memory_format=self._torch.contiguous_format)

    def _scores(self, pixels: Any) -> Any:
        scores = self._model(self._input(pixels))
        if self.confidence_kind == "probability":
            return scores.float().clamp_min(FLOOR).log()
        return scores.float()

    def _log_confidences(self, logits: Any) -> Any:
        if self.confidence_kind == "softmax":
            return self._torch.log_softmax(logits, 1)
        return logits if self.confidence_kind == "probability" else self._torch.nn.functional.logsigmoid(logits)

    def _probed(self, where: str) -> Array:
        images = probes(self.shape)
        batches, count = batched_by(images, self._batch)
        try:
            with self._torch.inference_mode():
                found = [self._model_output(self._tensor(batch), where) for batch in batches]
        except InputError:
            raise
        except Exception as error:
            said = " ".join(str(error).split())[-160:]
            raise InputError(
                f"{where} does not take images of {self.shape} as (n, channels, height, width) float32 ({said}); "
                "see whether 'shape' is that of its images"
            ) from None
        return np.concatenate(found)[:count]

    def _model_output(self, pixels: Any, where: str) -> Array:
        scores = self._model(self._input(pixels))
        if not isinstance(scores, self._torch.Tensor) or scores.ndim != 2 or scores.shape[1] < 2:
            shown = tuple(scores.shape[1:]) if isinstance(scores, self._torch.Tensor) else type(scores).__name__
            raise InputError(
                f"{where} gives outputs of shape {shown}, expected one score a class, (classes,), at least 2 of them; "
                "export it without what comes behind the scores"
            )
        found: Array = scores.float().numpy()
        return found


def _shape(program: Program, said: tuple[int, int, int] | None, where: str) -> tuple[int, int, int]:
    shape = said or program.shape
    if shape is None:
        raise InputError(f"{where} does not say how large its images are; say it: 'shape: [height, width, channels]'")
    if program.shape is not None and shape != program.shape:
        raise InputError(f"{where} takes images of {program.shape}, got 'shape: {list(shape)}'")
    if shape[2] not in (1, 3):
        raise InputError(f"{where}: got images of {shape}, expected (height, width, channels), channels 1 or 3")
    check_size(shape, program.batch, where)
    return shape
