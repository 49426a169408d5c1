"""Schedules: their values by hand, what a run makes of them, and what is refused."""

import pytest
from helpers.experiments import KIT, TINY, run, tiny
from helpers.resuming import check_resumes_wherever_cut

from fooldeap import registry
from fooldeap.configuration import config
from fooldeap.configuration import json_schema as schema
from fooldeap.configuration.choices import Schedule
from fooldeap.errors import InputError
from fooldeap.plugin import Annotated, Gt, mutation
from fooldeap.results import RunInfo
from fooldeap.runs.experiment_session import ExperimentSession


def rate(**schedule):
    experiment = config.load({}, arguments={"mutation": {"name": "random_pixels", "rate": schedule}})
    return experiment.mutation.values["rate"]


@pytest.mark.parametrize(
    ("schedule", "values"),
    [
        ({"schedule": "constant", "value": 0.2}, {0: 0.2, 900: 0.2}),
        ({"schedule": "linear", "start": 0.1, "end": 0.5, "over": 4}, {0: 0.1, 1: 0.2, 2: 0.3, 4: 0.5, 99: 0.5}),
        ({"schedule": "exponential", "start": 0.8, "end": 0.1, "over": 3}, {0: 0.8, 1: 0.4, 2: 0.2, 3: 0.1, 99: 0.1}),
        (
            {"schedule": "halving", "start": 0.1, "every": 1000, "least": 0.03},
            {0: 0.1, 999: 0.1, 1000: 0.05, 1999: 0.05, 2000: 0.03, 9000: 0.03},
        ),
    ],
)
def test_values(schedule, values):
    assert {generation: rate(**schedule).at(generation) for generation in values} == pytest.approx(values)


@pytest.mark.parametrize("kind", ["linear", "exponential"])
@pytest.mark.parametrize(("start", "end"), [(10.0, 0.1), (0.1, 10.0), (0.3, 0.7), (1e-300, 1e300), (5.0, 5.0)])
def test_the_ends_are_met_to_the_bit_and_never_left(kind, start, end):
    schedule = Schedule(kind, {"start": start, "end": end, "over": 700})
    values = [schedule.at(generation) for generation in range(703)]
    assert values[0] == start
    assert set(values[700:]) == {end}
    assert min(values) == min(start, end)
    assert max(values) == max(start, end)


def test_a_schedule_needs_good_values_only_as_long_as_the_run_may_take():
    short = {"schedule": "halving", "start": 0.1, "every": 9}
    rate = {"mutation": {"name": "random_pixels", "rate": short}}
    experiment = config.load({}, ["stop.generations=500"], arguments=rate)
    assert experiment.mutation.values["rate"].at(500) > 0


def test_a_number_that_may_be_null_may_follow_a_schedule():
    @mutation("optional")
    def optional(genomes, rng, *, amount: Annotated[float, Gt(0)] | None = None):
        """Do nothing."""
        return genomes

    amount = {"schedule": "linear", "start": 1, "end": 2, "over": 4}
    given = {"mutation": {"name": "optional", "amount": amount}}
    assert config.load({}, arguments=given, plugins=[optional]).mutation.values["amount"].at(2) == 1.5
    schema.text(schema.experiment(registry.load([optional])))


def test_integers_are_rounded():
    size = {"schedule": "linear", "start": 2, "end": 5, "over": 4}
    experiment = config.load({}, arguments={"selection": {"name": "tournament", "size": size}})
    sizes = [experiment.selection.values["size"].at(generation) for generation in range(6)]
    assert sizes == [2, 3, 4, 4, 5, 5]
    assert {type(each) for each in sizes} == {int}


def test_the_operator_sees_the_number_of_its_generation():
    seen = []

    @mutation("watched")
    def watched(genomes, rng, *, amount: float = 1.0):
        """See."""
        seen.append(amount)
        return genomes

    amount = {"schedule": "linear", "start": 0.0, "end": 10.0, "over": 10}
    changes = {**TINY, "mutation": {"name": "watched", "amount": amount}, "targets": [0]}
    run(config.load({}, arguments={**changes, "stop": {"confidence": None, "generations": 5}}, plugins=[KIT, watched]))
    assert seen[-5:] == [1.0, 2.0, 3.0, 4.0, 5.0]  # the first population is not mutated


def test_schedules_work_inside_mixed():
    inner = {"name": "random_pixels", "rate": {"schedule": "halving", "start": 0.5, "every": 2, "least": 0.01}}
    experiment = tiny(mutation={"name": "mixed", "of": [inner, {"name": "creep", "weight": 2}]})
    again = config.load(experiment.data(), plugins=[KIT])
    assert again.data() == experiment.data()
    assert experiment.data()["mutation"]["of"] == [
        {**inner, "weight": 1.0},
        {"name": "creep", "rate": 0.05, "step": 32, "weight": 2},
    ]
    toolbox = ExperimentSession(experiment).toolbox(RunInfo(1, (0,)))
    images = toolbox.sample(400)
    shares = []
    for toolbox.generation in (0, 20):
        changed = (toolbox.mutate(images.copy()) != images).mean(axis=(1, 2, 3))
        shares.append((changed > 0.25).mean())
    assert shares[0] == pytest.approx(1 / 3, abs=0.1)
    assert shares[1] == 0


def test_a_scheduled_run_resumes_to_the_same_bits(tmp_path):
    amount = {"schedule": "exponential", "start": 0.5, "end": 0.01, "over": 20}
    experiment = tiny(mutation={"name": "random_pixels", "rate": amount}, stop={"generations": 30, "confidence": None})
    check_resumes_wherever_cut(experiment, tmp_path, times=1)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        (
            "mutation",
            {"rate": {"schedule": "linaer"}},
            "or a schedule: {schedule: one of constant, linear, exponential, halving, ...}",
        ),
        (
            "mutation",
            {"rate": {"schedule": "linear", "start": 0.1, "end": 2, "over": 9}},
            "mutation.rate: in generation 10000, got 2.0, expected a number > 0 and <= 1",
        ),
        (
            "mutation",
            {"rate": {"schedule": "halving", "start": 0.1, "every": 9}},
            "in generation 10000, got 0.0, expected a number > 0 and <= 1; add 'least'",
        ),
        (
            "mutation",
            {"rate": {"schedule": "constant", "value": 0.1, "vlaue": 9}},
            "unknown key; did you mean 'value'?",
        ),
        (
            "mutation",
            {"rate": {"schedule": "linear", "start": 0.1, "end": 0.2}},
            "mutation.rate.over: is missing; expected an integer >= 1",
        ),
        (
            "mutation",
            {"rate": {"schedule": "halving", "start": 2, "every": 9}},
            "in generation 0, got 2.0, expected a number > 0 and <= 1",
        ),
        (
            "algorithm",
            {"elites": {"schedule": "constant", "value": 1}},
            "expected an integer >= 0; only numbers of fitness, mutation, crossover, selection can follow a schedule",
        ),
        (
            "mutation",
            {"name": "mixed", "of": [{"name": "block", "weight": {"schedule": "constant", "value": 1}}]},
            "expected a number > 0; only numbers of fitness, mutation, crossover, selection can follow a schedule",
        ),
        ("mutation", {"rate": {"schedule": ["linear"], "start": 0.1}}, "or a schedule: {schedule: one of constant"),
        ("mutation", {"rate": {"schedule": {"a": 1}}}, "or a schedule: {schedule: one of constant"),
        (
            "selection",
            {"size": {"schedule": "linear", "start": 5000, "end": -5000, "over": 20000}},
            "in generation 10000, got 0, expected an integer >= 1 and <= 10000",
        ),
        (
            "mutation",
            {"name": "gaussian", "sigma": {"schedule": "linear", "start": 1e308, "end": -1e308, "over": 20000}},
            "in generation 10000, got 0.0, expected a number > 0",
        ),
        ("mutation", {"name": "mixed", "of": []}, "got [], expected a list of mutations, each a name"),
        ("mutation", {"name": "mixed", "of": "block"}, 'got "block", expected a list of mutations, each a name'),
        (
            "mutation",
            {"name": "mixed", "of": ["blok"]},
            "mutation.of[0]: no mutation is named 'blok'; did you mean 'block'?",
        ),
        (
            "mutation",
            {"name": "mixed", "of": [{"name": "block", "weight": 0}]},
            "mutation.of[0].weight: got 0, expected a number > 0",
        ),
        ("mutation", {"name": "mixed"}, "mutation.of: is missing; expected a list of mutations"),
    ],
)
def test_invalid_schedules_are_refused(key, value, said):
    base = {"mutation": "random_pixels", "algorithm": "generational", "selection": "tournament"}[key]
    with pytest.raises(InputError) as error:
        config.load({}, arguments={key: {"name": base, **value}})
    assert said in str(error.value)
    assert len(str(error.value).splitlines()) == 1
