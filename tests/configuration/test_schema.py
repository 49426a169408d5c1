"""The JSON Schemas: the shipped schemas are current, accept every shipped file, and reject broken files."""

import json
import math
import re
from enum import Enum

import pytest
from helpers.experiments import ROOT
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from fooldeap import extensions, registry
from fooldeap.configuration import config
from fooldeap.configuration import json_schema as schema
from fooldeap.errors import InputError
from fooldeap.help import catalogue
from fooldeap.plugin import mutation, plugin_of

SCHEMAS = {name: kind.schema(registry.load()) for name, kind in extensions.load("fooldeap.files")}
CONFIGS = sorted((ROOT / "configs").rglob("*.yaml"))
BROKEN = YAML(typ="safe").load((ROOT / "tests/configuration/broken_configurations.yaml").read_text())


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_shipped_schema_is_current(name):
    assert (ROOT / f"configs/schemas/{name}.json").read_text() == schema.text(SCHEMAS[name]), (
        f"run: fooldeap schema {name} > configs/schemas/{name}.json"
    )
    Draft202012Validator.check_schema(json.loads(schema.text(SCHEMAS[name])))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_shipped_file_names_its_schema_and_is_valid(path):
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
        "reporters: [{every: 3}]",
        "mutation: {rate: 2}",
        "mutation: {rat: 0.1}",
    ],
)
def test_an_invalid_file_is_rejected(text):
    assert not Draft202012Validator(SCHEMAS["experiment"]).is_valid(YAML(typ="safe").load(text))


@pytest.mark.parametrize(
    "text",
    [
        "mutation: {name: random_pixels, rate: {schedule: halving, start: 0.1, every: 5}}",
        "mutation: {name: mixed, of: [block, {name: creep, weight: 2}]}",
        "dataset: null",
        "targets: [1, 2]",
        "classifier: {model: mnist_lenet}",
        "mutation: {rate: 0.05}",
        "mutation: {rate: {schedule: constant, value: 0.1}}",
        "{}",
    ],
)
def test_a_valid_file_is_accepted(text):
    Draft202012Validator(SCHEMAS["experiment"]).validate(YAML(typ="safe").load(text))


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda page: page.stem)
def test_the_examples_in_the_docs_are_valid(page):
    for text in re.findall(r"^```yaml\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL):
        found = YAML(typ="safe").load(text)
        if {"plugins", "layers"} & set(found):
            continue  # it has its own plugins, or is a training file
        kinds = {"tuning": {"search", "strategies"}, "study": {"vary", "variants"}, "sweep": {"sweep"}}
        named = next((kind for kind, keys in kinds.items() if keys & set(found)), "experiment")
        Draft202012Validator(SCHEMAS[named]).validate(found)


class Colour(Enum):
    """A type that pydantic would put into ``$defs``."""

    RED = "red"
    BLUE = "blue"


def test_a_parameter_may_have_an_enum_type():
    @mutation("tinted")
    def tinted(genomes, rng, *, colour: Colour | None = Colour.RED):
        """Tint."""
        return genomes

    plugins = registry.load([tinted])
    found = Draft202012Validator(json.loads(schema.text(schema.experiment(plugins))))
    for text, right in (("red", True), ("blue", True), ("green", False)):
        assert found.is_valid({"mutation": {"name": "tinted", "colour": text}}) == right
    assert plugin_of(tinted).parameters["colour"].expected == "one of red, blue or null"
    experiment = config.load({}, arguments={"mutation": {"name": "tinted", "colour": "blue"}}, plugins=[tinted])
    assert experiment.mutation.values["colour"] is Colour.BLUE
    assert experiment.data()["mutation"] == {"name": "tinted", "colour": "blue"}
    assert len(experiment.digest) == 64
    assert 'default "red"' in catalogue.description(plugins, "tinted")


def test_an_infinite_default_is_refused():
    with pytest.raises(InputError, match=r"'most': invalid default: got \.inf, expected a finite number"):

        @mutation("endless")
        def endless(genomes, rng, *, most: float = math.inf):
            """Do nothing."""


def test_there_are_sixty_broken_files():
    assert len(BROKEN) >= 60
