"""The available plugins, by kind and name: from installed packages and from files that the user names."""

import functools
import hashlib
import importlib
import importlib.metadata
import importlib.util
import os
import pkgutil
import shlex
import sys
import threading
import traceback
from collections.abc import Iterable, Iterator
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from fooldeap.errors import InputError, did_you_mean
from fooldeap.plugin import KINDS, Plugin, plugin_of
from fooldeap.storage.inputs import read

ENTRY_POINTS = "fooldeap.plugins"
MOST_SOURCE = 1 << 24  # bytes of a plugin file


class Registry:
    """Plugins by kind and name. Each name is unique within its kind."""

    def __init__(self, plugins: Iterable[Plugin] = ()) -> None:
        self._plugins: dict[tuple[str, str], Plugin] = {}
        for plugin in plugins:
            self.add(plugin)

    def add(self, plugin: Plugin) -> None:
        """Add a plugin. Adding the same plugin again has no effect.

        Raises
        ------
        InputError
            Another plugin has this name.
        """
        known = self._plugins.setdefault((plugin.kind, plugin.name), plugin)
        if known.target is not plugin.target:
            raise InputError(f"{plugin} in {plugin.source}: the name is already used in {known.source}; choose another")

    def include(self, source: Any) -> None:
        """Add the plugins of a file or a folder, or a decorated function or class."""
        declared = plugin_of(source)
        if declared is None and not isinstance(source, str | Path):
            raise InputError(f"got {source!r}, expected a file, a folder, or a function or class with a decorator")
        for plugin in [declared] if declared else found_in(Path(source)):
            self.add(plugin)

    def get(self, kind: str, name: str) -> Plugin:
        """Return the plugin of this kind and name.

        Raises
        ------
        InputError
            There is none. The message suggests the nearest name.
        """
        try:
            return self._plugins[kind, name]
        except KeyError:
            hint = did_you_mean(name, (plugin.name for plugin in self.all(kind)))
            raise InputError(f"no {kind} is named {name!r}{hint}") from None

    def formats(self) -> dict[str, str]:
        """Return the names of classifiers by the suffix of the model files they read, such as ``".onnx"``."""
        readers = self.all("classifier")
        return {suffix: plugin.name for plugin in readers for suffix in plugin.options["suffixes"]}

    def all(self, kind: str | None = None) -> list[Plugin]:
        """Return the plugins of one kind, or of all kinds in the order of `KINDS`, sorted by name."""
        kinds = list(KINDS)
        found = (plugin for plugin in self._plugins.values() if kind in (None, plugin.kind))
        return sorted(found, key=lambda plugin: (kinds.index(plugin.kind), plugin.name))


def load(sources: Iterable[Any] = ()) -> Registry:
    """Return the installed plugins and those from ``sources``: files, folders, or decorated functions and classes."""
    registry = Registry(_installed())
    for source in each(sources):
        try:
            registry.include(source)
        except InputError as error:
            raise InputError(f"plugins: {error}") from error
    return registry


def each(sources: Any) -> tuple[Any, ...]:
    """Return sources of plugins as a tuple. A single source is accepted as well."""
    single = isinstance(sources, str | Path) or plugin_of(sources) is not None
    return (sources,) if single else tuple(sources)


@functools.cache
def _installed() -> tuple[Plugin, ...]:
    """Return the plugins from entry points. The stock plugins are among them, without special treatment."""
    found: list[Plugin] = []
    for entry in importlib.metadata.entry_points(group=ENTRY_POINTS):
        try:
            for module in _modules(entry.load()):
                found.extend(_declared_in(module))
        except Exception as error:
            where = f"{entry.dist.name if entry.dist else '?'} ({entry.value})"
            raise InputError(f"plugins of package {where} cannot be loaded: {_in_one_line(error)}") from error
    return tuple(found)


def _modules(root: ModuleType) -> Iterator[ModuleType]:
    """Yield a module and, if it is a package, every public module below it."""
    yield root
    for info in pkgutil.iter_modules(getattr(root, "__path__", [])):
        if not info.name.startswith("_"):
            yield from _modules(_imported(f"{root.__name__}.{info.name}"))


def _imported(name: str) -> ModuleType:
    """Import a module of an installed package. An error names its file."""
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        found = importlib.util.find_spec(name)
        file = Path(found.origin) if found and found.origin else None
        raise InputError(f"{file}: {_in_one_line(error, file)}") from error


def found_in(path: Path) -> list[Plugin]:
    """Return the plugins of a file, or of the files of a folder."""
    if path.is_dir():
        files = sorted(file for file in path.glob("*.py") if not file.name.startswith(("_", "test_")))
    elif path.is_file():
        files = [path]
    else:
        raise InputError(f"no file or folder {str(path)!r}")
    plugins = [plugin for file in files for plugin in _declared_in(import_file(file.resolve()))]
    if not plugins:
        where = " (folders below it are not searched)" if path.is_dir() else ""
        raise InputError(
            f"{str(path)!r} contains no plugin{where}; put a decorator such as @mutation('name') on a function"
        )
    return plugins


_importing = threading.RLock()  # other threads must not get a module that is not fully imported


def import_file(file: Path) -> ModuleType:
    """Return a Python file as a separate module. It is imported once in a process unless it changes."""
    content = read(file, MOST_SOURCE, named=True)
    # The digest of path and content distinguishes files with equal names, and reloads a file that was edited.
    digest = hashlib.sha256(os.fsencode(file) + content).hexdigest()[:12]
    name = f"fooldeap_user_{file.stem}_{digest}"
    with _importing:
        if name in sys.modules:
            return sys.modules[name]
        if file.suffix != ".py":
            raise InputError(f"{str(file)!r} is not a Python file; its name must end in .py")
        loader = _SourceLoader(name, str(file), content)
        spec = importlib.util.spec_from_file_location(name, file, loader=loader)
        assert spec is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # dataclasses and pickle look up their module here
        try:
            loader.exec_module(module)
        except BaseException as error:
            del sys.modules[name]
            if not isinstance(error, Exception | SystemExit):
                raise
            raise InputError(f"{str(file)!r} cannot be loaded: {_in_one_line(error, file)}") from error
    return module


class _SourceLoader(SourceFileLoader):
    """A loader that runs the source as it was read, never a compiled file next to it."""

    def __init__(self, name: str, path: str, content: bytes) -> None:
        super().__init__(name, path)
        self._content = content

    def get_code(self, fullname: str) -> CodeType:
        """Compile the source."""
        code: CodeType = self.source_to_code(self._content, self.path)
        return code


def _declared_in(module: ModuleType) -> Iterator[Plugin]:
    for value in list(vars(module).values()):
        plugin = plugin_of(value)
        if plugin is not None and plugin.target.__module__ == module.__name__:
            yield plugin


def _is_module(folder: Path, name: str) -> bool:
    return name.isidentifier() and ((folder / f"{name}.py").is_file() or (folder / name).is_dir())


def _in_one_line(error: BaseException, file: Path | None = None) -> str:
    """Return an error in one line, with the line of ``file`` that caused it."""
    text = str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
    if isinstance(error, ImportError) and "relative import" in text:
        text += "; plugin files cannot import each other; put shared code in an installed package"
    beside = str(getattr(error, "name", None) or "").partition(".")[0]
    if file is not None and isinstance(error, ModuleNotFoundError) and _is_module(file.parent, beside):
        text += f"; to import a module beside it, run with PYTHONPATH={shlex.quote(str(file.parent))}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
    return " ".join(text.split()) + (f" (line {lines[-1]})" if lines else "")
