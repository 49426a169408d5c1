"""Algorithms declare whether they accept several objectives; the configuration is checked when it is read."""

import re
import warnings

import pytest
from helpers.experiments import KIT

import fooldeap
from fooldeap import registry
from fooldeap.configuration import config
from fooldeap.errors import FooldeapWarning, InputError, PluginError
from fooldeap.help import catalogue
from fooldeap.plugin import fitness

ALGORITHMS = registry.load().all("algorithm")
VECTORS = ("bayesian_optimisation",)  # needs a genome that is a linear function of the image


def settings(algorithm, **more):
    genome = {"genome": "dct"} if algorithm in VECTORS else {}
    few = {"stop": {"evaluations": 260, "confidence": None}, "targets": [1]}
    return {"classifier": "tiny", "reporters": [], "algorithm": algorithm, **few, **genome, **more}


@pytest.mark.parametrize("plugin", ALGORITHMS, ids=lambda plugin: plugin.name)
def test_every_algorithm_runs_with_two_objectives_or_is_refused_when_the_configuration_is_read(plugin, tmp_path):
    two = settings(plugin.name, fitness="confidence_and_ink")
    accepted = plugin.options["objectives"] == "any"
    if accepted and "selection" in plugin.options["uses"]:
        with pytest.raises(InputError, match="the selection 'tournament' takes one objective") as error:
            config.load(two, plugins=[KIT])
        assert re.search("choose a selection of: deap, random, .*or an algorithm of: bayesian_op", str(error.value))
        two["selection"] = "deap"
    if accepted:
        result = fooldeap.run(two, plugins=[KIT], quiet=True, report=False, out=tmp_path / "run")
        assert result[1].evaluations > 0
        assert result.objectives == ("log p", "-ink")
        assert result[1].front
    else:
        with pytest.raises(InputError) as error:
            config.load(two, plugins=[KIT])
        assert "\n" not in str(error.value)
        assert f"algorithm: the algorithm '{plugin.name}' takes one objective, but the fitness" in str(error.value)
        assert "has 2 (log p, -ink); choose an algorithm of: bayesian_optimisation, " in str(error.value)
        assert "nsga2" in str(error.value)
        assert "or a fitness of one objective: confidence, cross_entropy" in str(error.value)


def test_default_algorithm_is_not_blamed():
    with pytest.raises(InputError, match=r"^argument: fitness: the algorithm 'generational' takes one objective"):
        config.load({"fitness": "confidence_and_ink"})


def test_undeclared_objectives_are_refused_in_the_run(tmp_path):
    @fitness("undeclared")
    def undeclared(predictions, target):
        """Two columns, not declared."""
        return predictions.log_probabilities[:, :2].copy()

    with pytest.raises(
        (InputError, PluginError), match=r"fitness 'undeclared' returned float64 \(\d+, 2\), expected \(n,\)"
    ):
        fooldeap.run(settings("generational", fitness="undeclared"), plugins=[KIT, undeclared], out=tmp_path / "run")


def test_catalogue_states_the_objectives():
    known = registry.load()
    assert "objectives  one" in catalogue.description(known, "algorithm/generational")
    assert "objectives  any" in catalogue.description(known, "algorithm/nsga2")


@pytest.mark.parametrize(
    ("source", "overrides", "expected"),
    [
        (
            "algorithm: random_search\nselection: {name: tournament, size: 7}",
            [],
            "it.yaml:2:12: selection: 'tournament'",
        ),
        ("algorithm: random_search", ["mutation.rate=0.3"], "command line: mutation: 'random_pixels'"),
        ("mutation: {name: random_pixels, rate: 0.3}", ["algorithm=random_search"], None),
        ("mutation: {name: random_pixels, rate: 0.3}", [], None),
        ("algorithm: random_search", [], None),
        ("algorithm: random_search\nselection: tournament", [], None),  # the default, as in a resolved configuration
    ],
)
def test_operators_without_effect_are_warned_of(source, overrides, expected, tmp_path):
    stop = "stop: {evaluations: 20}\ntargets: [1]\nclassifier: tiny\nreporters: []\nreport: false\n"
    (tmp_path / "it.yaml").write_text(f"{source}\n{stop}")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fooldeap.run(tmp_path / "it.yaml", *overrides, plugins=[KIT], out=tmp_path / "run")
    texts = [str(each.message) for each in caught if issubclass(each.category, FooldeapWarning)]
    assert len(texts) == (expected is not None), texts
    if expected:
        assert expected in texts[0]
        assert texts[0].endswith("'random_search' uses no operators; remove it or choose another algorithm")
