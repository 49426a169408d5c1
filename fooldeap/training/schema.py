"""The JSON Schema of training files."""

from fooldeap.configuration.checks import keys_of
from fooldeap.configuration.experiment import PlainKeys
from fooldeap.configuration.json_schema import DIALECT, Schema, choice, mapping, properties
from fooldeap.extensions import FileKind
from fooldeap.registry import Registry
from fooldeap.training.settings import Training


def schema(registry: Registry) -> Schema:
    """Return the schema."""
    own = training()
    return {
        **own,
        "properties": {**own["properties"], **properties({"plugins": keys_of(PlainKeys)["plugins"]})},
        "$schema": DIALECT,
        "title": "fooldeap training",
        "$defs": {"dataset": choice(registry, "dataset")},
    }


def training() -> Schema:
    """Return the schema of the keys of a training, for a file in which they are nested."""
    keys = mapping(keys_of(Training))
    return {**keys, "properties": {**keys["properties"], "dataset": {"$ref": "#/$defs/dataset"}}}


FILE = FileKind("train", ("layers", "epochs"), schema)
