"""Feedback of operators: parents' fitness, children, population and generation, for every algorithm and executor."""

import itertools
import tracemalloc

import numpy as np
import pytest
from helpers.experiments import KIT, TINY, bits, run, tiny

from fooldeap.configuration import config
from fooldeap.engine.lineage import Lineage
from fooldeap.errors import InputError, PluginError
from fooldeap.plugin import Mutations, algorithm, crossover, dataclass, field, mutation, selection
from fooldeap.results import RunInfo
from fooldeap.runs.experiment_session import ExperimentSession

CALLS = []  # of the spies, cleared by each test


@mutation("spy", genome="pixels")
@dataclass
class Spy:
    """Change two pixels, and record all feedback."""

    made: list = field(init=False, default_factory=list)  # all parents and children of this run

    def __call__(self, genomes, rng, parent_fitness, offspring, population, generation):
        parents = genomes.copy()
        flat = genomes.reshape(len(genomes), 64)
        for row in flat:
            row[rng.integers(0, 64, 2)] = rng.integers(0, 256, 2)
        CALLS.append((self, parents, genomes.copy(), parent_fitness, offspring, population, generation, len(self.made)))
        self.made += zip(parents, genomes.copy(), strict=True)
        return genomes


@crossover("watching", genome="pixels")
def watching(first, second, rng, parent_fitness, offspring):
    """Swap the upper halves, and record all feedback."""
    CALLS.append((first.copy(), second.copy(), parent_fitness, offspring))
    first[:, :4], second[:, :4] = second[:, :4].copy(), first[:, :4].copy()
    return first, second


def spied(algorithm, *overrides, **arguments):
    """Run an algorithm with the spy, and return the calls of its mutation and a function for the true fitness."""
    chosen = {
        **TINY,
        "algorithm": algorithm,
        "mutation": "spy",
        "crossover": "none",
        "targets": [1],
        "stop": {"confidence": None, "evaluations": 300},
        **arguments,
    }
    experiment = config.load({}, overrides, arguments=chosen, plugins=[KIT, Spy, Watched, watching])
    session = ExperimentSession(experiment)
    CALLS.clear()  # those of the trial with random answers, before the run
    session.run(None)
    return list(CALLS), ExperimentSession(tiny()).toolbox(RunInfo(1, (1,))).evaluate


ALGORITHMS = [
    {"name": "generational", "population": 12},
    {"name": "steady_state", "population": 12, "children": 5},
    {"name": "mu_plus_lambda", "mu": 5, "children": 12},
    {"name": "mu_comma_lambda", "mu": 5, "children": 12},
    {"name": "retain_and_breed", "population": 12},
    {"name": "deap_simple", "population": 12, "crossover_rate": 0.0},
    "one_plus_one",
]


@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=str)
def test_feedback_is_the_fitness_of_parents_and_children(algorithm):
    calls, evaluate = spied(algorithm)
    told = set()
    for spy, parents, _, parent_fitness, offspring, population, generation, _ in calls:
        np.testing.assert_array_equal(parent_fitness, evaluate(parents) if len(parents) else [])
        np.testing.assert_array_equal(population.fitness, evaluate(population.genomes))
        before, after = (np.array([spy.made[number][side] for number in offspring.number]) for side in (0, 1))
        if len(offspring):
            np.testing.assert_array_equal(offspring.parent_fitness, evaluate(before))
            np.testing.assert_array_equal(offspring.fitness, evaluate(after))
            np.testing.assert_array_equal(offspring.improved, evaluate(after) > evaluate(before))
        assert not told & set(offspring.number.tolist())  # each child is reported once
        told |= set(offspring.number.tolist())
        assert generation >= 1
    spy, *_, made = calls[-1]
    if algorithm != ALGORITHMS[4]:  # this one discards some of the mutants
        assert told == set(range(len(told)))
        assert len(told) >= made - 12  # all but those of the last generation
    assert len(told) > 50
    assert [call[6] for call in calls] == sorted(call[6] for call in calls)


def test_a_crossed_child_has_the_fitness_of_its_fitter_parent():
    calls, evaluate = spied({"name": "generational", "population": 12, "elites": 0}, crossover="watching")
    made, known = [], {}
    for (first, second, parents, offspring), mutated in zip(calls[0::2], calls[1::2], strict=True):
        _, crossed, children, inherited, _, population, *_ = mutated
        np.testing.assert_array_equal(parents, [evaluate(first), evaluate(second)])
        fitter = np.tile(np.maximum(*parents), 2)
        known |= {each.tobytes(): value for each, value in zip(population.genomes, population.fitness, strict=True)}
        names, best = [each.tobytes() for each in crossed], {}
        for each, value in zip(names, fitter, strict=True):
            best[each] = max(value, best.get(each, value))  # equal children have the fittest parent of all of them
        expected = [known.get(each, best[each]) for each in names]
        np.testing.assert_array_equal(inherited, expected)  # a child that equals an evaluated genome has its fitness
        if made:  # the children of the previous generation, after crossover and mutation
            rows, fitness = made[-1]
            expected = sorted(zip(evaluate(rows), fitness, strict=True))
            assert sorted(zip(offspring.fitness, offspring.parent_fitness, strict=True)) == expected
        made.append((children, fitter))
    assert len(made) > 20


def test_equal_genomes_are_followed_separately():
    lineage, parents = Lineage(), np.zeros((3, 4), np.uint8)
    lineage.evaluate(parents, np.array([1.0, 1.0, 1.0]))
    from fooldeap.engine.lineage import digests_of

    children = np.array([[1, 0, 0, 0], [1, 0, 0, 0], [2, 0, 0, 0]], np.uint8)
    lineage.record("maker", [digests_of(parents)], [digests_of(children)])
    lineage.evaluate(children, np.array([2.0, 2.0, 0.5]))
    found = lineage.offspring("maker")
    assert dict(zip(found.number.tolist(), found.improved.tolist(), strict=True)) == {0: True, 1: True, 2: False}
    assert len(lineage.offspring("maker")) == 0


def test_genomes_in_lists_are_recognised_by_their_content():
    from fooldeap.engine.lineage import digests_of

    dtype = np.dtype("int64")
    shared, own = np.array([1, 2], dtype), np.array([1, 2], np.dtype("i8"))
    first = {"a": shared, "b": shared}
    second = {"a": own.copy(), "b": own[::1].copy()}
    assert digests_of([first]) == digests_of([second])
    assert digests_of([first]) != digests_of([{"a": shared, "b": shared + 1}])
    networks = ExperimentSession(tiny(genome="cppn", mutation="cppn", crossover="none")).toolbox(RunInfo(1, (0,)))
    genomes = networks.sample(20)
    assert digests_of(networks.take(genomes, range(20))) == digests_of(genomes)
    assert len(set(digests_of([*genomes, *networks.mutate(networks.take(genomes, range(20)))]))) > 30


@mutation("greyer")
@dataclass(kw_only=True)
class Greyer:
    """Add a number that grows with each call of this run, and that follows a schedule."""

    step: int = 1
    calls: int = field(init=False, default=0)

    def __call__(self, genomes, rng, generation):
        self.calls += 1
        CALLS.append((id(self), self.calls, self.step, generation))
        genomes[:, rng.integers(8)] += self.step
        return genomes


def test_each_run_has_its_own_state_and_schedules_keep_it():
    schedule = {"name": "greyer", "step": {"schedule": "linear", "start": 1, "end": 5, "over": 4}}
    arguments = {**TINY, "mutation": schedule, "targets": [0, 1], "stop": {"confidence": None, "generations": 4}}
    session = ExperimentSession(config.load({}, arguments=arguments, plugins=[KIT, Greyer]))
    CALLS.clear()
    session.run(None)
    by_run = {number: [call[1:] for call in CALLS if call[0] == number] for number, *_ in CALLS}
    assert list(by_run.values()) == [[(n, 1 + n, n) for n in range(1, 5)]] * 2


def test_nested_operators_have_state_and_feedback_of_their_own():
    calls, evaluate = spied(ALGORITHMS[0], mutation={"name": "mixed", "of": ["spy", "invert"]})
    assert len({id(call[0]) for call in calls}) == 1
    for spy, _, _, _, offspring, *_ in calls:
        after = np.array([spy.made[number][1] for number in offspring.number])
        np.testing.assert_array_equal(offspring.fitness, evaluate(after) if len(after) else [])
    assert sum(len(call[4]) for call in calls) == len(calls[-1][0].made) - len(calls[-1][1])


@pytest.mark.parametrize("mutation", ["one_fifth", {"name": "adaptive_mixed", "of": ["creep", "block"]}], ids=str)
def test_children_are_not_kept_for_operators_that_never_ask_for_them(monkeypatch, mutation):
    monkeypatch.setattr("fooldeap.engine.lineage.MOST", 100)
    toolbox = ExperimentSession(tiny(mutation=mutation)).toolbox(RunInfo(1, (1,)))
    genomes = toolbox.sample(50)

    def memory_after(generations):
        for _ in range(generations):
            toolbox.lineage.evaluate(genomes, genomes.mean(axis=(1, 2, 3)))
            first, second = toolbox.mate(toolbox.take(genomes, range(25)), toolbox.take(genomes, range(25, 50)))
            children = toolbox.mutate(np.concatenate([first, second]))
            toolbox.lineage.evaluate(children, children.mean(axis=(1, 2, 3)))
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        before = memory_after(20)
        assert memory_after(200) < before + 100_000  # the children would take more than 1 MB
    finally:
        tracemalloc.stop()


@mutation("watched", genome="pixels")
@dataclass(kw_only=True)
class Watched:
    """Mutate each half of the genomes with another mutation, and record the feedback."""

    of: Mutations

    def __call__(self, genomes, rng, offspring):
        half = len(genomes) // 2
        for part, (mutate, _) in zip((genomes[:half], genomes[half:]), self.of, strict=True):
            part[:] = mutate(part, rng)
        CALLS.append((offspring, genomes.copy()))
        return genomes


def test_an_operator_and_the_ones_nested_in_it_learn_about_the_same_children():
    calls, evaluate = spied(ALGORITHMS[0], mutation={"name": "watched", "of": ["spy", "spy"]})
    outer, inner = calls[2::3], list(zip(calls[0::3], calls[1::3], strict=True))
    for number, ((_, children), (offspring, _)) in enumerate(itertools.pairwise(outer)):
        assert sorted(offspring.number) == list(range(11 * number, 11 * number + 11))
        np.testing.assert_array_equal(offspring.fitness, evaluate(children)[offspring.number - 11 * number])
        nested = np.concatenate([call[4].fitness for call in inner[number + 1]])
        np.testing.assert_array_equal(np.sort(nested), np.sort(offspring.fitness))
    assert len(outer) > 20


# --- What is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"algorithm": "map_elites"},
            r"mutation: 'one_fifth' needs one fitness for each image \(offspring\), but the algorithm 'map_elites' "
            "pursues all targets together; choose another mutation",
        ),
        (
            {"algorithm": "nsga2", "fitness": "confidence_and_ink"},
            r"mutation: 'one_fifth' needs .* the fitness 'confidence_and_ink' has several objectives; choose another",
        ),
        (
            {"mutation": {"name": "mixed", "of": ["one_fifth"]}, "algorithm": "map_elites"},
            r"mutation.of\[0\]: 'one_fifth' needs one fitness",
        ),
        (
            {"selection": "fitness_sharing", "genome": "cppn", "mutation": "cppn", "crossover": "none"},
            "selection: 'fitness_sharing' does not work on the genome 'cppn'; choose one of: .*tournament",
        ),
    ],
)
def test_a_combination_without_feedback_is_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        tiny(**{"mutation": "one_fifth", **arguments})


@algorithm("forgetful")
def forgetful(toolbox, rng):
    """Select without genomes."""
    genomes = toolbox.sample(10)
    while True:
        reply = yield genomes
        genomes = toolbox.mutate(toolbox.take(genomes, toolbox.select(reply.fitness, 10)))


def test_an_algorithm_that_passes_no_genomes_is_refused():
    arguments = {**TINY, "algorithm": "forgetful", "selection": "fitness_sharing"}
    with pytest.raises(PluginError, match=r"'fitness_sharing' needs the genomes, which algorithm 'forgetful' does not"):
        run(config.load({}, arguments=arguments, plugins=[KIT, forgetful]))


def test_genomes_of_another_number_are_refused():
    toolbox = ExperimentSession(tiny(selection="fitness_sharing")).toolbox(RunInfo(1, (0,)))
    with pytest.raises(PluginError, match="received 3 genomes for 4 values of fitness"):
        toolbox.select(np.ones(4), 2, toolbox.sample(3))


def test_a_signature_that_asks_for_something_else_is_refused():
    def wrong(genomes, rng, parents):
        """Ask for what there is not."""

    with pytest.raises(InputError, match=r"takes the arguments \(genomes, rng, parents\), expected \(genomes, rng\)"):
        mutation("wrong")(wrong)

    def needs_offspring(fitness, count, rng, offspring):
        """Ask for what only mutations get."""

    with pytest.raises(InputError, match="if needed, genomes, generation"):
        selection("wrong")(needs_offspring)


def test_a_class_that_is_no_dataclass_or_cannot_be_called_is_refused():
    with pytest.raises(InputError, match="expected a dataclass; put @dataclass under the decorator"):
        mutation("plain")(type("Plain", (), {"__call__": lambda self, genomes, rng: genomes}))
    with pytest.raises(InputError, match=r"has no method __call__; write 'def __call__\(self, genomes, rng\):'"):
        mutation("silent")(dataclass(type("Silent", (), {})))
    with pytest.raises(InputError, match="__call__ takes the parameter 'rate'; make it a field"):
        mutation("keyed")(dataclass(type("Keyed", (), {"__call__": lambda self, genomes, rng, *, rate: genomes})))


# --- The same bits --------------------------------------------------------------------------------------------------

ADAPTIVE = {
    "mutation": {"name": "adaptive_mixed", "of": ["one_fifth", "creep", {"name": "gaussian", "weight": 2.0}]},
    "selection": "fitness_sharing",
    "fitness": "confidence",
    "stop": {"confidence": None, "evaluations": 400},
}


def test_adaptive_operators_give_the_same_bits_one_run_at_a_time(tmp_path):
    run(tiny(**ADAPTIVE), tmp_path / "together")
    run(tiny(**ADAPTIVE, concurrent_runs=1), tmp_path / "alone")
    assert bits(tmp_path / "together") == bits(tmp_path / "alone")
