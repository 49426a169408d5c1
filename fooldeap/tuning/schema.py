"""The JSON Schema of tuning files."""

from dataclasses import replace

from fooldeap.configuration.checks import keys_of
from fooldeap.configuration.json_schema import Schema, properties
from fooldeap.registry import Registry
from fooldeap.study import schema as study
from fooldeap.study.variants import KEYS
from fooldeap.tuning.settings import SHARED, InstanceKeys, TuningKeys

_CONDITION: Schema = {
    "type": "object",
    "description": "The choices of other keys for which this key is searched.",
    "additionalProperties": {"type": ["string", "array"], "items": {"type": "string"}},
}
_CHOICES: Schema = {"type": "array", "minItems": 2, "description": "The values to choose from."}
_PARAMETER: Schema = {
    "anyOf": [
        _CHOICES,
        {
            "type": "object",
            "properties": {
                "from": {"type": "number", "description": "The smallest value."},
                "to": {"type": "number", "description": "The largest value. Two integers give integers."},
                "log": {"type": "boolean", "description": "Whether the scale is logarithmic.", "default": False},
                "when": _CONDITION,
            },
            "required": ["from", "to"],
            "additionalProperties": False,
        },
        {
            "type": "object",
            "properties": {"choices": _CHOICES, "when": _CONDITION},
            "required": ["choices"],
            "additionalProperties": False,
        },
    ]
}
_SEARCH: Schema = {
    "type": "object",
    "description": "The keys to search, each with a range or with choices; keys are dotted.",
    "minProperties": 1,
    "additionalProperties": _PARAMETER,
}


def schema(registry: Registry) -> Schema:
    """Return the schema: the keys of an experiment, goal and budget of a study, and those that describe the search."""
    whole = study.schema(registry)
    experiment = {key: each for key, each in whole["properties"].items() if key not in KEYS or key in SHARED}
    own = properties(keys_of(TuningKeys))
    own["images"]["description"] = "The largest number of images that the search for a strategy shows."
    own["block"]["description"] = "The number of runs after which a configuration is compared with the best one."
    keys = {name: replace(each, default=None) for name, each in keys_of(InstanceKeys).items()}
    instances: Schema = {
        "type": "object",
        "properties": {
            "classifiers": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/classifier"}},
            **properties(keys),
        },
        "additionalProperties": False,
    }
    strategy = {"type": "object", "properties": {"search": _SEARCH}, "required": ["search"]}
    own |= {
        "search": _SEARCH,
        "strategies": {
            "type": "object",
            "description": "Several strategies, each with changes of the experiment and a search space of its own.",
            "minProperties": 2,
            "additionalProperties": strategy,
        },
        "instances": {**instances, "description": "The runs by which configurations are compared."},
        "unseen": {
            "type": "object",
            "description": "Sets of runs by name, on which the best configuration is compared with the initial one.",
            "additionalProperties": instances,
        },
    }
    return {**whole, "title": "fooldeap tuning", "properties": {**experiment, **own}}
