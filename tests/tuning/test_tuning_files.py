"""Tuning files: every mistake is reported in one line, and the written configuration gives the same tuning."""

import sys

import pytest
from helpers.commands import call
from helpers.experiments import ROOT
from ruamel.yaml import YAML

from fooldeap.configuration.writing import as_yaml
from fooldeap.errors import InputError
from fooldeap.tuning import settings
from fooldeap.tuning.session import tune

BROKEN = YAML(typ="safe").load(ROOT / "tests/tuning/broken_tunings.yaml")
SELECTION = {
    "search": {
        "selection": ["tournament", {"name": "boltzmann", "temperature": 2.0}, "roulette"],
        "selection.size": {"from": 2, "to": 10, "when": {"selection": "tournament"}},
        "mutation.rate": {"from": 0.001, "to": 0.1, "log": True},
    },
    "images": 1_000_000,
}


@pytest.mark.parametrize("case", BROKEN, ids=[case["name"] for case in BROKEN])
def test_errors_name_position_and_cure(case, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.yaml").write_text(case["text"])
    code = call("tune", "broken.yaml")
    shown = capsys.readouterr()
    assert shown.err.splitlines() == [f"fooldeap: {line}" for line in case["expect"].splitlines()]
    assert (shown.out, code) == ("", 2)
    assert not (tmp_path / "runs").exists()


def test_the_written_configuration_gives_the_same_tuning(tmp_path):
    several = {"a": {"search": {"mutation.rate": {"from": 0.001, "to": 0.1}}}, "b": {"algorithm": "snes", "search": {
        "algorithm.sigma": {"from": 0.1, "to": 10.0}}}}  # fmt: skip
    for number, content in enumerate([SELECTION, {"images": 1_000_000, "strategies": several}]):
        tuning = settings.load(content)
        path = tmp_path / f"{number}.yaml"
        path.write_text(as_yaml(tuning.data()))
        again = settings.load(path)
        assert again.data() == tuning.data()
        assert [each.initial for each in again.strategies.values()] == [
            each.initial for each in tuning.strategies.values()
        ]


def test_a_parameter_applies_only_under_its_condition():
    strategy = settings.load(SELECTION).strategies[""]
    values = {"selection": "tournament", "selection.size": 3, "mutation.rate": 0.05}
    assert strategy.experiment(values).selection.data() == {"name": "tournament", "size": 3}
    other = strategy.space.applying({**values, "selection": "boltzmann-2.0"})
    assert other == {"selection": "boltzmann-2.0", "mutation.rate": 0.05}
    assert strategy.experiment(other).selection.data()["temperature"] == 2.0
    assert strategy.experiment(other).mutation.values["rate"] == 0.05


def test_unseen_seeds_follow_the_training_seeds():
    tuning = settings.load({**SELECTION, "seed": 5, "instances": {"seeds": 3}})
    assert (tuning.instances.first, tuning.instances.seeds) == (5, 3)
    assert {name: (each.first, each.seeds) for name, each in tuning.unseen.items()} == {"other-seeds": (8, 10)}


def test_without_optuna_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(InputError, match=r"needs Optuna; install it: pip install 'fooldeap\[tune\]'"):
        tune(SELECTION)
