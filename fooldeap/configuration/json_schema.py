"""Build JSON Schemas of the YAML files; editors use them to complete and check keys."""

import inspect
import json
from collections.abc import Mapping
from typing import Any

from pydantic_core import to_jsonable_python

from fooldeap.configuration.checks import keys_of
from fooldeap.configuration.choices import SCHEDULES
from fooldeap.configuration.experiment import CHOICES, LISTS, PlainKeys
from fooldeap.configuration.stopping import Stop
from fooldeap.extensions import FileKind
from fooldeap.parameters import REQUIRED, Parameter
from fooldeap.plugin import KINDS, Plugin
from fooldeap.registry import Registry

DIALECT = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Any]


def experiment(registry: Registry) -> Schema:
    """Return the schema of experiment files; it contains the plugins of the registry."""
    choices: Schema = {kind: {"$ref": f"#/$defs/{kind}"} for kind in CHOICES}
    own: Schema = {
        "base": {
            "type": "string",
            "description": "A file that gives the keys that are missing here; its path is relative to this file.",
        },
        **properties(keys_of(PlainKeys)),
        **choices,
        "dataset": {"anyOf": [choices["dataset"], {"type": "null"}]},
        "stop": mapping(keys_of(Stop), required=False),
        **{key: {"type": "array", "items": {"$ref": f"#/$defs/{kind}"}} for kind, key in LISTS.items()},
    }
    return {
        "$schema": DIALECT,
        "title": "fooldeap experiment",
        "type": "object",
        "properties": own,
        "additionalProperties": False,
        "$defs": {
            **{kind: choice(registry, kind, merged=kind in CHOICES) for kind in KINDS},
            **{
                f"weighted-{name}": choice(registry, name, weighted=True)
                for name, kind in KINDS.items()
                if kind.generational
            },
            "schedule": {"anyOf": [_schedule(name) for name in SCHEDULES]},
        },
    }


def text(schema: Schema) -> str:
    """Return a schema as text, the content of a file."""
    return json.dumps(schema, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def choice(registry: Registry, kind: str, *, merged: bool = False, weighted: bool = False) -> Schema:
    """Return the schema of the name of a plugin, or of a mapping with its name and parameters.

    A mapping that is ``merged`` with the mapping of a base or of the defaults may leave out the name. One that is
    ``weighted`` may have a weight.
    """
    plugins = registry.all(kind)
    mappings = [_plugin(plugin, weighted) for plugin in plugins]
    names = {"enum": [each.name for each in plugins if not _required(each.parameters)]}
    return {"anyOf": [names, *mappings, *([_without_name(mappings)] if merged else [])]}


def _without_name(mappings: list[Schema]) -> Schema:
    """Return the schema of a mapping with parameters of any of the plugins, but without a name."""
    options: dict[str, list[Schema]] = {}
    for schema in mappings:
        for name, each in schema["properties"].items():
            same = options.setdefault(name, [])
            same += [] if each in same else [each]
    properties = {name: {"anyOf": same} for name, same in options.items() if name != "name"}
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _plugin(plugin: Plugin, weighted: bool) -> Schema:
    schema = mapping(plugin.parameters, scheduled=KINDS[plugin.kind].generational)
    schema["properties"]["name"] = {"const": plugin.name, "description": inspect.getdoc(plugin.target) or ""}
    if weighted:
        schema["properties"]["weight"] = {"type": "number", "exclusiveMinimum": 0}
    return {**schema, "required": ["name", *_required(plugin.parameters)]}


def _schedule(name: str) -> Schema:
    keys = keys_of(SCHEDULES[name])
    schema = mapping(keys)
    schema["properties"]["schedule"] = {"const": name, "description": inspect.getdoc(SCHEDULES[name]) or ""}
    return {**schema, "required": ["schedule", *_required(keys)]}


def mapping(parameters: Mapping[str, Parameter], *, scheduled: bool = False, required: bool = True) -> Schema:
    """Return the schema of a mapping with these keys. With ``scheduled``, a schedule may replace a number."""
    schema: Schema = {
        "type": "object",
        "properties": properties(parameters, scheduled=scheduled),
        "additionalProperties": False,
    }
    return {**schema, "required": _required(parameters)} if required else schema


def _required(parameters: Mapping[str, Parameter]) -> list[str]:
    return [name for name, each in parameters.items() if each.default is REQUIRED]


def properties(parameters: Mapping[str, Parameter], *, scheduled: bool = False) -> Schema:
    """Return the schema of each key."""
    return {name: _parameter(each, scheduled) for name, each in parameters.items()}


def _parameter(parameter: Parameter, scheduled: bool) -> Schema:
    if parameter.nested:
        return {"type": "array", "minItems": 1, "items": {"$ref": f"#/$defs/weighted-{parameter.nested}"}}
    schema = dict(parameter.schema)
    if parameter.default is not REQUIRED:
        schema["default"] = to_jsonable_python(parameter.default)
    return {"anyOf": [schema, {"$ref": "#/$defs/schedule"}]} if scheduled and parameter.number else schema


FILE = FileKind("run", (), experiment)
