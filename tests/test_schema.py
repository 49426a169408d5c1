"""The JSON Schemas: as the code has them, and right about every shipped file and many broken ones."""

import json
import re

import pytest
from conftest import ROOT
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from fooldeap import registry, schema

SCHEMAS = {"experiment": schema.experiment(registry.load()), "training": schema.training()}
CONFIGS = sorted((ROOT / "configs").rglob("*.yaml"))
BROKEN = YAML(typ="safe").load((ROOT / "tests/broken_configurations.yaml").read_text())


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_shipped_schema_is_what_the_command_prints(name):
    assert (ROOT / f"configs/schemas/{name}.json").read_text() == schema.text(SCHEMAS[name]), (
        f"run: fooldeap schema {'--training ' * (name == 'training')}> configs/schemas/{name}.json"
    )
    Draft202012Validator.check_schema(json.loads(schema.text(SCHEMAS[name])))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_shipped_file_names_its_schema_and_keeps_to_it(path):
    named = re.match(r"# yaml-language-server: \$schema=(\S+)\n", path.read_text())
    found = json.loads((path.parent / named[1]).read_text())
    Draft202012Validator(found).validate(YAML(typ="safe").load(path.read_text()))


@pytest.mark.parametrize(
    "text",
    [
        "mutation: {name: random_pixels, rate: 2}",
        "mutation: {name: random_pixels, sigma: 2}",
        "mutation: {name: random_pixels, rate: {schedule: linear, start: 0.1}}",
        "mutation: mixed",
        "mutation: {name: mixed, of: []}",
        "mutaton: random_pixels",
        "stop: {confidence: 1.5}",
        "targets: [-1]",
        "reporters: console",
    ],
)
def test_what_is_wrong_is_seen(text):
    assert not Draft202012Validator(SCHEMAS["experiment"]).is_valid(YAML(typ="safe").load(text))


@pytest.mark.parametrize(
    "text",
    [
        "mutation: {name: random_pixels, rate: {schedule: halving, start: 0.1, every: 5}}",
        "mutation: {name: mixed, of: [block, {name: creep, weight: 2}]}",
        "dataset: null",
        "targets: [1, 2]",
        "{}",
    ],
)
def test_what_is_right_is_taken(text):
    Draft202012Validator(SCHEMAS["experiment"]).validate(YAML(typ="safe").load(text))


def test_there_are_sixty_broken_files():
    assert len(BROKEN) >= 60
