"""The generative classifier: Bayes' rule against scipy's densities, what is rejected, and files that are none."""

import io

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from fooldeap import registry
from fooldeap.audit import settings
from fooldeap.configuration import config
from fooldeap.errors import InputError
from fooldeap.plugin import Split
from fooldeap.runs.experiment_session import ExperimentSession
from fooldeap_plugins.classifier import _mixture
from fooldeap_plugins.classifier.density import Density


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Densities of three classes of images of 3 x 4 pixels: (file, data, densities)."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 7000)
    centres = rng.integers(60, 200, (3, 12))
    images = (
        np.clip(centres[labels] + 25 * rng.standard_normal((7000, 12)), 0, 255).astype(np.uint8).reshape(-1, 3, 4, 1)
    )
    data = Split(images, labels, images[:500], labels[:500])
    model = _mixture.fit(data, 5, 2, np.random.default_rng(1))
    path = tmp_path_factory.mktemp("density") / "small.npz"
    np.savez(path, **model._asdict())
    return path, data, model


def test_the_logits_are_bayes_rule_on_densities_of_the_whole_image(small):
    path, data, model = small
    images = data.test_images[:50]
    points = images.reshape(50, -1) / 255 - model.mean
    size, kept = points.shape[1], model.directions.shape[1]
    rest = np.linalg.svd(model.directions, full_matrices=True)[0][:, kept:]
    expected = np.empty((50, 3))
    for label in range(3):
        parts = []
        for root, shift, offset in zip(model.roots[label], model.shifts[label], model.offsets[label], strict=True):
            covariance = np.linalg.inv(root @ root.T)
            mean = shift @ np.linalg.inv(root)
            weight = offset - np.linalg.slogdet(root)[1] + kept / 2 * np.log(2 * np.pi)
            parts.append(weight + multivariate_normal(mean, covariance).logpdf(points @ model.directions))
        noise = multivariate_normal(np.zeros(size - kept), model.noise * np.eye(size - kept)).logpdf(points @ rest)
        constant = (size - kept) / 2 * np.log(2 * np.pi * model.noise)
        expected[:, label] = logsumexp(parts, axis=0) + noise + constant + model.priors[label]
    found = Density(model=str(path)).logits(images)
    np.testing.assert_allclose(found, expected / model.temperature, rtol=1e-5, atol=1e-4)
    weights = [
        np.exp(model.offsets[0] - np.linalg.slogdet(root)[1] + kept / 2 * np.log(2 * np.pi)) for root in model.roots[0]
    ]
    assert np.diagonal(weights).sum() == pytest.approx(1)


def test_density_is_accurate_and_calibrated(small):
    path, data, _ = small
    logits = Density(model=str(path)).logits(data.train_images[-5000:]).astype(float)
    assert (logits.argmax(axis=1) == data.train_labels[-5000:]).mean() > 0.95
    own = logits[np.arange(5000), data.train_labels[-5000:]]
    losses = [np.mean(logsumexp(factor * logits, axis=1) - factor * own) for factor in (0.9, 1.0, 1.1)]
    assert losses[1] <= min(losses) + 1e-9  # no other temperature makes the labels likelier


@pytest.mark.parametrize("share", [0.01, 0.2])
def test_the_least_likely_share_of_real_images_is_rejected(small, share):
    path, data, _ = small
    plain, rejecting = Density(model=str(path)), Density(model=str(path), reject=share)
    assert (plain.classes, rejecting.classes) == (3, 4)
    assert plain.digest != rejecting.digest
    held_out = data.train_images[-5000:]
    logits, with_class = plain.logits(held_out), rejecting.logits(held_out)
    np.testing.assert_array_equal(with_class[:, :3], logits)
    rejected = with_class[:, 3] > logsumexp(logits.astype(float), axis=1)
    assert rejected.mean() == pytest.approx(share, abs=0.001)
    density = plain.log_densities(held_out)
    assert density[rejected].max() <= density[~rejected].min() + 1e-3
    noise = np.random.default_rng(2).integers(0, 256, (50, 3, 4, 1), dtype=np.uint8)
    assert (rejecting.logits(noise).argmax(axis=1) == 3).mean() > 0.9


def test_the_shipped_one_knows_digits_from_noise():
    data = registry.load().get("dataset", "mnist").build({}).load()
    classifier = config.load({"classifier": {"name": "density", "reject": 0.01}}).classifier.build()
    logits = classifier.logits(data.test_images[:3000])
    assert (logits.argmax(axis=1) == data.test_labels[:3000]).mean() > 0.95
    noise = np.random.default_rng(0).integers(0, 256, (100, 28, 28, 1), dtype=np.uint8)
    assert (classifier.logits(noise).argmax(axis=1) == 10).all()


def test_rejected_class_is_no_default_target():
    """Its log-odds are in the thousands for noise; whoever wants it says so."""
    choices = {"classifier": {"name": "density", "reject": 0.01}, "stop": {"evaluations": 100}}
    with ExperimentSession(config.load(choices)) as ready:
        assert [run.targets for run in ready.runs] == [(digit,) for digit in range(10)]
    with ExperimentSession(config.load({**choices, "targets": [10]})) as ready:
        assert ready.runs[0].targets == (10,)
    assert settings.load("mnist_density", ["classifier.reject=0.01"], budget=10).classes == tuple(range(10))


@pytest.mark.parametrize("content", [b"", b"PK", b"not an archive"])
def test_invalid_density_files_are_refused(content, tmp_path):
    path = tmp_path / "broken.npz"
    path.write_bytes(content)
    with pytest.raises(
        InputError, match=r"is no file of densities .*make one: python tools/fit_density\.py --out NAME"
    ):
        Density(model=str(path)).logits(np.zeros((1, 28, 28, 1), np.uint8))


def test_a_file_with_objects_in_it_is_not_unpickled(small, tmp_path):
    class Evil:
        def __reduce__(self):
            return (print, ("executed",))

    arrays = {**small[2]._asdict(), "mean": np.array([Evil()], object)}
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    path = tmp_path / "evil.npz"
    path.write_bytes(buffer.getvalue())
    with pytest.raises(InputError, match="is no file of densities"):
        Density(model=str(path)).logits(np.zeros((1, 28, 28, 1), np.uint8))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"shape": np.array([10**9, 10**9, 1])}, r"mean is \(12,\), expected \(1000000000000000000,\)"),
        ({"shape": np.array(12)}, "is no file of densities"),
        ({"mean": np.zeros(11)}, r"mean is \(11,\), expected \(12,\)"),
        ({"directions": np.zeros((11, 5))}, r"directions is \(11, 5\), expected \(12, 5\)"),
        ({"priors": np.zeros(4)}, r"priors is \(4,\), expected \(3,\)"),
        ({"roots": np.zeros((3, 2, 5, 4))}, r"roots is \(3, 2, 5, 4\), expected \(3, 2, 5, 5\)"),
    ],
)
def test_arrays_that_do_not_fit_one_another_are_refused(small, tmp_path, change, said):
    path = tmp_path / "odd.npz"
    np.savez(path, **{**small[2]._asdict(), **change})
    with pytest.raises(InputError, match=said):
        _ = Density(model=str(path)).input_shape
