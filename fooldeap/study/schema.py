"""The JSON Schema of study files."""

from dataclasses import replace

from fooldeap.configuration.checks import keys_of
from fooldeap.configuration.experiment import CHOICES
from fooldeap.configuration.json_schema import Schema, experiment, mapping
from fooldeap.configuration.stopping import GOALS, Stop
from fooldeap.parameters import REQUIRED
from fooldeap.registry import Registry


def schema(registry: Registry) -> Schema:
    """Return the schema: the keys of an experiment, and those that describe the variants."""
    base = experiment(registry)
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
            **mapping(goal, required=False),
            "description": "The goal of each run. The primary endpoint is the evaluations until it is reached.",
        },
        "budget": {
            **keys_of(Stop)["evaluations"].schema,
            "description": "The largest number of evaluations per target.",
        },
        "candidate": {
            "type": "string",
            "description": "The variant to compare with each other variant. Without it, all pairs are compared.",
        },
    }
    return {**base, "title": "fooldeap study", "properties": {**base["properties"], **own}}


def _options(each: Schema) -> Schema:
    """Return the schema of several values: a list, or a mapping from labels to values."""
    return {
        "anyOf": [
            {"type": "array", "minItems": 1, "items": each},
            {"type": "object", "minProperties": 1, "additionalProperties": each},
        ]
    }
