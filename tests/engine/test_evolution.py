"""The engine: counts, budgets, stops, cache, lockstep, and the contract that carries every kind of algorithm."""

import numpy as np
import pytest
from helpers.experiments import bits, run, tiny

from fooldeap.engine.run_statistics import pixel_deviation
from fooldeap.errors import FooldeapWarning, InputError, PluginError
from fooldeap.plugin import Predictions
from fooldeap.results import RunInfo
from fooldeap.runs.experiment_session import ExperimentSession

OFF = {"confidence": None}


def shown_in_order(prepared):
    """The images that the classifier saw since it was probed, without padding (which is black)."""
    images = np.concatenate(prepared.classifier.images)
    return images[images.reshape(len(images), -1).any(axis=1)]


def test_evaluations_are_the_distinct_images_shown():
    result, prepared = run(tiny(targets=[2], stop={"evaluations": 200, **OFF}))
    images = shown_in_order(prepared)
    assert result[2].evaluations == result.evaluations == 200 == len(images) == prepared.evaluator.queries.classifier


def test_evaluations_to_goal_is_the_place_of_the_first_image_that_reached_it():
    result, prepared = run(tiny(targets=[1], stop={"confidence": 0.97}))
    logits = prepared.classifier.logits(shown_in_order(prepared))
    reached = Predictions(logits, logits).probabilities[:, 1] >= 0.97
    assert result[1].reached
    assert result[1].evaluations_to_goal == 1 + int(reached.argmax())
    assert result[1].confidence >= 0.97
    assert result[1].predicted == 1


def test_the_goal_is_reached_or_the_result_says_so():
    result, _ = run(tiny(targets=[1], stop={"evaluations": 30}))
    assert (result[1].reached, result[1].evaluations_to_goal, result[1].stopped) == (False, None, "evaluations")


@pytest.mark.parametrize("budget", [1, 11, 12, 13, 100])
def test_a_budget_is_never_exceeded_and_always_used(budget):
    result, prepared = run(tiny(targets=[0], stop={"evaluations": budget, **OFF}))
    assert result[0].evaluations == prepared.evaluator.queries.classifier == budget
    assert result[0].stopped == "evaluations"


def test_generations_counts_those_after_the_first_population():
    result, _ = run(tiny("stop.generations=3", targets=[0], stop=OFF))
    assert result[0].generations == 3
    assert [row.generation for row in result[0].log] == [0, 1, 2, 3]


def test_zero_generations_is_the_first_population_alone():
    result, _ = run(tiny("stop.generations=0", targets=[0], stop=OFF))
    assert (result[0].evaluations, result[0].stopped) == (12, "generations")


def test_score_is_a_goal():
    result, _ = run(tiny(targets=[0], stop={"confidence": None, "score": 2.0}))
    assert result.goal == {"score": 2.0}
    assert result[0].score >= 2.0
    assert result[0].stopped == "goal"


def test_stagnation():
    result, _ = run(tiny("mutation.rate=1", targets=[0], stop={"stagnation": 5, **OFF}))
    log = result[0].log
    assert result[0].stopped == "stagnation"
    assert max(row.best for row in log[-5:]) <= max(row.best for row in log[:-5])


def test_seconds():
    result, _ = run(tiny(targets=[0], stop={"seconds": 0.2, "evaluations": None, **OFF}))
    assert result[0].stopped == "seconds"
    assert result.seconds >= 0.2


def test_an_algorithm_that_shows_nothing_new_is_stalled():
    result, prepared = run(tiny(targets=[0], algorithm="constant", stop=OFF))
    assert result[0].stopped == "stalled"
    assert result[0].evaluations == prepared.evaluator.queries.classifier == 5
    assert len(result[0].log) == 1 + 100


def test_an_image_is_counted_once_a_batch():
    result, prepared = run(tiny(targets=[0], algorithm="twins", stop={"generations": 3, **OFF}))
    assert result[0].evaluations == prepared.evaluator.queries.classifier == 4 * 5
    result, prepared = run(tiny(targets=[0], algorithm="twins", stop={"evaluations": 7, **OFF}))
    assert result[0].evaluations == prepared.evaluator.queries.classifier == 7


def test_an_algorithm_may_end():
    result, _ = run(tiny(targets=[0], algorithm="brief", stop=OFF))
    assert (result[0].stopped, result[0].evaluations) == ("finished", 5)


@pytest.mark.parametrize("overrides", [(), ("algorithm.mutation_rate=0.2", "algorithm.crossover_rate=0.2")])
def test_elites_and_unchanged_children_are_answered_from_memory(overrides):
    result, prepared = run(tiny(*overrides, "stop.generations=20", targets=[0], stop=OFF))
    assert prepared.evaluator.queries.classifier == result.evaluations < 12 * 21


def test_the_log_is_of_the_population():
    result, prepared = run(tiny("stop.generations=0", targets=[3], stop=OFF))
    images = shown_in_order(prepared)
    predictions = Predictions(prepared.classifier.logits(images), images)
    loss = -predictions.log_probabilities[:, 3]
    (row,) = result[3].log
    assert row.best == pytest.approx((1 / loss).max())
    assert row.worst == pytest.approx((1 / loss).min())
    assert row.mean == pytest.approx((1 / loss).mean())
    assert row.std == pytest.approx((1 / loss).std())
    assert row.confidence == pytest.approx(np.exp(-loss).max())
    assert row.diversity == pytest.approx(images.astype(float).std(axis=0).mean())
    assert pixel_deviation(images[:1]) == 0
    large = np.random.default_rng(0).integers(0, 256, (300, 28, 28, 1), dtype=np.uint8)
    assert pixel_deviation(large) == pytest.approx(large.astype(float).std(axis=0).mean(), rel=0.01)
    assert [entry["best"] for entry in result[3].logbook] == [row.best]


def test_lockstep_changes_no_bit(tmp_path):
    for width in (1, 3, 16):
        run(tiny(f"concurrent_runs={width}", seeds=2, stop={"evaluations": 150}), tmp_path / str(width))
    assert bits(tmp_path / "1") == bits(tmp_path / "3") == bits(tmp_path / "16")
    assert len([name for name in bits(tmp_path / "1") if name.startswith("journal/")]) == 8


def test_runs_share_forward_passes():
    alone, together = (run(tiny(f"concurrent_runs={n}", stop={"evaluations": 240, **OFF}))[1] for n in (1, 4))
    assert len(together.classifier.images) < len(alone.classifier.images) / 2
    assert together.evaluator.queries.padding < alone.evaluator.queries.padding


def test_same_seed_same_bits_and_other_seed_others():
    first, again, other = (run(tiny(seed=seed, stop={"evaluations": 100}))[0] for seed in (1, 1, 2))
    assert [each.image.pixels.tobytes() for each in first] == [each.image.pixels.tobytes() for each in again]
    assert [each.image.pixels.tobytes() for each in first] != [each.image.pixels.tobytes() for each in other]


def test_the_first_population_depends_on_seed_and_target_alone():
    common = {"targets": [1], "stop": {"generations": 0, **OFF}}
    one, other = run(tiny(**common)), run(tiny(selection="roulette", mutation="gaussian", **common))
    assert np.array_equal(shown_in_order(one[1]), shown_in_order(other[1]))


def test_runs_are_evaluated_separately_if_rows_depend_on_their_batch():
    with pytest.warns(FooldeapWarning, match="depends on the rest of its batch"):
        result, prepared = run(tiny(classifier="neighbourly", stop={"evaluations": 40}))
    assert prepared.width == 1
    assert len(result) == 4


# --- Algorithms of every sort ---------------------------------------------------------------------------------------


def test_one_genome_at_a_time():
    result, _ = run(tiny(targets=[2], algorithm="hill_climber", stop={"confidence": 0.99}))
    assert result[2].reached


def test_one_run_for_all_targets():
    result, prepared = run(tiny(algorithm="tiny_map_elites", stop={"confidence": 0.9, "evaluations": 20_000}))
    assert [each.target for each in result] == [0, 1, 2, 3]
    assert all(each.reached for each in result)
    assert {each.evaluations for each in result} == {result.evaluations} == {prepared.evaluator.queries.classifier}
    assert result.evaluations == max(row.evaluations for row in result[0].log)


def test_a_joint_run_has_no_single_fitness():
    from fooldeap.plugin import Reply

    predictions = Predictions(np.zeros((2, 4), np.float32), np.zeros((2, 8, 8, 1), np.uint8))
    reply = Reply(predictions, (0, 1), lambda predictions, target: np.full(2, float(target)))
    assert reply.of(1).tolist() == [1, 1]
    with pytest.raises(InputError, match=r"use of\(target\)"):
        _ = reply.fitness
    with pytest.raises(InputError, match="gradient=True"):
        _ = reply.gradient


@pytest.mark.parametrize("algorithm", ["generational", "hill_climber", "tiny_map_elites"])
def test_a_genome_that_is_a_list(algorithm):
    operators = {"genome": "rectangles", "mutation": "another_rectangle", "crossover": "swap_tails"}
    result, _ = run(tiny(algorithm=algorithm, stop={"confidence": 0.9, "evaluations": 5000}, **operators))
    assert sum(each.reached for each in result) >= 2


def test_gradients(tmp_path):
    experiment = tiny(algorithm="ascent", stop={"confidence": 0.999})
    result, _ = run(experiment, tmp_path / "run")
    assert all(each.reached and each.evaluations < 100 for each in result)


# --- Faults ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"algorithm": "faulty"},
            r"'faulty' at generation 1 of seed1-target0 raised ZeroDivisionError: no luck",
        ),
        ({"algorithm": "empty"}, r"algorithm 'empty' .* expected at least one genome"),
        ({"algorithm": "cheat"}, r"write 'reply = yield genomes'"),
        ({"algorithm": "joint_ascent", "targets": [0, 1]}, r"asks for a gradient, which is for runs with one target"),
        ({"algorithm": "no_generator"}, r"is not a generator"),
        (
            {"algorithm": "not_finite"},
            r"'not_finite' at generation 1 of seed1-target0 yielded genomes that are not finite",
        ),
        ({"algorithm": "tuples"}, r"'tuples' at generation 0 of seed1-target0 yielded tuple"),
        ({"algorithm": "ascent", "classifier": "steep"}, r"returned a gradient float64 .* expected finite float32"),
        (
            {"classifier": "double"},
            r"returned float64 \(32, 4\), expected float32 \(32, 4\); return logits.astype\(numpy.float32\)",
        ),
    ],
)
def test_a_fault_names_the_plugin(arguments, message):
    with pytest.raises(PluginError, match=message):
        run(tiny(**{"targets": [0], "stop": OFF, **arguments}))


def test_a_classifier_without_finite_answers_is_refused():
    with pytest.raises(InputError, match=r"classifier: returned NaN or infinity for (\d+) of \1 images"):
        run(tiny(classifier="broken", targets=[0]))


def test_elites_must_leave_room():
    with pytest.raises(InputError, match="expected fewer than the population of 12"):
        run(tiny("algorithm.elites=12", targets=[0]))


def test_a_target_that_the_classifier_has_not():
    with pytest.raises(InputError, match=r"targets: got 4, expected classes from 0 to 3"):
        run(tiny(targets=[4]))


@pytest.mark.parametrize(
    ("fitness", "message"),
    [
        ([1.0, float("nan"), 2.0], "NaN"),
        ([1.0, float("inf")], "infinite"),
        ([[1.0, 2.0], [2.0, 1.0]], "several objectives"),
        ([], "empty population"),
        ("best", "str"),
    ],
)
def test_fitness_without_an_order_is_refused(fitness, message):
    toolbox = ExperimentSession(tiny()).toolbox(RunInfo(1, (0,)))
    with pytest.raises(PluginError, match=f"selection 'tournament' received .*{message}"):
        toolbox.select(fitness if isinstance(fitness, str) else np.array(fitness), 4)
