"""Base classes of classifiers that load a model at first use."""

import hashlib
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, Self

from fooldeap import registry
from fooldeap.errors import nearest
from fooldeap.plugin import File, InputError, Names, Plugin, plugin_of

from ._outputs import Output
from ._scores import InputRange, Outputs, Scaling, Side, leave_out, names_in

MOST_FILE = 1 << 32  # bytes of a model file; it is read into memory


class Loaded(Protocol):
    """A loaded model, which a classifier keeps between calls."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of the images."""

    @property
    def classes(self) -> int:
        """The number of classes."""


class LoadedImages(Loaded, Protocol):
    """A loaded model of images, with the preprocessing of its pixels."""

    @property
    def confidence_kind(self) -> str:
        """How the confidence follows from the logits, see `fooldeap.contracts.log_confidences`."""

    @property
    def removes_activation(self) -> bool:
        """Whether the logits are the input of a softmax or sigmoid at the model's end."""

    @property
    def device(self) -> Any:
        """The device that computes."""

    @property
    def scaling(self) -> Scaling:
        """The map from grey levels to the input of the model."""

    def rescaled(self, scaling: Scaling) -> Self:
        """Return the same model with another scaling."""


class SentAsSettings:
    """A dataclass whose pickle contains only its fields. Cached values are computed again after unpickling."""

    def __getstate__(self) -> dict[str, Any]:
        return {each.name: getattr(self, each.name) for each in fields(self)}  # type: ignore[arg-type]


class FromFile(SentAsSettings, ABC):
    """A classifier whose model is in a file. A subclass is a dataclass with these fields, and defines `_loaded`."""

    model: str
    class_names: str | None = None
    _trusted: ClassVar[bool] = False

    @property
    @abstractmethod
    def _loaded(self) -> Loaded:
        """The model. Subclasses load it at first use."""

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of the images."""
        return self._loaded.shape

    @property
    def classes(self) -> int:
        """The number of classes."""
        return self._loaded.classes

    def allow_code(self) -> None:
        """Allow the model file to run code. fooldeap calls this if the user trusts the file."""
        object.__setattr__(self, "_trusted", True)

    @cached_property
    def names(self) -> tuple[str, ...] | None:
        """The names of the classes, or None without a file of names."""
        return names_in(self.class_names, self.classes, self._where)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the model file."""
        return hashlib.sha256(self._content()).hexdigest()

    def _content(self) -> bytes:
        """Return the content of the model file.

        Every call must return the same content, because the digest identifies it.

        Raises
        ------
        InputError
            The file cannot be read, is too large, or has changed since it was first read.
        """
        return self._read(self._path)

    def _beside(self, name: str) -> bytes:
        """Return the content of another file in the folder of the model, like `_content`.

        Raises
        ------
        InputError
            It is not in this folder, or as for `_content`.
        """
        if name != Path(name).name or name in ("", ".", "..") or "\\" in name or "\0" in name:
            raise InputError(
                f"{self._where} keeps its weights in other files, at {name[:60]!r}, expected a file in its own folder; "
                "write it as one file: onnx.save(onnx.load('FILE.onnx'), 'NAME.onnx')"
            )
        path = self._path.parent / name
        if not path.is_file():
            raise InputError(f"{self._where} keeps its weights in {name[:60]!r}, which is not beside it; put it there")
        return self._read(path)

    def _read(self, path: Path) -> bytes:
        content = _read(path, self._where)
        digest = hashlib.sha256(content).digest()
        if self.__dict__.setdefault("_first_read", {}).setdefault(path.name, digest) != digest:
            raise InputError(f"{self._where} has changed since it was first read; start again")
        return content

    @property
    def _path(self) -> Path:
        return path_of(self.model, _plugin(self))

    @property
    def _where(self) -> str:
        """The beginning of error messages."""
        return f"{_plugin(self)}: model {self.model!r}"


# What the presets of well-known libraries do, as in keras.applications.imagenet_utils.preprocess_input.
PRESETS: dict[str, dict[str, Any]] = {
    "torch": {"input_range": (0, 1), "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)},
    "caffe": {"mean": (103.939, 116.779, 123.68), "channels": "bgr"},
    "tf": {"input_range": (-1, 1)},
}
_UNPROCESSED: dict[str, Any] = {"input_range": (0, 255), "mean": None, "std": None, "channels": "rgb"}
_RANGES = ((0, 255), (0, 1), (-1, 1))


@dataclass(frozen=True, kw_only=True)
class ImageModel(FromFile):
    """A model of images in a file or in memory, with the preprocessing of its pixels."""

    model: File
    outputs: Outputs = "auto"
    output: Output | None = None
    shape: tuple[Side, Side, Side] | None = None
    preprocessing: Literal["torch", "caffe", "tf"] | None = None
    input_range: InputRange = (0, 255)
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    channels: Literal["rgb", "bgr"] = "rgb"
    device: str = "auto"
    class_names: Names | None = None
    _object: Any = field(default=None, init=False, repr=False)

    @property
    @abstractmethod
    def _loaded(self) -> LoadedImages:
        """The model. Subclasses load it at first use."""

    @classmethod
    def takes(cls, model: Any) -> bool:
        """Return whether this plugin takes a model in memory."""
        return cls._name_of(model) is not None

    @classmethod
    def from_object(cls, model: Any, **settings: Any) -> Self:
        """Return a classifier for a model in memory that `takes` accepts."""
        made = cls(model=f"(in memory) {cls._name_of(model)}", **settings)
        object.__setattr__(made, "_object", model)
        return made

    @classmethod
    @abstractmethod
    def _name_of(cls, model: Any) -> str | None:
        """Return the name of a model in memory, or None if this plugin does not take it."""

    @property
    def confidence_kind(self) -> str:
        """How the confidence follows from the logits, see `fooldeap.contracts.log_confidences`."""
        return self._loaded.confidence_kind

    @property
    def removes_activation(self) -> bool:
        """Whether the logits are the input of a softmax or sigmoid at the model's end."""
        return self._loaded.removes_activation

    @property
    def computes_on(self) -> str:
        """The device that computes, for the provenance of results."""
        return str(self._loaded.device)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"auto|cpu|cuda(:\d{1,3})?", self.device):
            expected = "expected auto, cpu, cuda or cuda:0; say 'device: auto'"
            raise InputError(f"{self._where}: got 'device: {self.device[:40]}', {expected}")

    @property
    def pixel_keys(self) -> list[str]:
        """The keys that change pixels and that the user has set."""
        own = ["preprocessing"] if self.preprocessing is not None else []
        return own + [name for name, value in _UNPROCESSED.items() if getattr(self, name) != value]

    def scaling(self, channels: int) -> Scaling:
        """Return the map from grey levels to the input of the model.

        Raises
        ------
        InputError
            A preset is combined with keys that it sets, or a key does not fit the number of channels.
        """
        own = {name: getattr(self, name) for name in _UNPROCESSED}
        if self.preprocessing is not None:
            set_too = self.pixel_keys[1:]
            if set_too:
                raise InputError(
                    f"{self._where}: got 'preprocessing: {self.preprocessing}' and {', '.join(set_too)}, which it "
                    f"sets; {leave_out(set_too)}"
                )
            own |= PRESETS[self.preprocessing]
        return Scaling.of(own["input_range"], own["mean"], own["std"], channels, self._where, own["channels"])

    def alternatives(self) -> Iterator[tuple[str, Self]]:
        """Yield the same model with other preprocessing, and the key that sets it."""
        channels = self.input_shape[2]
        settings = [(f"input_range: {list(each)}", {**_UNPROCESSED, "input_range": each}) for each in _RANGES]
        if channels == 3:
            settings += [(f"preprocessing: {name}", {**_UNPROCESSED, **PRESETS[name]}) for name in ("torch", "caffe")]
        for key, values in settings:
            other = replace(self, preprocessing=None, **values)
            scaling = other.scaling(channels)
            if not scaling.equals(self._loaded.scaling):
                other.__dict__["_loaded"] = self._loaded.rescaled(scaling)
                yield key, other


def _plugin(classifier: object) -> Plugin:
    plugin = plugin_of(type(classifier))
    assert plugin is not None
    return plugin


def path_of(model: str, plugin: Plugin) -> Path:
    """Return the path of a model file. ``model`` is the name of a shipped model, or a path.

    Raises
    ------
    InputError
        The file does not exist, or the plugin does not read files with this suffix.
    """
    suffixes = plugin.options["suffixes"]
    folder = Path(str(resources.files("fooldeap.data"))) / "classifiers"
    shipped = {path.stem: path for path in sorted(folder.iterdir()) if path.suffix in suffixes}
    if model in shipped:
        return shipped[model]
    path = Path(model).expanduser()
    if not (path.is_file() and path.suffix.lower() in suffixes):
        raise InputError(f"{plugin}: model {model!r} {_fault(path, plugin, shipped)}")
    return path


# Formats without a plugin, by suffix: the section of docs/classifiers.md with a recipe.
_RECIPES = {
    **dict.fromkeys((".tflite", ".lite"), "TFLite"),
    **dict.fromkeys((".pkl", ".pickle", ".joblib"), "scikit-learn"),
    **dict.fromkeys((".safetensors", ".bin"), "Hugging Face"),
    ".pb": "SavedModel",
    ".json": "TensorFlow.js",
}


# Scripts that create models, by the beginning of the model's file name.
_SCRIPTS = {"efficientnet_lite": "tools/imagenet_models.py"}


def _recipe(path: Path) -> str | None:
    """Return the section of docs/classifiers.md about a model in another format, or None."""
    if path.is_dir():
        inside = {"saved_model.pb": "SavedModel", "model.json": "TensorFlow.js", "config.json": "Hugging Face"}
        return next((section for name, section in inside.items() if (path / name).is_file()), None)
    return _RECIPES.get(path.suffix.lower()) if path.exists() else None


def _fault(path: Path, plugin: Plugin, shipped: Iterable[str]) -> str:
    """Return the reason why the plugin cannot read a path, and the cure."""
    recipe = _recipe(path)
    if recipe is not None:
        return (
            "is for no plugin; call it from a function with the classifier 'callable', or convert it, see "
            f"'{recipe}' in docs/classifiers.md"
        )
    known = registry.load()
    reader = known.formats().get(path.suffix.lower(), plugin.name)
    if reader != plugin.name:
        return f"is for the classifier {reader!r}; say 'name: {reader}'"
    script = next((script for start, script in _SCRIPTS.items() if path.name.startswith(start)), None)
    if script and not path.exists():
        return f"is not there; create it with: python {script}"
    near = None if path.exists() else nearest(path.stem, shipped)
    if near:
        return f"is not there; did you mean {near!r}?"
    fault = "is a folder" if path.is_dir() else f"ends in {path.suffix!r}" if path.exists() else "is not there"
    readers = [each for each in known.all("classifier") if each.options["suffixes"]]
    files = ", ".join(f"{each.name} ({', '.join(each.options['suffixes'])})" for each in readers)
    own = f"{', '.join(shipped)}, or " if shipped else ""
    return f"{fault}; expected {own}a file for the classifier {files}; a function is for the classifier callable"


def _read(path: Path, where: str) -> bytes:
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > MOST_FILE:
                raise InputError(f"{where} has {size:,} bytes, expected at most {MOST_FILE:,}; take a smaller model")
            return file.read()
    except OSError as error:
        raise InputError(f"{where} cannot be read ({error.strerror}); check its permissions") from None
