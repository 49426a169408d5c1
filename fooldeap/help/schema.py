"""Build JSON Schemas of the YAML files; editors use them to complete and check keys."""

import inspect
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic_core import to_jsonable_python

from fooldeap.configuration.checks import keys_of
from fooldeap.configuration.experiment import CHOICES, plain_keys
from fooldeap.configuration.schedules import SCHEDULES
from fooldeap.configuration.stopping import GOALS, Stop
from fooldeap.parameters import REQUIRED, Parameter
from fooldeap.plugin import KINDS, Plugin
from fooldeap.registry import Registry
from fooldeap.retrain.settings import Chain
from fooldeap.training.settings import Training

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Any]


def experiment(registry: Registry) -> Schema:
    """Return the schema of experiment files; it contains the plugins of the registry."""
    choices: Schema = {kind: {"$ref": f"#/$defs/{kind}"} for kind in CHOICES}
    properties = {
        "base": {
            "type": "string",
            "description": "A file that gives the keys that are missing here; its path is relative to this file.",
        },
        **_properties(plain_keys()),
        **choices,
        "dataset": {"anyOf": [choices["dataset"], {"type": "null"}]},
        "stop": _mapping(keys_of(Stop), required=False),
        "reporters": {"type": "array", "items": {"$ref": "#/$defs/reporter"}},
    }
    return {
        "$schema": _DIALECT,
        "title": "fooldeap experiment",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "$defs": {
            **{kind: _choice(registry, kind, merged=kind in CHOICES) for kind in KINDS},
            **{
                f"weighted-{name}": _choice(registry, name, weighted=True)
                for name, kind in KINDS.items()
                if kind.generational
            },
            "schedule": {"anyOf": [_schedule(name) for name in SCHEDULES]},
        },
    }


def study(registry: Registry) -> Schema:
    """Return the schema of study files: the keys of an experiment, and those that describe the variants."""
    schema = experiment(registry)
    varied = [kind for kind in CHOICES if kind != "executor"]
    goal = {name: replace(keys_of(Stop)[name], default=REQUIRED) for name in GOALS}
    own: Schema = {
        "vary": {
            "type": "object",
            "description": "Keys, each with its values; every combination is a variant.",
            "properties": {kind: _options({"$ref": f"#/$defs/{kind}"}) for kind in varied},
            "additionalProperties": _options({}),
        },
        "variants": {
            "type": "object",
            "description": "Variants by name, each with the keys that it changes; keys may be dotted.",
            "additionalProperties": {
                "type": "object",
                "properties": {kind: {"$ref": f"#/$defs/{kind}"} for kind in varied},
            },
        },
        "factors": {
            "type": "object",
            "description": "For each factor, the level of each variant. The factors of a grid need not be given.",
            "additionalProperties": {"type": "object", "additionalProperties": {"type": "string"}},
        },
        "goal": {
            **_mapping(goal, required=False),
            "description": "The goal of each run. The primary endpoint is the evaluations until it is reached.",
        },
        "budget": {
            **keys_of(Stop)["evaluations"].schema,
            "description": "The largest number of evaluations per target.",
        },
        "tried": {
            "type": "string",
            "description": "The variant to compare with each other variant. Without it, all pairs are compared.",
        },
    }
    return {**schema, "title": "fooldeap study", "properties": {**schema["properties"], **own}}


def retraining(registry: Registry) -> Schema:
    """Return the schema of retraining files: the keys of an experiment, and those that describe the training."""
    schema = experiment(registry)
    path = {"type": "string", "description": "The path of a training file, relative to this file; or its content."}
    own: Schema = {**_properties(keys_of(Chain)), "training": {"anyOf": [path, _training()]}}
    return {**schema, "title": "fooldeap retraining", "properties": {**schema["properties"], **own}}


def _options(each: Schema) -> Schema:
    """Return the schema of several values: a list, or a mapping from labels to values."""
    return {
        "anyOf": [
            {"type": "array", "minItems": 1, "items": each},
            {"type": "object", "minProperties": 1, "additionalProperties": each},
        ]
    }


def training(registry: Registry) -> Schema:
    """Return the schema of training files."""
    own = _training()
    return {
        **own,
        "properties": {**own["properties"], **_properties({"plugins": plain_keys()["plugins"]})},
        "$schema": _DIALECT,
        "title": "fooldeap training",
        "$defs": {"dataset": _choice(registry, "dataset")},
    }


def _training() -> Schema:
    schema = _mapping(keys_of(Training))
    return {**schema, "properties": {**schema["properties"], "dataset": {"$ref": "#/$defs/dataset"}}}


def text(schema: Schema) -> str:
    """Return a schema as text, the content of a file."""
    return json.dumps(schema, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _choice(registry: Registry, kind: str, *, merged: bool = False, weighted: bool = False) -> Schema:
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
    schema = _mapping(plugin.parameters, scheduled=KINDS[plugin.kind].generational)
    schema["properties"]["name"] = {"const": plugin.name, "description": inspect.getdoc(plugin.target) or ""}
    if weighted:
        schema["properties"]["weight"] = {"type": "number", "exclusiveMinimum": 0}
    return {**schema, "required": ["name", *_required(plugin.parameters)]}


def _schedule(name: str) -> Schema:
    keys = keys_of(SCHEDULES[name])
    schema = _mapping(keys)
    schema["properties"]["schedule"] = {"const": name, "description": inspect.getdoc(SCHEDULES[name]) or ""}
    return {**schema, "required": ["schedule", *_required(keys)]}


def _mapping(parameters: Mapping[str, Parameter], *, scheduled: bool = False, required: bool = True) -> Schema:
    schema: Schema = {
        "type": "object",
        "properties": _properties(parameters, scheduled=scheduled),
        "additionalProperties": False,
    }
    return {**schema, "required": _required(parameters)} if required else schema


def _required(parameters: Mapping[str, Parameter]) -> list[str]:
    return [name for name, each in parameters.items() if each.default is REQUIRED]


def _properties(parameters: Mapping[str, Parameter], *, scheduled: bool = False) -> Schema:
    return {name: _parameter(each, scheduled) for name, each in parameters.items()}


def _parameter(parameter: Parameter, scheduled: bool) -> Schema:
    if parameter.nested:
        return {"type": "array", "minItems": 1, "items": {"$ref": f"#/$defs/weighted-{parameter.nested}"}}
    schema = dict(parameter.schema)
    if parameter.default is not REQUIRED:
        schema["default"] = to_jsonable_python(parameter.default)
    return {"anyOf": [schema, {"$ref": "#/$defs/schedule"}]} if scheduled and parameter.number else schema
