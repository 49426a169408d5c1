"""Overrides of a folder that is resumed: each key of the experiment either extends it or is rejected."""

import pytest
from helpers.commands import call
from helpers.experiments import KIT, TINY
from ruamel.yaml import YAML

import fooldeap
from fooldeap.configuration.config import load
from fooldeap.configuration.experiment import CHOICES, LISTS, PlainKeys
from fooldeap.configuration.stopping import Stop

# The keys that docs/resuming.md allows. Every other key is rejected.
EXTENDING = {"stop.evaluations", "stop.generations", "stop.confidence", "stop.stagnation", "seeds", "targets"}
SESSION = {"on_error", "executor"}
EXPERIMENT = {
    **TINY,
    "targets": [0, 1],
    "seeds": 2,
    "statistics": ["distinct", {"name": "quantile", "share": 0.25}],
    "mutation": {"name": "random_pixels", "rate": {"schedule": "linear", "start": 0.1, "end": 0.01, "over": 5}},
    "stop": {"evaluations": 60, "confidence": 0.9, "stagnation": 5},
}


def leaves(data, path=()):
    """Yield each key path of a configuration with its value; mappings have a path of their own, too."""
    for key, value in data.items():
        yield ".".join((*path, key)), value
        if isinstance(value, dict):
            yield from leaves(value, (*path, key))


KEYS = dict(leaves(load(EXPERIMENT, plugins=[KIT]).data()))
REJECTED = [key for key in KEYS if key not in EXTENDING | SESSION and not key.startswith("executor.")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A finished run."""
    place = tmp_path_factory.mktemp("overrides") / "run"
    return fooldeap.run(EXPERIMENT, out=place, plugins=[KIT], quiet=True).folder


@pytest.fixture(autouse=True)
def unchanged(folder):
    """Assert that a test does not change the folder."""
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != ".lock"}
    yield
    assert before == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != ".lock"}


def test_the_table_has_every_key(folder):
    """A new key of experiments gets into the table by itself."""
    plain = {*PlainKeys.__dataclass_fields__, *CHOICES, *LISTS.values()}
    assert plain | {f"stop.{name}" for name in Stop.__dataclass_fields__} <= set(KEYS)
    assert set(KEYS) - {"options"} >= set(dict(leaves(YAML(typ="safe").load(folder / "config.yaml"))))
    assert set(REJECTED) >= {"seed", "keep", "statistics", "stop", "mutation.rate", "mutation.rate.end", "genome.name"}


@pytest.mark.parametrize("key", REJECTED)
def test_a_key_that_cannot_change_is_rejected_by_name(folder, capsys, key):
    """Even with the value that it has: the command would claim to have applied it."""
    words = {f"{key}={value}" for value in (1, "null", "[0]") if not isinstance(KEYS[key], dict)} | {f"{key}={{}}"}
    for word in words:
        assert call("run", "--resume", folder, word) == 2
        said = capsys.readouterr().err
        assert said.startswith(f"fooldeap: --resume: got '{word}', expected on_error=skip, keys of the executor")
        assert said.endswith("for other settings, start a new run\n")
        assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["stop.evaluations=59"], "stop.evaluations: got 59, expected 60 or more"),
        (["stop.evaluations=0"], "stop.evaluations: got 0, expected an integer >= 1"),
        (["stop.generations=9999"], "stop.generations: got 9999, expected 10000 or more"),
        (["stop.confidence=0.89"], "stop.confidence: got 0.89, expected 0.9 or more"),
        (["stop.confidence=1"], "stop.confidence: got 1, expected"),
        (["stop.stagnation=4"], "stop.stagnation: got 4, expected 5 or more"),
        (["seeds=1"], "seeds: got 1, expected 2 or more"),
        (["targets=[1]"], "targets: leaves out seed1-target0"),
        (["targets=[0, 1, 99]"], "targets"),
        (["stop.evaluations=90", "mutation.rate=0.5"], "got 'mutation.rate=0.5', expected"),
        (["stop.evaluations=90", "stop.confidence=0.5"], "stop.confidence: got 0.5, expected 0.9 or more"),
        (["stop.evaluations.more=90"], "got 'stop.evaluations.more=90', expected"),
        (["stop.evaluation=90"], "got 'stop.evaluation=90', expected"),
        (["stop.evaluations=90,120"], "stop.evaluations: got"),
        (["mutation.rate=0.1,0.2"], "got 'mutation.rate=0.1,0.2', expected"),
        (["stop.evaluations"], "--resume cannot be combined with CONFIG or --out"),
        (["base=other.yaml"], "got 'base=other.yaml', expected"),
        (["sweep={seed: [1, 2]}"], "got 'sweep={seed: [1, 2]}', expected"),
        (["--seed", "7"], "seed"),
        (["--out", "elsewhere"], "--resume cannot be combined with"),
    ],
)
def test_a_value_that_cannot_be_applied_is_rejected(folder, capsys, words, message):
    assert call("run", "--resume", folder, *words) == 2
    said = capsys.readouterr().err
    assert message in said
    assert len([line for line in said.splitlines() if not line.startswith("fooldeap: runs the plugins")]) == 1
