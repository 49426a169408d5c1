"""A function as the classifier: a model elsewhere, or of a make that no other plugin knows."""

import hashlib
import importlib
import inspect
from dataclasses import fields
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from fooldeap.plugin import Array, Code, File, Ge, Images, InputError, classifier, dataclass
from fooldeap.registry import import_file

from ._scores import Outputs, gives_probabilities, logarithms, names_in, probes


@classifier("callable")
@dataclass(frozen=True, kw_only=True)
class Callable:
    """A function of images that gives scores.

    ``function`` is ``package.module:name``, of what is installed, or ``file.py:name``; it is called with uint8
    (n, height, width, channels) and gives (n, classes): ``outputs`` says what, ``logits``, ``probabilities`` (the
    logits are then log p, p at least 1e-30), or ``auto``, which tells by probes. ``shape`` is that of an image,
    (height, width, channels), and ``classes`` is how many scores there are. Where every image costs money say
    ``billable``: then it is shown nothing but what algorithms ask about. ``class_names`` is a file with a name a line.

    What identifies it is its name and the source of its module: whether a model elsewhere is another one than before
    cannot be told.
    """

    function: Code
    shape: tuple[Annotated[int, Ge(1)], Annotated[int, Ge(1)], Annotated[int, Ge(1)]]
    classes: Annotated[int, Ge(2)]
    outputs: Outputs = "auto"
    billable: bool = False
    class_names: File | None = None

    def __post_init__(self) -> None:
        if self.billable and self.outputs == "auto":
            raise InputError(f"{self._where} is billable, so no probes are shown to it; say what its 'outputs' are")

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of the images."""
        return self.shape

    @cached_property
    def names(self) -> tuple[str, ...] | None:
        """What the classes are called, where a file says it."""
        return names_in(self.class_names, self.classes, self._where)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the function's name and its module's source, as far as that is there."""
        name = self.function.rpartition(":")[2]
        try:
            source = Path(str(inspect.getsourcefile(inspect.unwrap(self._function)))).read_bytes()
        except (TypeError, OSError):
            source = self.function.encode()
        return hashlib.sha256(name.encode() + b"\0" + source).hexdigest()

    def logits(self, images: Images) -> NDArray[np.float32]:
        """Return raw scores before softmax, (n, classes) float32, for uint8 images (n, h, w, c)."""
        scores = self._scores(images)
        return logarithms(scores) if self._probabilities else scores.astype(np.float32)

    def _scores(self, images: Images) -> Array:
        return np.asarray(self._function(images))

    @property
    def _where(self) -> str:
        return f"classifier 'callable': function {self.function!r}"

    @cached_property
    def _probabilities(self) -> bool:
        if self.billable:
            return self.outputs == "probabilities"
        shown = probes(self.input_shape)
        found, expected = self._scores(shown), (len(shown), self.classes)
        if found.shape != expected:
            raise InputError(f"{self._where} gives {found.shape} for {len(shown)} images, expected {expected}")
        return gives_probabilities(found.astype(np.float64), self.outputs, self._where)

    @cached_property
    def _function(self) -> Any:
        place, colon, name = self.function.rpartition(":")
        if not colon or not place or not name:
            raise InputError(f"{self._where}: expected package.module:name or file.py:name")
        module = import_file(Path(place)) if place.endswith(".py") else _module(place, self._where)
        found: Any = module
        for part in name.split("."):
            found = getattr(found, part, None)
        if not callable(found):
            raise InputError(f"{self._where}: {place!r} has no function {name!r}")
        return found

    def __getstate__(self) -> dict[str, Any]:
        return {each.name: getattr(self, each.name) for each in fields(self)}


def _module(name: str, where: str) -> Any:
    try:
        return importlib.import_module(name)
    except Exception as error:
        file = Path(f"{name.replace('.', '/')}.py")
        cure = f"for the file say '{file}:...'" if file.is_file() else "install it, or name a file: 'file.py:name'"
        said = " ".join(str(error).split())[:160]
        raise InputError(f"{where}: module {name!r} does not load ({type(error).__name__}: {said}); {cure}") from None
