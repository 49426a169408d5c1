"""Finds what installed packages add to fooldeap: plugins, commands, kinds of folders and JSON Schemas.

A package registers each of them as an entry point. fooldeap registers its own in the same way, see ``setup.cfg``.

============================= ============================================================================
group                         value
============================= ============================================================================
``fooldeap.plugins``          a module or package with plugins, see `fooldeap.registry`
``fooldeap.commands``         a command: a function with the annotations of Typer, or a `typer.Typer`
``fooldeap.folders``          a kind of folder: a `fooldeap.result_tools.kinds.FolderKind`
``fooldeap.files``            a kind of YAML file: a `FileKind`
``fooldeap.runners``          what ``fooldeap run`` does with more than one experiment: a `Runner`
============================= ============================================================================
"""

import functools
import importlib.metadata
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from fooldeap.errors import InputError

_PACKAGE = re.compile(r"fooldeap\.\w+")


class FileKind(NamedTuple):
    """A kind of YAML file: the command that reads it, keys that only it has, and its JSON Schema.

    ``schema`` is a function of a `fooldeap.registry.Registry`.
    """

    command: str
    keys: tuple[str, ...]
    schema: Callable[[Any], dict[str, Any]]


class Runner(NamedTuple):
    """What ``fooldeap run`` does if its arguments describe more than one experiment.

    ``takes`` is a function of the YAML file or None, the overrides, and the folder to resume or None. It returns
    whether the arguments are for ``run``, which gets all options of the command.
    """

    takes: Callable[[Path | None, list[str], Path | None], bool]
    run: Callable[..., None]


def load(group: str) -> Iterator[tuple[str, Any]]:
    """Yield the name and the value of each entry point of a group, in the order of the names.

    If a package of fooldeap was removed, what it and the packages that need it registered is left out.

    Raises
    ------
    InputError
        A value cannot be imported.
    """
    for entry in _entries(group):
        try:
            value = entry.load()
        except Exception as error:
            if isinstance(error, ModuleNotFoundError) and _PACKAGE.fullmatch(error.name or ""):
                continue
            text = str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
            package = entry.dist.name if entry.dist else "?"
            message = f"{group} {entry.name!r} of package {package} ({entry.value}) does not load: {text}"
            raise InputError(message) from error
        yield entry.name, value


@functools.cache
def _entries(group: str) -> list[importlib.metadata.EntryPoint]:
    """Return the entry points of a group, sorted by name. Finding them takes about a millisecond."""
    return sorted(importlib.metadata.entry_points(group=group), key=lambda entry: entry.name)
