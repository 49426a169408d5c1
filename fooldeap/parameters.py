"""Keyword-only parameters with types and defaults as a schema: reads it, checks values, describes it in words.

The same code handles the parameters of every plugin and the keys of the experiment file.
"""

import inspect
import json
import math
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cached_property
from typing import Any

from pydantic import ConfigDict, PydanticInvalidForJsonSchema, PydanticUserError, TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError
from pydantic_core import PydanticSerializationError, to_jsonable_python

from fooldeap.errors import InputError

REQUIRED: Any = inspect.Parameter.empty
_STRICT = ConfigDict(strict=True, allow_inf_nan=False)


@dataclass(frozen=True)
class Nested:
    """Marks a parameter that is a list of plugins of one kind, with weights."""

    kind: str


@dataclass(frozen=True)
class Parameter:
    """One keyword-only parameter: its name, its type with its range, and its default (or ``REQUIRED``)."""

    name: str
    annotation: Any
    default: Any = REQUIRED

    @cached_property
    def _adapter(self) -> TypeAdapter[Any]:
        # A dataclass or model has its own configuration and does not accept another.
        try:
            return TypeAdapter(self.annotation, config=_STRICT)
        except PydanticUserError:
            return TypeAdapter(self.annotation)

    @cached_property
    def schema(self) -> dict[str, Any]:
        """The JSON Schema of the values, without references."""
        found = self._adapter.json_schema()
        schema: dict[str, Any] = _inlined(found, found.pop("$defs", {}))
        return schema

    @property
    def expected(self) -> str:
        """The accepted values in words: ``"a number > 0 and <= 1"``."""
        if self.nested:
            return f"a list of {self.nested}s, each a name, or a mapping with name, parameters and optional weight"
        return in_words(self.schema)

    @property
    def nested(self) -> str | None:
        """The kind of plugins if the parameter is a list of plugins, else None."""
        marks = (mark.kind for mark in getattr(self.annotation, "__metadata__", ()) if isinstance(mark, Nested))
        return next(marks, None)

    @property
    def number(self) -> str | None:
        """``"integer"`` or ``"number"`` if the values are numbers (or null), else None."""
        kinds = {option.get("type") for option in self.schema.get("anyOf", [self.schema])} - {"null"}
        return next((kind for kind in ("integer", "number") if kinds == {kind}), None)

    def parse(self, value: Any) -> Any:
        """Return ``value`` as the annotated type. Text is not accepted as a number; a list is accepted as a tuple.

        Raises
        ------
        ValueError
            The value is invalid. The message describes the accepted values.
        """
        try:
            # Use JSON: pydantic's strict mode for JSON still accepts a list as a tuple.
            return self._adapter.validate_json(json.dumps(value, default=to_jsonable_python))
        except (ValidationError, TypeError, PydanticSerializationError):
            expected = self.expected
            if isinstance(value, float) and not math.isfinite(value):
                expected = expected.replace("a number", "a finite number")
            raise ValueError(f"got {shown(value)}, expected {expected}") from None


def parameters_of(target: Callable[..., Any]) -> dict[str, Parameter]:
    """Return the keyword-only parameters of a function or dataclass.

    Raises
    ------
    InputError
        A parameter has no type, a type without values in YAML, or an invalid or mutable default. Or it has a default
        but is not keyword-only.
    """
    function = target.__init__ if isinstance(target, type) else target  # type: ignore[misc]
    hints = typing.get_type_hints(function, include_extras=True)
    made = {each.name for each in fields(target) if each.default_factory is not MISSING} if is_dataclass(target) else ()
    parameters = {}
    for name, parameter in inspect.signature(target).parameters.items():
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            if parameter.default is not REQUIRED:
                cure = "put '_: KW_ONLY' above it" if isinstance(target, type) else "put '*' before it"
                raise InputError(f"parameter {name!r} has a default but is not keyword-only; {cure}")
            continue
        if name not in hints:
            raise InputError(f"parameter {name!r} has no type; write for example '{name}: float = 0.1'")
        if name in made or isinstance(parameter.default, list | dict | set):
            raise InputError(f"parameter {name!r} has a mutable default; use a tuple or None")
        parameters[name] = Parameter(name, hints[name], parameter.default)
        _check(parameters[name])
    return parameters


def _check(parameter: Parameter) -> None:
    """Check that a parameter's type has a schema and that its default is valid."""
    try:
        if parameter.schema and parameter.default is not REQUIRED and not parameter.nested:
            parameter.parse(parameter.default)
    except (PydanticSchemaGenerationError, PydanticInvalidForJsonSchema):
        raise InputError(
            f"parameter {parameter.name!r}: got the type {inspect.formatannotation(parameter.annotation)}, "
            "expected a type with values in YAML; use numbers, text, lists or mappings of them"
        ) from None
    except ValueError as error:
        raise InputError(f"parameter {parameter.name!r}: invalid default: {error}") from None


def _inlined(schema: Any, definitions: Mapping[str, Any]) -> Any:
    """Return a schema with references replaced by their definitions. Recursive definitions become "any value"."""
    if isinstance(schema, list):
        return [_inlined(each, definitions) for each in schema]
    if not isinstance(schema, dict):
        return schema
    own = {key: _inlined(each, definitions) for key, each in schema.items() if key != "$ref"}
    if "$ref" not in schema:
        return own
    name = schema["$ref"].removeprefix("#/$defs/")
    others = {key: each for key, each in definitions.items() if key != name}
    return {**_inlined(definitions.get(name, {}), others), **own}


def shown(value: Any) -> str:
    """Return a value for a message: in YAML notation, printable and short."""
    if isinstance(value, float) and not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    text = json.dumps(value, ensure_ascii=False, default=repr)
    if not text.isprintable():
        text = json.dumps(value, default=repr)
    return text if len(text) <= 60 else text[:57] + "..."


def in_words(schema: Mapping[str, Any]) -> str:
    """Return a JSON Schema in words. It supports the features that parameter types use."""
    if "anyOf" in schema:
        options = sorted(schema["anyOf"], key=lambda option: option.get("type") == "array")  # "each ..." is last
        *others, last = dict.fromkeys(map(in_words, options))
        return f"{', '.join(others)} or {last}" if others else last
    if "const" in schema:
        return shown(schema["const"])
    if "enum" in schema:
        return "one of " + ", ".join(each if isinstance(each, str) else shown(each) for each in schema["enum"])
    kind = schema.get("type")
    if kind in ("integer", "number"):
        return _range_in_words("an integer" if kind == "integer" else "a number", schema)
    if kind == "array":
        return _array_in_words(schema)
    if kind == "string":
        return _text_in_words(schema)
    words = {"boolean": "true or false", "null": "null", "object": "a mapping"}
    return words.get(str(kind), "any value")


def _range_in_words(noun: str, schema: Mapping[str, Any]) -> str:
    signs = {"exclusiveMinimum": ">", "minimum": ">=", "exclusiveMaximum": "<", "maximum": "<="}
    bounds = [f"{sign} {schema[key]:.15g}" for key, sign in signs.items() if key in schema]
    return " ".join([noun, " and ".join(bounds)]).strip()


def _array_in_words(schema: Mapping[str, Any]) -> str:
    parts = schema.get("prefixItems")
    if parts is not None:
        if all("const" in part for part in parts):
            return shown([part["const"] for part in parts])
        words = [in_words(part) for part in parts]
        return f"a list of {len(words)}: {', '.join(words)}"
    least, most = schema.get("minItems", 0), schema.get("maxItems")
    size = f" of {least} to {most}" if most is not None else f" of at least {least}" if least else ""
    return f"a list{size}, each {in_words(schema.get('items', {}))}"


def _text_in_words(schema: Mapping[str, Any]) -> str:
    if "pattern" in schema:
        return str(schema.get("description", f"text matching {schema['pattern']}"))
    least = schema.get("minLength", 0)
    return f"text of at least {least} character{'s' * (least > 1)}" if least else "text"
