"""Find an object of the user's code by its reference: ``package.module:name`` or ``file.py:name``."""

import hashlib
import importlib
import inspect
from pathlib import Path
from typing import Any

from fooldeap.errors import nearest
from fooldeap.plugin import InputError
from fooldeap.registry import import_file


def object_of(reference: str, where: str) -> Any:
    """Import and return the object that a reference names.

    Raises
    ------
    InputError
        The module cannot be imported, or it has no such object.
    """
    place, colon, name = reference.rpartition(":")
    if not colon or not place or not name:
        raise InputError(f"{where}: expected package.module:name or file.py:name")
    module = import_file(Path(place)) if place.endswith(".py") else _module(place, where)
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is None:
        own = _callables(module)
        near = nearest(name, own)
        cure = f"did you mean {near!r}?" if near else f"it has {', '.join(own[:8])}" if own else "define it there"
        raise InputError(f"{where}: {place!r} has no function {name!r}; {cure}")
    return found


def digest_of_code(found: Any, reference: str) -> bytes:
    """Return a digest of an object's name and of its module's source, or of its reference without a source file."""
    found, name = inspect.unwrap(found), reference.rpartition(":")[2]
    if not inspect.isroutine(found) and not inspect.isclass(found):
        found = type(found)  # a callable instance
    try:
        source = Path(str(inspect.getsourcefile(found))).read_bytes()
    except (TypeError, OSError):
        source = reference.encode()
    return hashlib.sha256(name.encode() + b"\0" + source).digest()


def _module(name: str, where: str) -> Any:
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        file = Path(f"{name.replace('.', '/')}.py")
        cure = f"for the file say '{file}:...'" if file.is_file() else "install it, or name a file: 'file.py:name'"
        said = in_a_line(error)
        raise InputError(f"{where}: module {name!r} does not load ({said}); {cure}") from error


def _callables(module: Any) -> list[str]:
    """Return the names of the callables that a module defines itself."""
    own = vars(module).items()
    return [name for name, value in own if callable(value) and getattr(value, "__module__", "") == module.__name__]


def in_a_line(error: BaseException) -> str:
    """Return the type and the text of an error on one line. Of a long text, return the beginning and the end."""
    text = " ".join(str(error).split())
    text = text if len(text) <= 240 else f"{text[:120]} ... {text[-120:]}"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
