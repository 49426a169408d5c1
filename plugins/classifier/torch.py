"""A PyTorch model as the classifier: weights with their class, an exported program, TorchScript, or in memory."""

import contextlib
import copy
import hashlib
import math
import sys
import warnings
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fooldeap.lazy_tensorflow import thread_limit
from fooldeap.plugin import Array, Code, Images, InputError, classifier, dataclass

from ._code import digest_of_code, in_a_line, object_of
from ._model import ImageModel
from ._outputs import Output, likely_output
from ._scores import (
    FLOOR,
    WRAP,
    Scaling,
    batched_by,
    check_rows,
    check_size,
    class_count,
    confidence_kind,
    leave_out,
    probes,
)
from ._torch_file import SUFFIXES, Program, load, package, program_of

# The number of images in each pass is fixed, because the bits of a row depend on it in PyTorch. On a CPU, passes of few
# large images are faster: more do not fit into the processor's cache.
BLOCK, BLOCK_OF_LARGE = 32, 4
LARGE = 1 << 14  # values in an image


@classifier("torch", suffixes=SUFFIXES)
@dataclass(frozen=True, kw_only=True)
class Torch(ImageModel):
    """A PyTorch image classifier; the attack uses its logits or gradients. It needs the extra ``torch``.

    ``model`` is a file of ``torch.save(model.state_dict(), ...)``, of ``torch.export.save``, or of ``torch.jit.save``
    (TorchScript). Weights need ``network``, the class of the model or a function that builds it, as ``file.py:CLASS``.
    An exported program is code and needs ``--trust-model``. The model receives float32 (n, channels, height, width) and
    returns (n, classes). If it returns several values, ``output`` is the name or the index of the scores; by default
    it is ``logits``. ``shape``, (height, width, channels), is required unless the file contains it. ``outputs`` is the
    kind of output: ``logits``; ``probabilities``, whose logits are log p with p at least 1e-30; ``sigmoid``, if each
    number is the probability of its class, or its logit; or ``auto``, which decides from the output for probe images.

    ``input_range`` is the range of pixels that the model was trained on. ``mean`` and ``std``, one number per channel
    in that range, normalise the pixels. ``channels`` is the order of the channels. ``preprocessing`` sets these keys
    as ``preprocess_input`` of Keras does: ``torch``, ``caffe`` or ``tf``. ``device`` is ``cpu``, ``cuda``, ``cuda:1``
    and so on, or ``auto``: a GPU if there is one. ``class_names`` is a file with one name per line.
    """

    network: Code | None = None

    @classmethod
    def _name_of(cls, model: Any) -> str | None:
        torch = sys.modules.get("torch")  # a PyTorch model exists only if PyTorch is imported
        if torch is None or not isinstance(model, torch.nn.Module | torch.export.ExportedProgram):
            return None
        return type(model).__name__

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the model file and of the network's source, or of the weights of a model in memory."""
        if self._object is not None:
            return _digest(self._object)
        if self.network is None:
            return super().digest
        code = digest_of_code(object_of(self.network, f"{self._where}: network {self.network!r}"), self.network)
        return hashlib.sha256(self._content() + code).hexdigest()

    @property
    def batch_size(self) -> int:
        """Number of images in each pass."""
        return self._loaded.batch

    def logits(self, images: Images) -> NDArray[np.float32]:
        """Return logits, (n, classes) float32, for uint8 images (n, h, w, c)."""
        return self._loaded.logits(images)

    def gradient(self, images: Images, targets: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the gradient of log p(target) with respect to each image in grey levels, float32 (n, h, w, c)."""
        found = self._loaded.gradient(images, targets)
        if found is None:
            raise InputError(
                f"{self._where} has no gradient by its input; leave 'algorithm' out, the default needs none"
            )
        return found

    @cached_property
    def _loaded(self) -> "_Loaded":
        return _Loaded(self)


class _Loaded:
    """The loaded model of a `Torch` classifier, and the conversion of images to its input."""

    removes_activation = False

    def __init__(self, settings: Torch) -> None:
        where = settings._where
        program = _program(settings)
        self._torch = torch = package(where)
        self.device = _device(torch, settings.device, where)
        self._model, self._output = program.model.to(self.device), settings.output
        threads = thread_limit()
        if threads:
            torch.set_num_threads(threads)
        self._where = where
        floats = (each.dtype for each in self._model.parameters() if each.is_floating_point())
        self._dtype = next(floats, torch.float32)
        self.shape = _shape(program, settings.shape, where)
        self.scaling = settings.scaling(self.shape[2])
        large = math.prod(self.shape) > LARGE and self.device.type == "cpu"
        self.batch = program.batch or (BLOCK_OF_LARGE if large else BLOCK)
        found = self._probed(fixed=program.batch is not None)
        self.classes = int(found.shape[1])
        self.confidence_kind = confidence_kind(found.astype(np.float64), settings.outputs, where)

    def rescaled(self, scaling: Scaling) -> "_Loaded":
        """Return the same model with another scaling."""
        other = copy.copy(self)
        other.scaling = scaling
        return other

    def logits(self, images: Images) -> NDArray[np.float32]:
        """Return logits, (n, classes) float32."""
        batches, count = batched_by(images, self.batch)
        with self._torch.inference_mode():
            found = [self._scores(self._tensor(batch)).cpu().numpy() for batch in batches]
        return np.concatenate([np.empty((0, self.classes), np.float32), *found])[:count]

    def gradient(self, images: Images, targets: NDArray[np.int64]) -> NDArray[np.float32] | None:
        """Return the gradient of log p(target) with respect to each image, or None if the model has no gradient."""
        batches, count = batched_by(images, self.batch)
        classes, _ = batched_by(targets, self.batch)
        found = [np.empty((0, *self.shape), np.float32)]
        for batch, its in zip(batches, classes, strict=True):
            pixels = self._tensor(batch).requires_grad_()
            # Rows are independent, so the gradient of the sum has the gradient of each row.
            chosen = self._torch.from_numpy(its[:, None]).to(self.device)
            log_p = self._log_confidences(self._scores(pixels)).gather(1, chosen).sum()
            if not log_p.requires_grad:
                return None
            (slope,) = self._torch.autograd.grad(log_p, pixels)
            found.append(slope.cpu().numpy())
        return np.concatenate(found)[:count]

    def _tensor(self, images: Images) -> Any:
        return self._torch.from_numpy(images.astype(np.float32)).to(self.device)

    def _input(self, pixels: Any) -> Any:
        """Return the input of the model, (n, channels, height, width), for pixels (n, height, width, channels)."""
        pixels = pixels.flip(-1) if self.scaling.reverse else pixels
        scale, offset = (
            self._torch.from_numpy(each).to(self.device) for each in (self.scaling.scale, self.scaling.offset)
        )
        scaled = (pixels * scale + offset).permute(0, 3, 1, 2)
        # With one channel, the transposed tensor counts as contiguous, and contiguous() does nothing. Convolutions then
        # answer in channels-last layout, and x.view(n, -1) fails behind them.
        return scaled.to(self._dtype).clone(memory_format=self._torch.contiguous_format)

    def _scores(self, pixels: Any) -> Any:
        scores = self._chosen(self._model(self._input(pixels))).reshape(len(pixels), self.classes)
        if self.confidence_kind == "probability":
            return scores.float().clamp_min(FLOOR).log()
        return scores.float()

    def _chosen(self, found: Any) -> Any:
        """Return the scores among the values that the model returns."""
        if isinstance(found, self._torch.Tensor):
            if self._output is not None:
                raise InputError(
                    f"{self._where} returns one tensor, got 'output: {str(self._output)[:60]}'; {leave_out(['output'])}"
                )
            return found
        named = {name: value for name, value in _named(found).items() if isinstance(value, self._torch.Tensor)}
        chosen = named.get("logits" if self._output is None else str(self._output))
        if chosen is None:
            raise InputError(f"{self._where} returns {type(found).__name__}, {_without(self._output, named)}")
        return chosen

    def _log_confidences(self, logits: Any) -> Any:
        if self.confidence_kind == "softmax":
            return self._torch.log_softmax(logits, 1)
        return logits if self.confidence_kind == "probability" else self._torch.nn.functional.logsigmoid(logits)

    def _probed(self, *, fixed: bool) -> Array:
        """Return the output for probe images. Unless the batch size is ``fixed``, it becomes 1 if larger ones fail."""
        images = probes(self.shape)
        try:
            return self._outputs(images)
        except InputError:
            raise
        except Exception as error:
            if not fixed:
                self.batch = 1
                with contextlib.suppress(Exception):
                    return self._outputs(images)
            raise InputError(
                f"{self._where} does not take images of {self.shape} as (n, channels, height, width) "
                f"{str(self._dtype).removeprefix('torch.')} ({in_a_line(error)}); see whether 'shape' is that of its "
                f"images; if it takes something else, wrap it, see {WRAP}"
            ) from None

    def _outputs(self, images: Images) -> Array:
        batches, count = batched_by(images, self.batch)
        with self._torch.inference_mode():
            found = [self._model_output(self._tensor(batch)) for batch in batches]
        return np.concatenate(found)[:count]

    def _model_output(self, pixels: Any) -> Array:
        scores = self._chosen(self._model(self._input(pixels)))
        classes = class_count(tuple(scores.shape[1:]), self._where)
        check_rows(len(scores), len(pixels), self.shape, self._where)
        if not scores.is_floating_point():
            kind = str(scores.dtype).removeprefix("torch.")
            raise InputError(f"{self._where} returns {kind}, expected floats; return the scores before argmax")
        found: Array = scores.reshape(-1, classes).float().cpu().numpy()
        return found


def _named(found: Any) -> dict[str, Any]:
    """Return the values that a model returns by their names, or by their positions in a tuple."""
    if isinstance(found, Mapping):
        return {str(name): value for name, value in found.items()}
    if isinstance(found, tuple | list):
        names = getattr(found, "_fields", ())
        return {str(place): value for place, value in enumerate(found)} | dict(zip(names, found, strict=False))
    return dict(getattr(found, "__dict__", {}))


def _without(output: Output | None, named: Mapping[str, Any]) -> str:
    """Return what is wrong with the values that a model returns, and the cure."""
    if not named:
        return f"expected a tensor; wrap it, see {WRAP}"
    shapes = {name: tuple(value.shape) for name, value in named.items()}
    shown = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
    wrong = "" if output is None else f", without {str(output)[:60]!r}"
    return f"with {shown}{wrong}; say which has the scores of the classes: 'output: {likely_output(shapes)}'"


def _program(settings: Torch) -> Program:
    """Return the model in the file, or a copy of the model in memory in inference mode."""
    model = settings._object
    if model is None:
        return load(settings._content(), settings._where, network=settings.network, trusted=settings._trusted)
    if not hasattr(model, "eval"):
        return program_of(model)
    return Program(copy.deepcopy(model, _computed(model)).eval())


def _computed(model: Any) -> dict[int, Any]:
    """Return copies of tensors that hooks compute before each call, as of ``weight_norm``. PyTorch cannot copy them."""
    values = [value for module in model.modules() for value in vars(module).values()]
    tensors = [value for value in values if hasattr(value, "is_leaf") and not value.is_leaf]
    return {id(tensor): tensor.detach().clone() for tensor in tensors}


def _device(torch: Any, device: str, where: str) -> Any:
    """Return the device of PyTorch for the key ``device``."""
    if device == "auto":
        return torch.device("cuda" if _gpus(torch) else "cpu")
    if device.startswith("cuda") and int(device.partition(":")[2] or 0) >= _gpus(torch):
        raise InputError(f"{where}: got 'device: {device}', expected one of {devices(torch)}; say 'device: cpu'")
    return torch.device(device)


def devices(torch: Any) -> str:
    """Return the devices that PyTorch can use here."""
    return ", ".join(["cpu", *(f"cuda:{number}" for number in range(_gpus(torch)))])


def _gpus(torch: Any) -> int:
    """Return the number of GPUs. PyTorch warns if there is none, unless its driver is too old, which the user can mend.

    TensorFlow may have tried to load the CUDA libraries before.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "CUDA initialization: (?!The NVIDIA driver)", UserWarning)
        return int(torch.cuda.device_count())


def _digest(model: Any) -> str:
    state = model.state_dict
    state = state() if callable(state) else state  # a property of exported programs
    digest = hashlib.sha256(f"{type(model).__qualname__} {model}".encode())
    for name, value in state.items():
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.detach().cpu().contiguous().view(-1).numpy().tobytes())
    return digest.hexdigest()


def _shape(program: Program, said: tuple[int, int, int] | None, where: str) -> tuple[int, int, int]:
    shape = said or program.shape
    if shape is None:
        raise InputError(f"{where} does not say how large its images are; say it: 'shape: [height, width, channels]'")
    if program.shape is not None and shape != program.shape:
        cure = leave_out(["shape"])
        raise InputError(f"{where} takes images of {program.shape}, got 'shape: {list(shape)}'; {cure}")
    if shape[2] not in (1, 3):
        raise InputError(
            f"{where}: got images of {shape}, expected (height, width, channels), channels 1 or 3; if the model takes "
            f"other channels, wrap it, see {WRAP}"
        )
    check_size(shape, program.batch, where)
    return shape
