"""DEAP's part: its own operators from YAML, its own algorithms on our plugins, outside the engine and inside."""

import pickle
import random

import numpy as np
import pytest
from deap import algorithms, creator, tools
from helpers.experiments import KIT, ROOT, TINY, run, tiny

import fooldeap
from fooldeap import registry
from fooldeap.configuration import config
from fooldeap.engine.individuals import Fitness, Individual, individual_view
from fooldeap.plugin import InputError, fitness
from fooldeap.results import RunInfo
from fooldeap.runs.experiment_session import ExperimentSession
from fooldeap.testing import broken

OPERATORS = {
    kind: registry.load().get(kind, "deap").parameters["operator"].schema["enum"]
    for kind in ("selection", "mutation", "crossover")
}
NAMED = [(kind, name) for kind, names in OPERATORS.items() for name in names]


def global_state():
    return pickle.dumps((random.getstate(), np.random.get_state()))  # noqa: NPY002


def test_sixteen_operators_are_available():
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


WHAT_DEAP_DOES = "is wrong if a fitness is negative"  # and is refused for


@pytest.mark.parametrize(("kind", "name"), NAMED)
def test_every_operator_keeps_the_contracts_of_its_kind(kind, name):
    found = broken(registry.load().get(kind, "deap"), operator=name)
    refused = name in ("selRoulette", "selStochasticUniversalSampling")
    assert [sentence for sentence in found.values() if not (refused and WHAT_DEAP_DOES in sentence)] == []


@pytest.mark.parametrize(
    ("kind", "values", "said"),
    [
        ("mutation", {"operator": "mutFlipBit", "eta": 3.0}, "eta: mutFlipBit has no such parameter; remove it"),
        ("crossover", {"alpha": 0.1}, "alpha: cxTwoPoint has no such parameter; remove it (those it has: none)"),
        ("selection", {"operator": "selBest", "tournsize": 3}, "tournsize: selBest has no such parameter"),
    ],
)
def test_a_parameter_that_the_operator_does_not_have_is_refused(kind, values, said):
    choices = {kind: {"name": "deap", **values}}
    with pytest.raises(InputError) as error:
        run(tiny(**choices))
    assert f": {kind} 'deap': {said}" in str(error.value)


def test_selbest_repeats_individuals_if_more_are_requested():
    chosen = operator("selection", operator="selBest")(np.array([1.0, 3.0, 2.0]), 7, np.random.default_rng(1))
    assert chosen.tolist() == [1, 2, 0, 1, 2, 0, 1]
    result, _ = run(
        tiny(
            algorithm={"name": "mu_plus_lambda", "mu": 4, "children": 10},
            selection={"name": "deap", "operator": "selBest"},
            stop={"generations": 3, "confidence": None},
        )
    )
    assert {each.generations for each in result} == {3}


@pytest.mark.parametrize(
    "crossover", [{"name": "deap", "operator": "cxBlend", "alpha": 1e308}, {"name": "blend", "alpha": 1e308}]
)
def test_a_blend_that_overflows_is_refused(crossover):
    with pytest.raises(InputError, match=r"alpha: got 1e\+308, expected a number >= 0 and <= 100"):
        tiny(crossover=crossover)


def operator(kind, **values):
    plugin = registry.load().get(kind, "deap")
    defaults = {name: each.default for name, each in plugin.parameters.items()}
    return plugin.build({**defaults, **values})


@pytest.mark.parametrize("name", ["selRoulette", "selStochasticUniversalSampling"])
@pytest.mark.parametrize("fitness", [[-3.0, -1.0], [2.0, -1.0], [0.0, 0.0]])
def test_selections_that_deap_computes_wrongly_are_refused(name, fitness):
    with pytest.raises(InputError, match=f"{name} is wrong if"):
        operator("selection", operator=name)(np.array(fitness), 5, np.random.default_rng(1))


def test_genes_outside_the_range_are_clipped():
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


def view_of(**choices):
    return individual_view(ExperimentSession(tiny(**choices)).toolbox(RunInfo(1, (0,))))


def test_the_view_asks_about_all_individuals_at_once_and_registers_nothing_globally():
    before = set(vars(creator))
    toolbox = ExperimentSession(tiny()).toolbox(RunInfo(1, (0,)))
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
    view = view_of()
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


@pytest.mark.parametrize("genome", ["pixels", "dct", "cppn"])
def test_the_view_decodes_an_individual_to_its_image(genome):
    operators = {"cppn": {"mutation": "cppn", "crossover": "none"}, "dct": {"mutation": "gaussian"}}.get(genome, {})
    toolbox = ExperimentSession(tiny(genome=genome, **operators)).toolbox(RunInfo(1, (0,)))
    view = individual_view(toolbox)
    population = view.population(3)
    genomes = [each.genome for each in population]
    images = toolbox.decode(genomes if genome == "cppn" else np.stack(genomes))
    for individual, image in zip(population, images, strict=True):
        np.testing.assert_array_equal(view.decode(individual), image)
        assert (view.decode(individual).dtype, view.decode(individual).shape) == (np.uint8, (8, 8, 1))


def test_an_operator_of_ones_own_in_the_old_style():
    view = view_of()

    def darken(individual):
        individual.genome[:] = 0
        return (individual,)

    view.register("mutate", darken)
    random.seed(1)
    population, _ = algorithms.eaSimple(view.population(6), view, 0.0, 1.0, 1, verbose=False)
    assert all((each.genome == 0).all() for each in population)


OLD_STYLE = {
    "mutate": [
        (tools.mutGaussian, {"mu": 0, "sigma": 40, "indpb": 0.1}),
        (tools.mutFlipBit, {"indpb": 0.1}),
        (tools.mutShuffleIndexes, {"indpb": 0.1}),
        (tools.mutUniformInt, {"low": 0, "up": 255, "indpb": 0.1}),
        (tools.mutPolynomialBounded, {"eta": 15, "low": 0, "up": 255, "indpb": 0.1}),
        (tools.mutInversion, {}),
    ],
    "mate": [
        (tools.cxTwoPoint, {}),
        (tools.cxOnePoint, {}),
        (tools.cxUniform, {"indpb": 0.3}),
        (tools.cxBlend, {"alpha": 0.5}),
        (tools.cxSimulatedBinary, {"eta": 15}),
    ],
}


@pytest.mark.parametrize(
    ("name", "operator", "values"),
    [(name, *each) for name, each_of in OLD_STYLE.items() for each in each_of],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_deaps_own_operators_work_on_an_individual(name, operator, values):
    view = view_of()
    view.register(name, operator, **values)
    random.seed(1)
    parents = [view.individual(), view.individual()]
    children = [view.clone(each) for each in parents]
    getattr(view, name)(*children[: 1 if name == "mutate" else 2])
    assert children[0].genome.dtype == np.uint8
    assert children[0] != parents[0]
    assert not np.shares_memory(children[0].genome, children[1].genome)
    if operator in (tools.cxTwoPoint, tools.cxOnePoint, tools.cxUniform):
        genes = [[each.genome for each in group] for group in (parents, children)]
        assert np.array_equal(*(np.sort(each, axis=0) for each in genes))
    algorithms.eaSimple(view.population(6), view, 1.0, 1.0, 2, verbose=False)


def test_an_individual_is_a_flat_sequence_that_rounds_clips_and_copies():
    one = Individual(np.arange(6, dtype=np.uint8).reshape(2, 3), (0, 200))
    assert (len(one), one[4], type(one[4]), one[1:3], list(one)[-1]) == (6, 4, int, [1, 2], 5)
    one[0:3] = [-5.0, 1.6, 999]
    one[3] = 7.4
    assert one.genome.tolist() == [[0, 2, 200], [7, 4, 5]]
    with pytest.raises(ValueError, match="its length is fixed"):
        one[0:3] = [1, 2]
    real = Individual(np.zeros(3, np.float32))
    real[1] = -1e9
    assert real[0:2] == [0.0, -1e9]
    words = Individual(["a", "b"])
    words[0] = "c"
    assert (len(words), words[0], words.genome) == (2, "c", ["c", "b"])


def test_individuals_survive_pickling():
    view = view_of()
    one = view.individual()
    one.fitness.values = view.evaluate(one)
    again = pickle.loads(pickle.dumps(one))
    assert (again, again.fitness.values, again.bounds) == (one, one.fitness.values, (0, 255))


@fitness("two_sided")
def two_sided(predictions, target):
    """Score certainty, and darkness."""
    return np.stack([predictions.log_probabilities[:, target], -predictions.images.mean(axis=(1, 2, 3))], axis=1)


def test_individuals_have_all_objectives_for_multi_objective_selection():
    experiment = config.load(
        {},
        arguments={**TINY, "fitness": "two_sided", "selection": {"name": "deap", "operator": "selLexicase"}},
        plugins=[KIT, two_sided],
    )
    view = individual_view(ExperimentSession(experiment).toolbox(RunInfo(1, (0,))))
    random.seed(1)
    population, _ = algorithms.eaSimple(view.population(8), view, 0.5, 1.0, 3, verbose=False)
    assert {len(each.fitness.values) for each in population} == {len(population[0].fitness.weights)} == {2}
    assert len(tools.selNSGA2(population, 4)) == 4
    assert pickle.loads(pickle.dumps(population[0])).fitness.values == population[0].fitness.values
    assert not Fitness().valid


# --- Inside the engine ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["deap_simple", "deap_mu_plus_lambda", "deap_mu_comma_lambda"])
def test_operators_in_the_engine_leave_global_randomness_alone(name):
    before = global_state()
    run(tiny(algorithm=name, stop={"generations": 12, "confidence": None}))
    assert global_state() == before


def test_rates_that_are_too_much_together_are_refused():
    with pytest.raises(InputError, match="expected at most 1 in sum"):
        run(tiny(algorithm={"name": "deap_mu_plus_lambda", "crossover_rate": 0.8}))


@pytest.mark.parametrize("name", ["deap_simple", "deap_mu_plus_lambda", "deap_mu_comma_lambda"])
@pytest.mark.parametrize(
    ("stop", "reason", "generations"),
    [({"generations": 7}, "generations", 7), ({"stagnation": 5}, "stagnation", 5), ({}, "stalled", 100)],
)
def test_a_generation_without_anybody_new_counts(name, stop, reason, generations):
    still = {"name": name, "crossover_rate": 0.0, "mutation_rate": 0.0}
    result, _ = run(tiny(algorithm=still, targets=[1], stop={"confidence": None, **stop}))
    assert (result[1].stopped, result[1].generations) == (reason, generations)
    assert result[1].evaluations == result[1].log[0].evaluations


def test_a_fitness_of_several_objectives_goes_through_the_engine():
    choices = {"fitness": "two_sided", "selection": {"name": "deap", "operator": "selLexicase"}}
    arguments = {**TINY, **choices, "algorithm": "deap_simple", "stop": {"generations": 3, "confidence": None}}
    result, _ = run(config.load({}, arguments=arguments, plugins=[KIT, two_sided]))
    assert all(each.generations == 3 for each in result)
