"""NSGA-II: fronts compared with moocore, crowding by hand, and survivors."""

from types import SimpleNamespace

import moocore
import numpy as np
import pytest
from helpers.ancestry import Ancestry
from helpers.experiments import run, tiny
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fooldeap.pareto import crowding, fronts
from fooldeap_plugins.algorithm.nsga2 import nsga2

FITNESS = st.integers(1, 30).flatmap(
    lambda count: st.integers(2, 4).flatmap(
        lambda objectives: arrays(float, (count, objectives), elements=st.integers(-3, 3).map(float))
    )
)


@given(FITNESS)
def test_fronts_equal_moocore(fitness):
    assert np.array_equal(fronts(fitness), moocore.pareto_rank(-fitness))


def test_crowding_by_hand():
    fitness = np.array([[0.0, 10.0], [1.0, 7.0], [4.0, 5.0], [5.0, 0.0], [1.0, 1.0]])
    assert fronts(fitness).tolist() == [0, 0, 0, 0, 1]
    expected = [np.inf, 4 / 5 + 5 / 10, 4 / 5 + 7 / 10, np.inf, np.inf]
    assert crowding(fitness, fronts(fitness)).tolist() == pytest.approx(expected)


def test_equal_rows_do_not_divide_by_zero():
    fitness = np.ones((4, 2))
    assert np.isfinite(crowding(fitness, fronts(fitness))[1:3]).all()


def from_best(fitness):
    """Return the order of the rows by moocore's front, and then by crowding."""
    front = moocore.pareto_rank(-fitness)
    lonely = crowding(fitness, front)
    return sorted(range(len(fitness)), key=lambda row: (front[row], -lonely[row]))


def on_one_front(count, rng):
    """Return a fitness without dominated rows, so that only crowding decides."""
    first = rng.random(count)
    return np.stack([first, -first], axis=1)


@pytest.mark.parametrize("scores", [on_one_front, lambda count, rng: rng.normal(size=(count, 2))])
def test_survivors_and_parents(scores):
    count, chance, toolbox = 80, np.random.default_rng(2), Ancestry()
    evolution = nsga2(toolbox, np.random.default_rng(3), population=count)
    made, places = next(evolution)[:, 0], []
    fitness = scored = scores(count, chance)
    for _ in range(12):
        best = from_best(fitness)[:count]
        alive, fitness = made[best], fitness[best]
        children = evolution.send(SimpleNamespace(fitness=scored))
        places += [alive.tolist().index(parent) for parent in toolbox.parents_of(children)]  # they all survived
        scored = scores(count, chance)
        made, fitness = np.concatenate([alive, children[:, 0]]), np.concatenate([fitness, scored])
    # The better of two at random is on average a third of the way from the best.
    assert np.mean(places) / count == pytest.approx(1 / 3, abs=0.03)


def test_run_continues_to_reduce_ink_at_the_goal():
    """The run continues at the goal. Its best image has the least ink of those that reached the goal."""
    choices = {
        "algorithm": {"name": "nsga2", "population": 20},
        "fitness": "confidence_and_ink",
        "mutation": {"name": "mixed", "of": ["random_pixels", {"name": "erase", "rate": 0.1}]},
        "targets": [1],
    }
    stop = {"confidence": 0.9, "generations": 60}
    at_once, _ = run(tiny(**choices, stop=stop))
    later, _ = run(tiny(**choices, stop={**stop, "stop_at_goal": False}))
    assert at_once[1].stopped == "goal"
    assert later[1].stopped == "generations"
    assert later[1].evaluations_to_goal == at_once[1].evaluations_to_goal
    assert later[1].confidence >= 0.9
    assert later[1].image.pixels.sum() < 0.5 * at_once[1].image.pixels.sum()


def test_total_variation_by_hand():
    from fooldeap.plugin import Predictions
    from fooldeap_plugins.fitness.confidence_and_ink import confidence_and_ink

    board = (np.add.outer(np.arange(4), np.arange(6)) % 2 * 255).astype(np.uint8)
    half = np.zeros((4, 6), np.uint8)
    half[:, 3:] = 51
    images = np.stack([board, half, np.full((4, 6), 255, np.uint8)])[..., None]
    predictions = Predictions(np.zeros((3, 4), np.float32), images)
    _, variation = confidence_and_ink(predictions, 1, ink="variation").T
    assert variation.tolist() == pytest.approx([-1, -4 * 0.2 / (4 * 5 + 3 * 6), 0])
    confidence, ink = confidence_and_ink(predictions, 1).T
    assert confidence == pytest.approx(np.log(0.25))
    assert ink.tolist() == pytest.approx([-0.5, -0.1, -1])
    assert confidence_and_ink(predictions, 1, paper=255)[2, 1] == 0
