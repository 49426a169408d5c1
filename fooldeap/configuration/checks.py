"""Checks a document against parameters, and collects every mistake before it raises an error."""

import functools
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Gt

from fooldeap import extensions
from fooldeap.configuration.choices import SCHEDULES, Choice, Schedule, Weighted, literals, marked
from fooldeap.configuration.document import Document, Key, Position
from fooldeap.errors import InputError, did_you_mean
from fooldeap.parameters import REQUIRED, Parameter, parameters_of, shown
from fooldeap.plugin import KINDS
from fooldeap.registry import Registry

_WEIGHT = Parameter("weight", Annotated[float, Gt(0)], 1.0)
_PATHS = {"file": Path.is_file, "directory": Path.is_dir}  # types of text that may be a path
MOST_TOLD = 50  # mistakes in one error
_SCHEDULED = [kind.name for kind in KINDS.values() if kind.generational]


class _Told(ValueError):
    """A value is missing or invalid, and its mistakes are already recorded."""


class Checker:
    """Checks mappings of plain values and choices of plugins. `finish` raises the collected mistakes.

    ``generations`` is the last generation. Schedules must give valid values until then.
    """

    generations = 0

    def __init__(self, document: Document, registry: Registry) -> None:
        self.document, self.registry = document, registry
        self.problems: list[tuple[Position, InputError]] = []

    def finish(self) -> None:
        """Raise `InputError` if there were mistakes: one line for each mistake, in the order of the file."""
        if self.problems:
            in_order = sorted(self.problems, key=lambda problem: (problem[0].line > 0, problem[0]))
            lines = [str(error) for _, error in in_order[:MOST_TOLD]]
            more = len(in_order) - len(lines)
            raise InputError("\n".join([*lines, *([f"and {more} more mistakes"] if more else [])]))

    def values(
        self,
        parameters: Mapping[str, Parameter],
        data: Mapping[str, Any],
        path: Key,
        also: Iterable[str] = (),
        *,
        scheduled: bool = False,
    ) -> dict[str, Any]:
        """Return the checked values of a mapping, with defaults filled in.

        With ``scheduled``, numbers may be schedules.
        """
        for key in data:
            if key not in parameters:
                hint = self.cannot_start() if (*path, key) == ("genome", "start") else None
                hint = hint or _hint(key, path, [*parameters, *also])
                self.problem((*path, key), f"unknown key{hint}", at_key=True)
        values: dict[str, Any] = {}
        for name, parameter in parameters.items():
            if name not in data and parameter.default is REQUIRED:
                self.problem((*path, name), f"is missing; expected {parameter.expected}")
                continue
            try:
                values[name] = self.value(parameter, data, (*path, name), scheduled=scheduled)
            except _Told:
                continue
            except ValueError as error:
                self.problem((*path, name), str(error))
        return values

    def value(self, parameter: Parameter, data: Mapping[str, Any], path: Key, *, scheduled: bool = False) -> Any:
        """Return a parameter's value, or its default, converted to its type.

        Raises
        ------
        ValueError
            The value is invalid.
        """
        value = data.get(parameter.name, parameter.default)
        if parameter.nested:
            return self.weighted(parameter, value, path)
        if isinstance(value, dict) and scheduled and parameter.number:
            return self.schedule(parameter, value, path)
        if isinstance(value, str) and parameter.name in data and value not in literals(parameter.annotation):
            folder = self.document.place(path).folder
            near = folder / value
            file, _, name = value.rpartition(":")
            if marked(parameter.annotation, "code") and file and (folder / file).is_file():
                value = f"{(folder / file).resolve()}:{name}"
            if any(marked(parameter.annotation, marker) and exists(near) for marker, exists in _PATHS.items()):
                value = str(near.resolve())
        try:
            return parameter.parse(value)
        except ValueError as error:
            schedule = isinstance(value, dict) and "schedule" in value
            cure = f"; only numbers of {', '.join(_SCHEDULED)} can follow a schedule" if schedule else ""
            raise ValueError(f"{error}{cure}") from None

    def choice(self, kind: str, data: Any, path: Key) -> Choice | None:
        """Return a plugin with its parameters, from ``name`` or ``{name: ..., parameter: ...}``.

        Return None if there is a mistake.
        """
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
        return Choice(plugin, self.values(plugin.parameters, given, path, scheduled=KINDS[kind].generational))

    def weighted(self, parameter: Parameter, data: Any, path: Key) -> Any:
        """Return several choices of one kind with optional weights, as a tuple of `Weighted`."""
        if not isinstance(data, list) or not data:
            raise ValueError(f"got {shown(data)}, expected {parameter.expected}")
        found = []
        for index, item in enumerate(data):
            given = dict(item) if isinstance(item, dict) else item
            weight = {"weight": given.pop("weight")} if isinstance(given, dict) and "weight" in given else {}
            choice = self.choice(str(parameter.nested), given, (*path, index))
            weights = self.values({"weight": _WEIGHT}, weight, (*path, index))
            found += [Weighted(choice, **weights)] if choice else []
        if len(found) < len(data):
            raise _Told
        return tuple(found)

    def schedule(self, parameter: Parameter, data: Mapping[str, Any], path: Key) -> Any:
        """Return a schedule of a number. All its values must be valid for the parameter."""
        given = dict(data)
        name = given.pop("schedule", None)
        if not isinstance(name, str) or name not in SCHEDULES:
            raise ValueError(
                f"got {shown(data)}, expected {parameter.expected}, or a schedule: "
                f"{{schedule: one of {', '.join(SCHEDULES)}, ...}}"
            )
        keys, before = keys_of(SCHEDULES[name]), len(self.problems)
        values = self.values(keys, given, path)
        if len(self.problems) > before:
            raise _Told
        schedule = Schedule(name, values, integer=parameter.number == "integer")
        optional = [f"; add {key!r}" for key, each in keys.items() if each.default is not REQUIRED and key not in given]
        # Schedules are monotonic, so their extremes are the first and the last value.
        for generation, cure in ((0, ""), (self.generations, "".join(optional))):
            try:
                parameter.parse(schedule.at(generation))
            except ValueError as error:
                raise ValueError(f"in generation {generation}, {error}{cure}") from None
        return schedule

    def cannot_start(self) -> str:
        """Return the cure if a genome without the parameter ``start`` should start from images."""
        able = [each.name for each in self.registry.all("genome") if "start" in each.parameters]
        return f"; this genome cannot represent given images; choose one that can: {', '.join(able)}"

    def problem(self, path: Key, message: str, *, at_key: bool = False) -> None:
        """Record a mistake."""
        error = self.document.error(path, message, at_key=at_key)
        self.problems.append((self.document.place(path, at_key=at_key), error))


def _hint(key: str, path: Key, known: Collection[str]) -> str:
    """Return the cure for an unknown key."""
    first, colon, rest = key.partition(":")
    if colon:
        return f"; put a space after the colon: '{first}: {rest}'"
    first, dot, rest = key.partition(".")
    if dot:
        return f"; write '{first}: {{{rest}: ...}}' (dotted keys work only on the command line)"
    if key == "base" and not path:
        return "; 'base' works only in a file"
    kinds = [kind for _, kind in extensions.load("fooldeap.files")] if not path else []
    commands = [kind.command for kind in kinds if key in kind.keys]
    if commands:
        return f"; files with this key are for 'fooldeap {commands[0]}'"
    return did_you_mean(key, known) if known else ", expected none; remove it"


def _a(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


keys_of = functools.cache(parameters_of)  # the possible keys of a mapping: the keyword-only fields of a dataclass
