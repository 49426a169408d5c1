"""The JSON Schema of retraining files."""

from fooldeap.configuration.checks import keys_of
from fooldeap.configuration.json_schema import Schema, experiment, properties
from fooldeap.registry import Registry
from fooldeap.retrain.settings import Chain
from fooldeap.training.schema import training


def schema(registry: Registry) -> Schema:
    """Return the schema: the keys of an experiment, and those that describe the training."""
    base = experiment(registry)
    path = {"type": "string", "description": "The path of a training file, relative to this file; or its content."}
    own: Schema = {**properties(keys_of(Chain)), "training": {"anyOf": [path, training()]}}
    return {**base, "title": "fooldeap retraining", "properties": {**base["properties"], **own}}
