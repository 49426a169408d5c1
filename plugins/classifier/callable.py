"""A Python function as the classifier. It may call a remote model, or a framework without a plugin."""

import functools
import inspect
from functools import cached_property
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from fooldeap.contract_checks import described
from fooldeap.plugin import Code, Ge, Images, InputError, Names, classifier, dataclass, field

from ._code import digest_of_code, in_a_line, object_of
from ._model import SentAsSettings
from ._scores import (
    PROBES,
    Outputs,
    are_probabilities,
    as_scores,
    check_larger_is_likelier,
    check_size,
    confidence_kind,
    logarithms,
    names_in,
    probes,
)

OUTPUTS = "'outputs: logits', 'outputs: probabilities' or 'outputs: sigmoid'"
PIXELS = "scale the pixels in the function to those that the model was trained on, such as images / 255"
FEWEST = 4  # images whose scores say that a billable function does not return logits


@classifier("callable")
@dataclass(frozen=True, kw_only=True)
class FunctionClassifier(SentAsSettings):
    """A Python function that takes images and returns a score for each class.

    ``function`` is ``package.module:name`` of an installed package, or ``file.py:name``. It receives images, uint8 (n,
    height, width, channels), and returns scores (n, classes). ``outputs`` is the kind of scores: ``logits``;
    ``probabilities``, whose logits are log p with p at least 1e-30; ``sigmoid``, if each score is the probability of
    its class, or its logit; or ``auto``, which decides from the scores of probe images. ``shape`` is that of an image,
    (height, width, channels). ``classes`` is the number of scores. Set ``billable`` if each image costs money: the
    function then receives only images that algorithms ask about. ``class_names`` is a file with one name per line.

    The digest covers the name of the function and the source of its module. It does not cover a model that the function
    uses, such as one behind a web service.
    """

    function: Code
    shape: tuple[Annotated[int, Ge(1)], Annotated[int, Ge(1)], Annotated[int, Ge(1)]]
    classes: Annotated[int, Ge(2)]
    outputs: Outputs = "auto"
    billable: bool = False
    class_names: Names | None = None
    _object: Any = field(default=None, init=False, repr=False)

    @classmethod
    def takes(cls, model: Any) -> bool:
        """Return whether ``model`` is a function."""
        return inspect.isroutine(model) or isinstance(model, functools.partial)

    @classmethod
    def from_object(cls, model: Any, **settings: Any) -> "FunctionClassifier":
        """Return a classifier for a function in memory."""
        made = cls(function=f"(in memory):{getattr(model, '__qualname__', 'partial')}", **settings)
        object.__setattr__(made, "_object", model)
        return made

    def __post_init__(self) -> None:
        check_size(self.shape, None, self._where)
        if self.billable and self.outputs == "auto":
            raise InputError(f"{self._where} is billable, so no probes are shown to it; say {OUTPUTS}")

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of the images."""
        return self.shape

    @cached_property
    def names(self) -> tuple[str, ...] | None:
        """The names of the classes, or None without a file of names."""
        return names_in(self.class_names, self.classes, self._where)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the function's name and of its module's source, or of its full name without a source file."""
        return digest_of_code(self._function, self.function).hex()

    def logits(self, images: Images) -> NDArray[np.float32]:
        """Return raw scores before softmax, (n, classes) float32, for uint8 images (n, h, w, c)."""
        kind = self.confidence_kind  # first, so that a failure on the probes is an InputError
        scores = self._scores(images)
        if self.billable and kind == "softmax" and len(scores) >= FEWEST:
            check_larger_is_likelier(scores, self._where)
            if are_probabilities(scores):
                raise InputError(
                    f"{self._where} gives probabilities (they sum to 1), not 'outputs: logits'; "
                    "say 'outputs: probabilities'"
                )
        return logarithms(scores) if kind == "probability" else scores

    def _scores(self, images: Images) -> NDArray[np.float32]:
        # A copy, because the images belong to the caller and the function may scale them in place.
        found = self._function(images.copy())
        scores = as_scores(found, (len(images), self.classes), self._where)
        kind = np.asarray(found).dtype
        if self.outputs == "auto" and kind.kind != "f":
            raise InputError(
                f"{self._where} gives integers ({kind}), which may be logits, votes or quantized probabilities; "
                f"return floats, or say {OUTPUTS}"
            )
        return scores

    @property
    def _where(self) -> str:
        return f"classifier 'callable': function {self.function!r}"

    @cached_property
    def confidence_kind(self) -> str:
        """How the confidence follows from the logits, see `fooldeap.contracts.log_confidences`.

        A billable function with ``outputs: sigmoid`` must return probabilities, because it is shown no probe images.
        """
        if self.billable:
            return "softmax" if self.outputs == "logits" else "probability"
        images = probes(self.shape)
        try:
            scores = self._scores(images)
        except InputError:
            raise
        except (Exception, SystemExit) as error:
            said = in_a_line(error)
            raise InputError(
                f"{self._where} fails ({said}) on uint8 images {images.shape}, expected scores "
                f"({len(images)}, {self.classes}); it receives a batch (n, height, width, channels); mend it, "
                "or see whether 'shape' is that of its images"
            ) from error
        return confidence_kind(scores, self.outputs, self._where, PIXELS)

    @property
    def probed(self) -> int:
        """The number of probe images that the function was shown."""
        return 0 if self.billable or "confidence_kind" not in self.__dict__ else PROBES

    @cached_property
    def _function(self) -> Any:
        found = self._object if self._object is not None else object_of(self.function, self._where)
        _check_call(found, self._where)
        return found


def _check_call(found: Any, where: str) -> None:
    """Refuse an object that cannot be called with images as its only argument."""
    if inspect.isclass(found):
        cure = f"write NET = {found.__name__}() in its file, and name NET instead of {found.__name__}"
        raise InputError(f"{where} is a class, expected a function of images; {cure}")
    if not callable(found):
        raise InputError(f"{where} is no function, but {described(found)}; name a function of images")
    try:
        signature = inspect.signature(found)
    except (ValueError, TypeError):  # some functions that are not written in Python have no signature
        return
    try:
        signature.bind(None)
    except TypeError as error:
        raise InputError(
            f"{where} takes {signature} ({error}), expected a function of images alone; "
            f"write one: def scores(images): return {getattr(found, '__name__', 'FUNCTION')}(images, ...)"
        ) from None
