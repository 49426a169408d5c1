"""CMA-ES, SNES and differential evolution, compared with pycma, published formulas and scipy."""

import itertools
import math
import random
from types import SimpleNamespace

import cma
import numpy as np
import pytest
from helpers.experiments import bits, run, tiny
from helpers.resuming import check_resumes_wherever_cut
from scipy import optimize, stats
from threadpoolctl import ThreadpoolController

from fooldeap.errors import InputError
from fooldeap_plugins.algorithm import cma_es as cma_es_module
from fooldeap_plugins.algorithm._vectors import Space
from fooldeap_plugins.algorithm.cma_es import cma_es
from fooldeap_plugins.algorithm.differential_evolution import _draw_others, differential_evolution
from fooldeap_plugins.algorithm.snes import snes

OPTIMUM = 2.0
NAMES = ("cma_es", "snes", "differential_evolution")
WAVES = {"name": "dct", "size": 4}


def toolbox(dimensions, seed=0):
    """Return a toolbox whose genomes are standard normal points."""
    rng = np.random.default_rng(seed)
    return SimpleNamespace(sample=lambda count: rng.standard_normal((count, dimensions)), bounds=None)


def sphere(points):
    return np.sum((points - OPTIMUM) ** 2, axis=1)


def minimised(evolution, rounds):
    """Minimise the sphere function. Return the points of each generation."""
    found = [next(evolution)]
    for _ in range(rounds):
        found.append(evolution.send(SimpleNamespace(fitness=-sphere(found[-1]))))
    return found


def evaluations_until(generations, goal):
    """Return the number of evaluations until the goal is reached."""
    values = np.concatenate([sphere(points) for points in generations])
    reached = np.flatnonzero(values <= goal)
    return int(reached[0]) + 1 if len(reached) else len(values)


# --- CMA-ES ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("diagonal", [False, True])
def test_cma_es_equals_pycma_with_the_same_random_numbers(diagonal):
    ours = minimised(cma_es(toolbox(6), np.random.default_rng(5), population=7, sigma=0.5, diagonal=diagonal), 40)
    space, rng = Space(toolbox(6), "cma_es"), np.random.default_rng(5)
    options = {"popsize": 7, "CMA_stds": space.spread, "CMA_diagonal": diagonal, "seed": math.nan, "verbose": -9}
    randn = {"randn": lambda *shape: rng.standard_normal(shape)}
    strategy = cma.CMAEvolutionStrategy(space.mean, 0.5, {**options, **randn})
    for points in ours:
        expected = np.array(strategy.ask())
        assert np.array_equal(points, expected)
        strategy.tell(list(expected), sphere(expected).tolist())


def test_cma_es_restarts_with_a_larger_bounded_population(monkeypatch):
    monkeypatch.setattr(cma_es_module, "MAX_POPULATION", 20)
    evolution = cma_es(toolbox(3), np.random.default_rng(1), population=6, growth=2.0)
    sizes = [len(points) for points in minimised(evolution, 260)]
    assert [size for size, _ in itertools.groupby(sizes)] == [6, 12, 20]


def test_cma_es_does_not_depend_on_the_number_of_threads():
    found, blas = [], ThreadpoolController()
    for threads in (1, 2):
        with blas.limit(limits=threads, user_api="blas"):
            found.append(minimised(cma_es(toolbox(256), np.random.default_rng(5)), 40))
    assert np.array_equal(*found)


def test_cma_es_has_no_side_effects(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cma_signals.in").write_text("{'timeout': 0}")  # pycma would read this file
    numpys, pythons = np.random.get_state(), random.getstate()  # noqa: NPY002
    sizes = [len(points) for points in minimised(cma_es(toolbox(6), np.random.default_rng(5), population=6), 30)]
    assert sizes == [6] * 31
    assert all(np.array_equal(*pair) for pair in zip(numpys, np.random.get_state(), strict=True))  # noqa: NPY002
    assert random.getstate() == pythons
    assert [path.name for path in tmp_path.iterdir()] == ["cma_signals.in"]
    assert capfd.readouterr() == ("", "")


def test_cma_es_is_diagonal_for_many_genes():
    points = [
        minimised(cma_es(toolbox(501), np.random.default_rng(5), diagonal=diagonal), 5) for diagonal in (None, True)
    ]
    assert np.array_equal(*points)
    with pytest.raises(InputError, match=r"got 5001 genes, expected at most 5000 with .*; set diagonal: true"):
        next(cma_es(toolbox(5001), np.random.default_rng(5), diagonal=False))


# --- SNES -----------------------------------------------------------------------------------------------------------


def test_snes_equals_its_paper_step_by_step():
    """Algorithm 6 of Wierstra et al. (2014), individual by individual."""
    ours = minimised(snes(toolbox(5), np.random.default_rng(2), sigma=0.7), 30)
    space, rng = Space(toolbox(5), "snes"), np.random.default_rng(2)
    mean, deviation, size = space.mean.copy(), 0.7 * space.spread, 4 + int(3 * math.log(5))
    rate = (3 + math.log(5)) / (5 * math.sqrt(5))
    raw = [max(0.0, math.log(size / 2 + 1) - math.log(rank)) for rank in range(1, size + 1)]
    utilities = [value / sum(raw) - 1 / size for value in raw]
    assert sum(utilities) == pytest.approx(0, abs=1e-12)
    for points in ours:
        drawn = [rng.standard_normal(5) for _ in range(size)]
        np.testing.assert_allclose(points, [mean + deviation * each for each in drawn], rtol=1e-9)
        drawn.sort(key=lambda each: sphere((mean + deviation * each)[None])[0])
        gradient = sum(utility * each for utility, each in zip(utilities, drawn, strict=True))
        spread = sum(utility * (each**2 - 1) for utility, each in zip(utilities, drawn, strict=True))
        mean, deviation = mean + deviation * gradient, deviation * np.exp(rate / 2 * spread)


@pytest.mark.parametrize("dimensions", [4, 16])
def test_snes_converges_at_a_constant_rate(dimensions):
    """On the sphere function, the logarithm of the distance decreases linearly."""
    generations = minimised(snes(toolbox(dimensions), np.random.default_rng(3)), 400)
    best = np.log10([sphere(points).min() for points in generations[: 400 if dimensions > 4 else 200]])
    line = stats.linregress(np.arange(len(best)), best)
    assert best[-1] < -6
    assert line.rvalue < -0.99


# --- Differential evolution -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("strategy", "theirs"), [("rand", "rand1bin"), ("best", "best1bin"), ("current_to_best", "currenttobest1bin")]
)
def test_differential_evolution_needs_as_many_evaluations_as_scipy(strategy, theirs):
    """The evaluations until 1e-3 on the sphere function in five dimensions have the same distribution."""
    ours, scipys = [], []
    for seed in range(25):
        start = np.random.default_rng(1000 + seed).standard_normal((20, 5))
        box = SimpleNamespace(sample=lambda count, start=start: start[:count].copy(), bounds=None)
        evolution = differential_evolution(
            box, np.random.default_rng(seed), population=20, strategy=strategy, weight=0.6, crossover_rate=0.8
        )
        ours.append(evaluations_until(minimised(evolution, 120), 1e-3))
        tried = []

        def noted(points, tried=tried):
            tried.append(points.T.copy())
            return sphere(points.T)

        optimize.differential_evolution(
            noted,
            [(-1000, 1000)] * 5,
            strategy=theirs,
            maxiter=120,
            init=start,
            mutation=0.6,
            recombination=0.8,
            updating="deferred",
            vectorized=True,
            polish=False,
            tol=0,
            rng=np.random.default_rng(seed),
        )
        scipys.append(evaluations_until(tried, 1e-3))
    assert stats.ks_2samp(ours, scipys).pvalue > 1e-3


def test_a_child_has_at_least_one_gene_of_the_mutant():
    evolution = differential_evolution(toolbox(5), np.random.default_rng(1), population=30, crossover_rate=0.0)
    parents, children = minimised(evolution, 1)
    assert ((children != parents).sum(axis=1) == 1).all()


def test_other_individuals_are_different_and_uniform():
    rng, counts = np.random.default_rng(0), np.zeros((3, 6, 6))
    for _ in range(4000):
        others = _draw_others(6, rng)
        for column in range(6):
            assert len({column, *others[:, column]}) == 4
            counts[np.arange(3), column, others[:, column]] += 1
    for place, column in itertools.product(range(3), range(6)):
        drawn = np.delete(counts[place, column], column)
        assert stats.chisquare(drawn).pvalue > 1e-5


# --- All three ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_all_targets_are_reached_on_dct(name):
    result, _ = run(tiny(algorithm=name, genome=WAVES, stop={"confidence": 0.9}))
    assert all(each.stopped == "goal" for each in result)


@pytest.mark.parametrize("name", NAMES)
def test_fitness_improves_on_pixels(name):
    result, _ = run(tiny(algorithm=name, stop={"confidence": None, "evaluations": 1500}))
    for each in result:
        assert each.log[-1].confidence > each.log[0].confidence
        assert each.confidence > 0.7


@pytest.mark.parametrize("name", NAMES)
def test_resume_from_any_point_is_bit_identical(name, tmp_path):
    experiment = tiny(algorithm=name, genome=WAVES, targets=[0, 1], stop={"confidence": None, "evaluations": 400})
    check_resumes_wherever_cut(experiment, tmp_path, times=4)


@pytest.mark.parametrize("name", NAMES)
def test_lockstep_changes_no_bits(name, tmp_path):
    common = {"algorithm": name, "genome": WAVES, "stop": {"confidence": None, "evaluations": 200}}
    for width in (1, 4):
        run(tiny(concurrent_runs=width, **common), tmp_path / f"{width}")
    assert bits(tmp_path / "1")["log.csv"] == bits(tmp_path / "4")["log.csv"]


@pytest.mark.parametrize("name", NAMES)
def test_a_fitness_of_several_objectives_is_refused(name):
    with pytest.raises(InputError, match=f"the algorithm '{name}' takes one objective, but the fitness"):
        run(tiny(algorithm=name, fitness="confidence_and_ink"))


def test_search_starts_at_sampled_genomes():
    space = Space(toolbox(50), "snes")
    assert np.abs(space.mean).max() < 0.6
    assert space.spread == pytest.approx(np.ones(50), abs=0.4)


def test_bytes_are_rounded_and_clipped():
    box = SimpleNamespace(sample=lambda count: np.full((count, 2, 2, 1), 7, np.uint8), bounds=(0, 255))
    space = Space(box, "snes")
    assert space.spread.tolist() == [1] * 4
    genomes = space.genomes(np.array([[-3.0, 3.5001, 254.6, 900.0]]))
    assert genomes.ravel().tolist() == [0, 4, 255, 255]
    assert genomes.shape == (1, 2, 2, 1)
    assert genomes.dtype == np.uint8


def test_black_and_white_is_split_at_one_half():
    box = SimpleNamespace(sample=lambda count: np.arange(count * 3).reshape(count, 3) % 2 == 0, bounds=(0, 1))
    genomes = Space(box, "snes").genomes(np.array([[-3.0, 0.4, 0.6]]))
    assert genomes.tolist() == [[False, False, True]]


@pytest.mark.parametrize("name", NAMES)
def test_networks_are_refused(name):
    with pytest.raises(InputError, match=f"{name} needs a genome that is an array of numbers; use the genome 'dct' or"):
        run(tiny(algorithm=name, genome="cppn"))
