"""Bayesian optimisation: its model, compared with plain formulas, its goal, and its determinism."""

from types import SimpleNamespace

import numpy as np
import pytest
from helpers.experiments import ROOT, bits, run, tiny
from helpers.resuming import check_resumes_wherever_cut
from scipy.fft import idctn
from threadpoolctl import threadpool_info, threadpool_limits

from fooldeap.configuration import config
from fooldeap.errors import InputError
from fooldeap.plugin import Predictions
from fooldeap.runs.experiment_session import ExperimentSession
from fooldeap.runs.run_folder import RunFolder
from fooldeap_plugins.algorithm import bayesian_optimisation as module
from fooldeap_plugins.genome.dct import Dct
from fooldeap_plugins.genome.pixels import Pixels

LENGTH, GOAL = 90.0, 5.0


def drawn(count, classes, seed=0):
    """Return images (count, 12) and logits (count, classes)."""
    chance = np.random.default_rng(seed)
    return chance.uniform(0, 255, (count, 12)), chance.normal(1, 3, (count, classes)).astype(np.float32)


def toolbox(genome, seed=0):
    chance = np.random.default_rng(seed)
    return SimpleNamespace(
        sample=lambda count: genome.sample(count, chance),
        decode=genome.decode,
        bounds=genome.bounds,
        targets=(0, 1),
        goal={},
    )


def small(confidence=0.99, **arguments):
    genome = {"name": "dct", "size": 4}
    algorithm = {"name": "bayesian_optimisation", "start": 8, "confidence": confidence}
    return tiny(genome=genome, algorithm=algorithm, **{"stop": {"confidence": 0.99, "evaluations": 200}, **arguments})


# --- The model ------------------------------------------------------------------------------------------------------


def test_predictions_equal_plain_gaussian_processes():
    """Rasmussen and Williams (2006), equations 2.25 and 2.26, by an inverse and loops."""
    images, logits = drawn(9, 4)
    others, aims = drawn(5, 4, seed=1)[0], np.array([0, 3, 1, 1, 2])
    excess, _ = module._Model(images, logits, LENGTH).excess(others, aims, GOAL)

    def covariance(one, other):
        return np.exp(-np.mean((one - other) ** 2) / (2 * LENGTH**2))

    inverse = np.linalg.inv([[covariance(a, b) for a in images] for b in images] + 1e-4 * np.eye(9))
    centred = logits - logits.astype(float).mean(axis=0)
    variance = np.trace(centred.T @ inverse @ centred) / centred.size
    for image, aim, found in zip(others, aims, excess, strict=True):
        near = np.array([covariance(image, known) for known in images])
        mean = logits.astype(float).mean(axis=0) + near @ inverse @ centred
        p = np.exp(mean) / np.exp(mean).sum()
        line = -p / (1 - p[aim])  # log p / (1 - p) by the other logits
        line[aim] = 1
        deviation = np.sqrt(variance * (1 - near @ inverse @ near) * (line @ line))
        assert found == pytest.approx((np.log(p[aim] / (1 - p[aim])) - GOAL) / deviation, rel=1e-6)


def test_gradients_equal_finite_differences():
    model = module._Model(*drawn(9, 2), LENGTH)
    images, aims = drawn(4, 2, seed=1)[0], np.array([0, 1, 1, 0])
    _, slopes = model.excess(images, aims, GOAL)
    for pixel in range(images.shape[1]):
        step = np.zeros(images.shape[1])
        step[pixel] = 0.01
        change = model.excess(images + step, aims, GOAL)[0] - model.excess(images - step, aims, GOAL)[0]
        assert slopes[:, pixel] == pytest.approx(change / 0.02, rel=1e-4, abs=1e-7)


def test_model_reproduces_its_data():
    images, logits = drawn(9, 4)
    aims = logits.argmax(axis=1)
    excess, _ = module._Model(images, logits, LENGTH).excess(images, aims, GOAL)
    probabilities = Predictions(logits, images).probabilities.max(axis=1)
    assert ((excess > 0) == (np.log(probabilities / (1 - probabilities)) > GOAL)).all()


# --- Effects of genes on images -------------------------------------------------------------------------------------


def test_effects_of_dct_genes_are_measured():
    waves = module._ImageSpace(toolbox(Dct((12, 9, 1), size=3, sigma=2000.0)))._effects
    for gene in range(9):
        coefficients = np.zeros((12, 9))
        coefficients[divmod(gene, 3)] = 1
        exact = idctn(coefficients, norm="ortho").ravel()
        assert waves[gene] == pytest.approx(exact, abs=np.abs(exact).max() / 64)


@pytest.mark.parametrize(
    ("shape", "rows", "columns"),
    [((40, 50, 3), slice(0, None, 3), slice(0, None, 3)), ((99, 101, 1), slice(1, None, 3), slice(0, None, 3))],
)
def test_the_model_sees_a_grid_of_large_images(shape, rows, columns):
    genome = Dct(shape, size=3, sigma=1000.0)
    space = module._ImageSpace(toolbox(genome))
    points = space.random(4)
    whole = genome.decode(space.genomes(points))
    expected = whole[:, rows, columns].reshape(4, -1)
    assert expected.shape[1] <= module.GRID_PIXELS
    seen = space.images(points)
    assert seen == pytest.approx(expected, abs=0.05 * np.abs(seen - 127.5).max())
    assert np.mean(expected == 0) > 0.05, "the images are clipped"


def test_the_model_sees_all_pixels_of_small_images():
    genome = Dct((28, 28, 1), size=3, sigma=1000.0)
    space = module._ImageSpace(toolbox(genome))
    points = space.random(4)
    assert np.array_equal(space.images(points), genome.decode(space.genomes(points)).reshape(4, -1))


def test_clipped_pixels_have_no_gradient():
    space = module._ImageSpace(toolbox(Pixels((4, 3, 1))))
    assert np.array_equal(space._effects, np.eye(12))
    images = np.full((1, 12), 100.0)
    images[0, :2] = 0, 255
    assert np.array_equal(space.slopes(images, np.ones((1, 12))) / space.spread, [[0, 0, *[1] * 10]])


def test_too_large_genomes_are_refused(monkeypatch):
    monkeypatch.setattr(module, "MAX_VALUES", 143)
    with pytest.raises(InputError, match="got 12 genes and images of 12 values, expected a product of at most 143;"):
        module._ImageSpace(toolbox(Pixels((4, 3, 1))))


# --- The goal -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_all_digits_are_reached_with_few_images():
    """With 60 other seeds, at most 182 images were needed. Ten runs of pycma need about 770."""
    experiment = config.load(
        ROOT / "configs/fewest_queries.yaml", ["classifier.model=mnist_lenet"], arguments={"reporters": []}
    )
    with ExperimentSession(experiment) as prepared:
        result = prepared.run(None)
    assert {each.target for each in result if each.confidence >= 0.9999} == set(range(10))
    assert result.evaluations <= 250


def test_images_are_counted_once_for_all_targets():
    result, prepared = run(small(targets=[1, 3]))
    assert [each.stopped for each in result] == ["goal", "goal"]
    assert {each.evaluations for each in result} == {result.evaluations} == {prepared.evaluator.queries.classifier}


@pytest.mark.parametrize("goal", [0.9, 0.9995])
def test_default_confidence_is_the_goal_of_the_run(goal):
    result, _ = run(small(None, stop={"confidence": goal, "evaluations": 300}))
    assert [each.stopped for each in result] == ["goal"] * len(result)


def test_run_continues_with_all_targets_after_its_goal():
    result, _ = run(small(stop={"confidence": None, "evaluations": 60}))
    assert result.evaluations == 60
    assert min(each.confidence for each in result) > 0.99


def test_model_keeps_the_latest_images(monkeypatch):
    monkeypatch.setattr(module, "MAX_IMAGES", 12)
    known = []
    model = module._Model
    monkeypatch.setattr(module, "_Model", lambda *given: known.append(len(given[0])) or model(*given))
    run(small(stop={"confidence": None, "evaluations": 40}))
    assert known[0] == 8
    assert set(known[2:]) == {12}


# --- Determinism ----------------------------------------------------------------------------------------------------


def test_resume_from_any_point_is_bit_identical(tmp_path):
    check_resumes_wherever_cut(small(seeds=2), tmp_path, times=5)


@pytest.mark.parametrize("mode", ["chunks", "runs"])
def test_several_processes_give_identical_bits(tmp_path, mode):
    run(small(seeds=2), tmp_path / "serial")
    with ExperimentSession(small(seeds=2, executor={"name": "scoop", "workers": 2, "mode": mode})) as ready:
        ready.executor.wait()
        ready.run(RunFolder.create(ready.experiment, tmp_path / "scoop"), quiet=True)
    assert bits(tmp_path / "scoop") == bits(tmp_path / "serial")


def test_only_the_model_uses_a_single_thread(monkeypatch):
    """The number of threads determines the order of additions in a product, and so its last bits."""
    counts, model = [], module._Model

    def threads():
        return {each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"}

    monkeypatch.setattr(module, "_Model", lambda *given: counts.append(threads()) or model(*given))
    with threadpool_limits(2, "blas"):
        run(small())
        assert threads() == {2}
    assert counts
    assert all(each == {1} for each in counts)
