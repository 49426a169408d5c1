"""Keyword-only parameters with types and defaults are a schema: read it, check values against it, say it in words.

One mechanism serves the parameters of every plugin and the keys of the experiment file itself.
"""

import inspect
import json
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic import ConfigDict, PydanticUserError, TypeAdapter, ValidationError

from fooldeap.errors import InputError

REQUIRED: Any = inspect.Parameter.empty
_STRICT = ConfigDict(strict=True, allow_inf_nan=False)


@dataclass(frozen=True)
class Parameter:
    """One keyword-only parameter: its name, its type with its range, its default (or ``REQUIRED``)."""

    name: str
    annotation: Any
    default: Any = REQUIRED

    @cached_property
    def _adapter(self) -> TypeAdapter[Any]:
        # A dataclass or model carries its own configuration and refuses a second one.
        try:
            return TypeAdapter(self.annotation, config=_STRICT)
        except PydanticUserError:
            return TypeAdapter(self.annotation)

    @cached_property
    def schema(self) -> dict[str, Any]:
        """The JSON Schema of the values."""
        return self._adapter.json_schema()

    @property
    def expected(self) -> str:
        """The values that are accepted, in words: ``"a number > 0 and <= 1"``."""
        return in_words(self.schema)

    def parse(self, value: Any) -> Any:
        """Return ``value`` as the annotated type. Strict: no text for numbers; a list will do for a tuple.

        Raises
        ------
        ValueError
            With the accepted values in words.
        """
        try:
            # Through JSON, because that is pydantic's strict mode that still takes a list for a tuple.
            return self._adapter.validate_json(json.dumps(value))
        except (ValidationError, TypeError):
            raise ValueError(f"got {shown(value)}, expected {self.expected}") from None


def parameters_of(target: Callable[..., Any]) -> dict[str, Parameter]:
    """Read the keyword-only parameters of a function or dataclass.

    Raises
    ------
    InputError
        A parameter without a type, which could not be checked, or with a mutable default.
    """
    function = target.__init__ if isinstance(target, type) else target  # type: ignore[misc]
    hints = typing.get_type_hints(function, include_extras=True)
    parameters = {}
    for name, parameter in inspect.signature(target).parameters.items():
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            continue
        if name not in hints:
            raise InputError(f"parameter {name!r} has no type; write for example '{name}: float = 0.1'")
        if isinstance(parameter.default, list | dict | set):
            raise InputError(f"parameter {name!r} has a mutable default; use a tuple or None")
        parameters[name] = Parameter(name, hints[name], parameter.default)
    return parameters


def shown(value: Any) -> str:
    """Return a value as a message shows it: as YAML would have it, and short."""
    text = json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= 60 else text[:57] + "..."


def in_words(schema: Mapping[str, Any]) -> str:
    """Return a JSON Schema in words, as far as parameter types use it."""
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(in_words(option) for option in schema["anyOf"]))
    if "const" in schema:
        return shown(schema["const"])
    if "enum" in schema:
        return "one of " + ", ".join(map(str, schema["enum"]))
    kind = schema.get("type")
    if kind in ("integer", "number"):
        return _range_in_words("an integer" if kind == "integer" else "a number", schema)
    if kind == "array":
        return _array_in_words(schema)
    if kind == "string" and "pattern" in schema:
        return str(schema.get("description", f"text matching {schema['pattern']}"))
    words = {"string": "text", "boolean": "true or false", "null": "null", "object": "a mapping"}
    return words.get(str(kind), "another value")


def _range_in_words(noun: str, schema: Mapping[str, Any]) -> str:
    signs = {"exclusiveMinimum": ">", "minimum": ">=", "exclusiveMaximum": "<", "maximum": "<="}
    bounds = [f"{sign} {schema[key]:g}" for key, sign in signs.items() if key in schema]
    return " ".join([noun, " and ".join(bounds)]).strip()


def _array_in_words(schema: Mapping[str, Any]) -> str:
    if "prefixItems" in schema:
        return "a list of " + ", ".join(in_words(item) for item in schema["prefixItems"])
    least = f" of at least {schema['minItems']}" if schema.get("minItems") else ""
    items = in_words(schema.get("items", {}))
    return f"a list{least}, each {items}"
