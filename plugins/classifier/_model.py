"""Base classes of classifiers that load a model at first use."""

import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import fields
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any, ClassVar, Protocol

from fooldeap import registry
from fooldeap.errors import nearest
from fooldeap.plugin import InputError, Plugin, plugin_of

from ._scores import names_in

MOST_FILE = 1 << 32  # bytes of a model file; it is read into memory


class Loaded(Protocol):
    """A loaded model, which a classifier keeps between calls."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of the images."""

    @property
    def classes(self) -> int:
        """The number of classes."""


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
        content = _read(self._path, self._where)
        digest = hashlib.sha256(content).digest()
        if self.__dict__.setdefault("_first_read", digest) != digest:
            raise InputError(f"{self._where} has changed since it was first read; start again")
        return content

    @property
    def _path(self) -> Path:
        return path_of(self.model, _plugin(self))

    @property
    def _where(self) -> str:
        """The beginning of error messages."""
        return f"{_plugin(self)}: model {self.model!r}"


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


def _fault(path: Path, plugin: Plugin, shipped: Iterable[str]) -> str:
    """Return the reason why the plugin cannot read a path, and the cure."""
    known = registry.load()
    reader = known.formats().get(path.suffix.lower(), plugin.name)
    if reader != plugin.name:
        return f"is for the classifier {reader!r}; say 'name: {reader}'"
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
