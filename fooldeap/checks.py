"""Holds what a document says against parameters, gathering every mistake before it gives up."""

import functools
import re
import typing
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fooldeap.document import Document, Key
from fooldeap.errors import InputError, did_you_mean
from fooldeap.parameters import REQUIRED, Parameter, parameters_of, shown
from fooldeap.plugin import Plugin
from fooldeap.registry import Registry


@dataclass(frozen=True)
class Choice:
    """A plugin with the values of its parameters, as configured."""

    plugin: Plugin
    values: Mapping[str, Any]

    def build(self, *given: Any) -> Any:
        """Return the plugin ready for calls, see `Plugin.build`."""
        return self.plugin.build(self.values, *given)

    def data(self) -> dict[str, Any]:
        """Return the choice as YAML has it."""
        return {"name": self.plugin.name, **self.values}


class Checker:
    """Checks mappings of plain values and choices of plugins; `finish` raises what was found."""

    def __init__(self, document: Document, registry: Registry) -> None:
        self.document, self.registry = document, registry
        self.problems: list[str] = []

    def finish(self) -> None:
        """Raise `InputError` if anything was wrong: a line for each mistake, in the order of the file."""
        if self.problems:
            raise InputError("\n".join(sorted(self.problems, key=_position)))

    def values(
        self,
        parameters: Mapping[str, Parameter],
        data: Mapping[str, Any],
        path: Key,
        also: Iterable[str] = (),
    ) -> dict[str, Any]:
        """Return the checked values of a mapping, defaults filled in."""
        for key in data:
            if key not in parameters:
                self.problem((*path, key), f"unknown key{_hint(key, path, [*parameters, *also])}", at_key=True)
        values: dict[str, Any] = {}
        for name, parameter in parameters.items():
            if name not in data and parameter.default is REQUIRED:
                self.problem((*path, name), f"is missing; expected {parameter.expected}")
                continue
            try:
                values[name] = self.value(parameter, data, (*path, name))
            except ValueError as error:
                self.problem((*path, name), str(error) if name in data else f"its default will not do: {error}")
        return values

    def value(self, parameter: Parameter, data: Mapping[str, Any], path: Key) -> Any:
        """Return a parameter's value, or its default, as its type has it."""
        value = data.get(parameter.name, parameter.default)
        if _takes_file(parameter.annotation) and isinstance(value, str) and parameter.name in data:
            near = self.document.folders.get(path, Path.cwd()) / value
            value = str(near.resolve()) if near.is_file() else value
        return parameter.parse(value)

    def choice(self, kind: str, data: Any, path: Key) -> Choice | None:
        """Return a plugin with its parameters from ``name`` or ``{name: ..., parameter: ...}``."""
        if kind == "dataset" and data is None:
            return None
        given = dict(data) if isinstance(data, dict) else {"name": data}
        name = given.pop("name", None)
        at_name = (*path, "name") if isinstance(data, dict) and "name" in data else path
        if not isinstance(name, str):
            names = ", ".join(plugin.name for plugin in self.registry.all(kind))
            got = shown(data if at_name == path else name)
            self.problem(
                at_name, f"got {got}, expected {_a(kind)} ({names}), or a mapping with its name and parameters"
            )
            return None
        try:
            plugin = self.registry.get(kind, name)
        except InputError as error:
            self.problem(at_name, str(error))
            return None
        return Choice(plugin, self.values(plugin.parameters, given, path))

    def problem(self, path: Key, message: str, *, at_key: bool = False) -> None:
        """Note a mistake."""
        self.problems.append(self.document.line(path, message, at_key=at_key))


def _position(line: str) -> tuple[str, int, int]:
    """Return file, line and column of a message, for the order in which a reader of the file meets them."""
    found = re.match(r"(.*?):(\d+):(\d+): ", line)
    return (found[1], int(found[2]), int(found[3])) if found else ("", 0, 0)


def _hint(key: str, path: Key, known: Collection[str]) -> str:
    """Return the cure for an unknown key."""
    first, colon, rest = key.partition(":")
    if colon:
        return f"; put a space after the colon: '{first}: {rest}'"
    first, dot, rest = key.partition(".")
    if dot:
        return f"; dots are for the command line, here it is '{first}: {{{rest}: ...}}'"
    if key == "base" and not path:
        return "; 'base' belongs in a file"
    return did_you_mean(key, known) if known else "; there are none here, remove it"


def _a(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


@functools.cache
def keys_of(target: Callable[..., Any]) -> dict[str, Parameter]:
    """Return the keys that a mapping may have: the keyword-only fields of a dataclass."""
    return parameters_of(target)


def _takes_file(annotation: Any) -> bool:
    nested = typing.get_args(annotation)
    return "file" in getattr(annotation, "__metadata__", ()) or any(map(_takes_file, nested))
