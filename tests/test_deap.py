"""DEAP's part: its own operators from YAML, its own algorithms on our plugins, outside the engine and inside."""

import pickle
import random

import numpy as np
import pytest
from conftest import ROOT, bits, run, tiny
from deap import algorithms, creator, tools

import fooldeap
from fooldeap import registry
from fooldeap.experiment import Prepared
from fooldeap.individuals import Individual, fitness_class, individual_view
from fooldeap.plugin import InputError
from fooldeap.rundir import RunFolder

OPERATORS = {
    kind: registry.load().get(kind, "deap").parameters["operator"].schema["enum"]
    for kind in ("selection", "mutation", "crossover")
}
NAMED = [(kind, name) for kind, names in OPERATORS.items() for name in names]


def global_state():
    return pickle.dumps((random.getstate(), np.random.get_state()))  # noqa: NPY002


def test_all_that_are_promised_are_there():
    assert sum(map(len, OPERATORS.values())) == 16
    assert all(hasattr(tools, name) for _, name in NAMED)


@pytest.mark.parametrize(("kind", "name"), NAMED)
def test_every_operator_runs_from_yaml_twice_the_same_and_leaves_global_randomness_alone(kind, name):
    experiment = tiny(**{kind: {"name": "deap", "operator": name}}, stop={"generations": 4, "confidence": None})
    before = global_state()
    one, _ = run(experiment)
    assert global_state() == before
    random.seed(99)
    np.random.seed(99)  # noqa: NPY002
    other, _ = run(experiment)
    assert [each.log for each in one] == [each.log for each in other]


def operator(kind, **values):
    plugin = registry.load().get(kind, "deap")
    defaults = {name: each.default for name, each in plugin.parameters.items()}
    return plugin.build({**defaults, **values})


@pytest.mark.parametrize("name", ["selRoulette", "selStochasticUniversalSampling"])
@pytest.mark.parametrize("fitness", [[-3.0, -1.0], [2.0, -1.0], [0.0, 0.0]])
def test_what_deap_selects_wrongly_is_refused(name, fitness):
    with pytest.raises(InputError, match=f"{name} selects wrongly"):
        operator("selection", operator=name)(np.array(fitness), 5, np.random.default_rng(1))


def test_what_leaves_the_range_is_clipped():
    first, second = np.zeros((20, 5, 5, 1), np.uint8), np.full((20, 5, 5, 1), 255, np.uint8)
    one, _ = operator("crossover", operator="cxBlend", alpha=1.0)(first, second, np.random.default_rng(1))
    assert (one == 0).mean() == pytest.approx(1 / 3, abs=0.1)
    assert (one == 255).mean() == pytest.approx(1 / 3, abs=0.1)


# --- Outside the engine ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["eaSimple", "eaMuPlusLambda", "eaMuCommaLambda"])
@pytest.mark.parametrize("target", [2, 3, 5])
def test_deaps_own_algorithms_fool_a_shipped_network(name, target):
    toolbox = fooldeap.toolbox(ROOT / "configs/mnist_lenet.yaml", targets=[target], fitness="confidence")
    view = individual_view(toolbox)
    random.seed(1)
    best, generations = 0.0, 0
    population = view.population(60)
    while best < 0.9999 and generations < 20:
        population = _some_generations(name, view, population)
        best, generations = max(each.fitness.values[0] for each in population), generations + 1
    assert best >= 0.9999


def _some_generations(name, view, population):
    if name == "eaSimple":
        population, _ = algorithms.eaSimple(population, view, 0.5, 1.0, 15, verbose=False)
    elif name == "eaMuPlusLambda":
        population, _ = algorithms.eaMuPlusLambda(population, view, 60, 100, 0.3, 0.7, 10, verbose=False)
    else:
        population, _ = algorithms.eaMuCommaLambda(population, view, 60, 120, 0.3, 0.7, 10, verbose=False)
    return population


def test_the_view_asks_about_all_individuals_at_once_and_registers_nothing_globally():
    before = set(vars(creator))
    toolbox = Prepared(tiny()).toolbox
    from fooldeap.results import RunInfo

    toolbox = toolbox(RunInfo(1, (0,)))
    asked = []

    def evaluate(genomes):
        asked.append(len(genomes))
        return toolbox.evaluate(genomes)

    view = individual_view(toolbox, evaluate)
    random.seed(1)
    _, log = algorithms.eaSimple(view.population(12), view, 0.5, 0.2, 3, verbose=False)
    assert asked == log.select("nevals")
    assert set(vars(creator)) == before


def test_a_clone_is_independent_and_equality_is_of_content():
    from fooldeap.results import RunInfo

    view = individual_view(Prepared(tiny()).toolbox(RunInfo(1, (0,))))
    one = view.individual()
    one.fitness.values = view.evaluate(one)
    other = view.clone(one)
    assert other == one
    assert other.fitness.values == one.fitness.values
    other.genome[0] ^= 1
    assert other != one
    best = tools.HallOfFame(3)
    best.update([one, view.clone(one), other])
    assert len(best) == 2
    assert isinstance(one, Individual)
    assert fitness_class(2).weights == (1.0, 1.0)


def test_an_operator_of_ones_own_in_the_old_style():
    from fooldeap.results import RunInfo

    view = individual_view(Prepared(tiny()).toolbox(RunInfo(1, (0,))))

    def darken(individual):
        individual.genome[:] = 0
        return (individual,)

    view.register("mutate", darken)
    random.seed(1)
    population, _ = algorithms.eaSimple(view.population(6), view, 0.0, 1.0, 1, verbose=False)
    assert all((each.genome == 0).all() for each in population)


# --- Inside the engine ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["deap_simple", "deap_mu_plus_lambda", "deap_mu_comma_lambda"])
def test_inside_the_engine_they_resume_to_the_same_bits_and_leave_global_randomness_alone(name, tmp_path):
    experiment = tiny(algorithm=name, stop={"generations": 12, "confidence": None})
    before = global_state()
    run(experiment, tmp_path / "whole")
    assert global_state() == before
    run(experiment, tmp_path / "cut")
    for number, journal in enumerate((tmp_path / "cut/journal").iterdir()):
        content = journal.read_bytes()
        journal.write_bytes(content[: (number + 1) * len(content) // 6])
    (tmp_path / "cut/result.json").unlink()
    Prepared(experiment).run(RunFolder.open(tmp_path / "cut"), resumed=True)
    assert bits(tmp_path / "cut") == bits(tmp_path / "whole")


def test_rates_that_are_too_much_together_are_refused():
    with pytest.raises(InputError, match="at most 1 together"):
        run(tiny(algorithm={"name": "deap_mu_plus_lambda", "crossover_rate": 0.8}))
