"""MAP-Elites, compared with a plain loop over children and niches."""

from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
from helpers.ancestry import Ancestry
from helpers.experiments import run, tiny

from fooldeap.errors import InputError
from fooldeap_plugins.algorithm.map_elites import map_elites

TARGETS = (0, 1, 3)


def test_parents_are_uniform_elites_of_a_plain_loop():
    toolbox, chance = Ancestry(TARGETS), np.random.default_rng(2)
    evolution = map_elites(toolbox, np.random.default_rng(3), population=60)
    genomes = next(evolution)
    elites, heights, children = {}, dict.fromkeys(TARGETS, -np.inf), Counter()
    for _ in range(40):
        fitness = {target: chance.normal(size=60) for target in TARGETS}
        for target in TARGETS:
            for genome, value in zip(genomes[:, 0], fitness[target], strict=True):
                if value > heights[target]:
                    elites[target], heights[target] = genome, value
        genomes = evolution.send(SimpleNamespace(of=fitness.get))
        of = Counter(toolbox.parents_of(genomes))
        assert set(of) == set(elites.values())
        if len(of) == len(TARGETS):
            children.update({target: of[elites[target]] for target in TARGETS})
    assert min(children.values()) > 0.85 * max(children.values()) > 500


def test_child_takes_every_niche_where_it_is_best():
    result, _ = run(tiny(algorithm={"name": "map_elites", "population": 20}, stop={"generations": 30}))
    assert {each.evaluations for each in result} == {result.evaluations}
    for each in result:
        best = np.maximum.accumulate([row.best for row in each.log])
        assert each.score == best[-1]


def test_several_objectives_are_refused():
    with pytest.raises(InputError, match="the algorithm 'map_elites' takes one objective"):
        run(tiny(algorithm="map_elites", fitness="confidence_and_ink"))


@pytest.mark.parametrize("of", [list, np.array], ids=["list", "array"])
def test_only_winners_are_copied(of):
    names, copied = iter(range(10_000)), []

    def take(genomes, indices):
        copied.append(len(indices))
        return of([genomes[index] for index in indices])

    def renamed(genomes):
        return of([next(names) for _ in genomes])

    toolbox = SimpleNamespace(
        targets=TARGETS,
        sample=lambda count: of([next(names) for _ in range(count)]),
        take=take,
        mate=lambda first, second: (first, second),
        mutate=renamed,
    )
    chance, heights = np.random.default_rng(1), dict.fromkeys(TARGETS, -np.inf)
    evolution = map_elites(toolbox, np.random.default_rng(2), population=5)
    genomes = next(evolution)
    for _ in range(20):
        fitness = {target: chance.normal(size=5) for target in TARGETS}
        won = sum(fitness[target].max() > heights[target] for target in TARGETS)
        heights = {target: max(heights[target], fitness[target].max()) for target in TARGETS}
        copied.clear()
        genomes = evolution.send(SimpleNamespace(of=fitness.get))
        assert type(genomes) is type(of([1]))
        assert copied == ([won] if won else []) + [5]
