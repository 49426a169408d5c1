"""MAP-Elites against a plain loop over children and niches."""

import itertools

import numpy as np
import pytest
from conftest import run, tiny

from fooldeap.errors import InputError
from fooldeap.prepared import Prepared
from fooldeap.results import RunInfo

TARGETS = (0, 1, 3)


class Said:
    """A reply in which the fitness for a target is the brightness of one corner of the image."""

    def __init__(self, images):
        self.images = images

    def of(self, target):
        rows, columns = divmod(target, 2)
        corner = self.images[:, 4 * rows : 4 * rows + 4, 4 * columns : 4 * columns + 4]
        return corner.reshape(len(corner), -1).mean(axis=1)


@pytest.fixture(scope="module")
def generations():
    """The images of each of thirty generations, without variation but one pixel of noise."""
    experiment = tiny(
        algorithm={"name": "map_elites", "population": 9}, mutation={"name": "random_pixels", "rate": 0.05}
    )
    with Prepared(experiment) as prepared:
        toolbox = prepared.toolbox(RunInfo(1, TARGETS))
        evolution = experiment.algorithm.build()(toolbox, np.random.default_rng(3))
        found = [next(evolution)]
        for _ in range(30):
            found.append(evolution.send(Said(found[-1].copy())))
    return [images.copy() for images in found]


def test_children_descend_from_the_elites_of_a_plain_loop(generations):
    elites, heights = {}, dict.fromkeys(TARGETS, -1.0)
    descended = set()
    for images, children in itertools.pairwise(generations):
        for target in TARGETS:
            for image, fitness in zip(images, Said(images).of(target), strict=True):
                if fitness > heights[target]:
                    elites[target], heights[target] = image, fitness
        for child in children:
            changed = {target: (child != elite).mean() for target, elite in elites.items()}
            parent = min(changed, key=changed.get)
            assert changed[parent] < 0.25
            descended.add(parent)
    assert descended == set(TARGETS)


def test_a_child_takes_every_niche_that_it_is_best_in():
    result, _ = run(tiny(algorithm={"name": "map_elites", "population": 20}, stop={"generations": 30}))
    assert {each.evaluations for each in result} == {result.evaluations}
    for each in result:
        best = np.maximum.accumulate([row.best for row in each.log])
        assert each.score == best[-1]


def test_several_objectives_are_refused():
    with pytest.raises(InputError, match="map_elites compares one number an image; this fitness gives 2"):
        run(tiny(algorithm="map_elites", fitness="confidence_and_ink"))
