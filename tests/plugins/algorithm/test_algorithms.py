"""The stock algorithms: the properties of each scheme, and those of all algorithms."""

import itertools

import numpy as np
import pytest
from helpers.experiments import KIT, TINY, run, tiny
from helpers.resuming import check_resumes_wherever_cut

from fooldeap import registry
from fooldeap.configuration import config
from fooldeap.results import RunInfo
from fooldeap.runs.experiment_session import ExperimentSession

NAMES = [plugin.name for plugin in registry.load().all("algorithm")]
SMALL = {"population": 12, "mu": 6, "children": 8}


def sized(name, **values):
    parameters = registry.load().get("algorithm", name).parameters
    return {"name": name, **{key: value for key, value in SMALL.items() if key in parameters}, **values}


def experiment(algorithm, **arguments):
    return tiny(algorithm=algorithm, stop={"confidence": None, "generations": 25}, **arguments)


@pytest.mark.parametrize("name", NAMES)
def test_fitness_improves(name):
    result, _ = run(experiment(sized(name)))
    first = {each.target: each.log[0].best for each in result}
    assert sum(each.score > first[each.target] for each in result) >= 3


@pytest.mark.parametrize("name", NAMES)
def test_resume_from_any_point_is_bit_identical(name, tmp_path):
    check_resumes_wherever_cut(experiment(sized(name), targets=[1]), tmp_path, times=2)


def generations(algorithm, rounds=12, score=None, **choices):
    """Drive an algorithm. Return the images and the fitness of each generation."""
    prepared = ExperimentSession(config.load({}, arguments={**TINY, **choices, "algorithm": algorithm}, plugins=[KIT]))
    toolbox = prepared.toolbox(RunInfo(1, (0,)))
    evolution = prepared.experiment.algorithm.build()(toolbox, np.random.default_rng(3))
    asked, found = next(evolution), []
    for _ in range(rounds):
        fitness = toolbox.evaluate(asked) if score is None else score(asked)
        found.append((asked.copy(), fitness))

        class Said:
            pass

        said = Said()
        said.fitness = fitness
        asked = evolution.send(said)
    return found


def brightness(images):
    return images.reshape(len(images), -1).mean(axis=1)


def known(image, batch):
    return (batch == image).all(axis=(1, 2, 3)).any()


def test_mu_plus_lambda_keeps_the_best_parents():
    # Without mutation, the children consist of genes of the mu best parents.
    found = generations(sized("mu_plus_lambda", mutation_rate=0.0, crossover_rate=0.0), score=brightness)
    pool = np.concatenate([images for images, _ in found])
    for step, (images, _) in enumerate(found[1:], start=1):
        before = np.concatenate([each for each, _ in found[:step]])
        least = np.sort(brightness(np.unique(before, axis=0)))[-6:].min()
        assert (brightness(images) >= least).all()
    assert len(np.unique(pool, axis=0)) == 6


def test_mu_comma_lambda_selects_parents_from_the_last_children_only():
    found = generations(sized("mu_comma_lambda", mutation_rate=0.0, crossover_rate=0.0), score=brightness)
    for (before, fitness), (images, _) in itertools.pairwise(found):
        best = before[np.argsort(-fitness, kind="stable")[:6]]
        assert all(known(image, best) for image in images)


def test_mu_comma_lambda_refuses_fewer_children_than_mu():
    with pytest.raises(Exception, match="children: got 3, expected at least 6, the value of mu"):
        run(experiment({"name": "mu_comma_lambda", "mu": 6, "children": 3}))


def test_steady_state_evaluates_a_few_children_per_generation():
    sizes = [len(images) for images, _ in generations(sized("steady_state", children=2))]
    assert sizes == [12] + [2] * 11


def test_steady_state_replaces_the_worst():
    # Without variation a child is a copy. After one step, the worst two of the first population are lost.
    found = generations(
        sized("steady_state", children=2, mutation_rate=0.0, crossover_rate=0.0), score=brightness, selection="random"
    )
    first, fitness = found[0]
    worst = first[np.argsort(-fitness, kind="stable")[-2:]]
    assert not any(known(image, worst) for images, _ in found[2:] for image in images)


def test_one_plus_one_accepts_mutants_that_are_at_least_as_good():
    found = generations({"name": "one_plus_one"}, rounds=60, score=brightness, mutation={"name": "creep", "rate": 0.02})
    best = found[0][0]
    for image, fitness in found[1:]:
        assert (image != best).mean() < 0.2  # a mutant of the best image, not of a rejected one
        best = image if fitness[0] >= brightness(best)[0] else best
    flat = generations({"name": "one_plus_one"}, rounds=30, score=lambda images: np.zeros(1))
    assert (flat[-1][0] != flat[0][0]).mean() > (flat[1][0] != flat[0][0]).mean()


def test_random_search_ignores_fitness():
    by_brightness = generations(sized("random_search"), score=brightness)
    by_darkness = generations(sized("random_search"), score=lambda images: -brightness(images))
    assert all(np.array_equal(one[0], other[0]) for one, other in zip(by_brightness, by_darkness, strict=True))


def test_retain_and_breed_adds_children_of_survivors():
    choices = {"crossover": "halves"}
    found = generations(
        sized("retain_and_breed", mutation_rate=0.0, lucky=0.0, retain=0.25), score=brightness, **choices
    )
    for (before, fitness), (images, _) in itertools.pairwise(found):
        kept = before[np.argsort(-fitness, kind="stable")[:3]]
        assert np.array_equal(images[:3], kept)
        for child in images[3:]:
            assert (kept[:, :4] == child[:4]).all(axis=(1, 2, 3)).any()
            assert (kept[:, 4:] == child[4:]).all(axis=(1, 2, 3)).any()


def test_retain_and_breed_can_require_a_better_mean():
    algorithm = sized("retain_and_breed", accept="better_mean", mutation_rate=1.0)
    found = generations(algorithm, rounds=40, score=brightness, mutation={"name": "random_pixels", "rate": 0.5})
    accepted = [found[0]]
    for images, fitness in found[1:]:
        # All survivors are mutated, but no generation descends from a rejected one.
        if fitness.mean() > accepted[-1][1].mean():
            accepted.append((images, fitness))
    means = [fitness.mean() for _, fitness in accepted]
    assert 1 < len(accepted) < len(found)
    assert means == sorted(means)
