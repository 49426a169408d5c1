"""How far images are from real ones: against scipy's distances and votes counted by hand."""

import csv
from collections import Counter

import numpy as np
import pytest
from helpers.experiments import KIT
from PIL import Image
from scipy.spatial.distance import cdist

import fooldeap
from fooldeap.images.nearest import NEIGHBOURS, Neighbourhood
from fooldeap.plugin import Split


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 400)
    images = (
        rng.integers(0, 256, (400, 4, 5, 1), dtype=np.uint8) // 2 + (labels * 40).astype(np.uint8)[:, None, None, None]
    )
    return Split(images[:300], labels[:300], images[300:], labels[300:])


def test_distance_share_and_verdict(data):
    images, targets = data.test_images[:20][:, ::-1], [index % 3 for index in range(20)]
    distances = cdist(images.reshape(20, -1).astype(float), data.train_images.reshape(300, -1).astype(float))
    for image_distances, target, found in zip(
        distances, targets, Neighbourhood(data).nearest(images, targets), strict=True
    ):
        own = np.where(data.train_labels == target, image_distances, np.inf)
        assert found.distance == pytest.approx(own.min())
        assert np.array_equal(found.image, data.train_images[own.argmin()])
        real = data.test_images[data.test_labels == target].reshape(-1, 20).astype(float)
        usual = cdist(real, data.train_images[data.train_labels == target].reshape(-1, 20).astype(float)).min(axis=1)
        assert found.farther == (usual > own.min()).mean()
        near = data.train_labels[np.argsort(image_distances)[:NEIGHBOURS]].tolist()
        counts = Counter(near)
        assert found.verdict == next(label for label in near if counts[label] == max(counts.values()))


def test_a_training_image_is_its_own_neighbour(data):
    (found,) = Neighbourhood(data).nearest(data.train_images[7:8], [int(data.train_labels[7])])
    assert (found.distance, found.farther) == (0, 1)


def test_the_reporter_writes_a_table_and_a_picture(tmp_path):
    choices = {"reporters": ["nearest"], "targets": [2, 3], "stop": {"evaluations": 100}}
    result = fooldeap.run(choices, out=tmp_path / "run", quiet=True)
    rows = list(csv.DictReader((tmp_path / "run/nearest.csv").read_text().splitlines()))
    assert [int(row["target"]) for row in rows] == [2, 3]
    assert all(float(row["distance"]) > 3000 and float(row["farther"]) == 0 for row in rows)  # it is noise
    assert [float(row["confidence"]) for row in rows] == [run.confidence for run in result]
    with Image.open(tmp_path / "run/figures/nearest.png") as picture:
        assert picture.width > 2 * picture.height


@pytest.mark.filterwarnings("ignore:the classifier is correct on")  # the labels are made up
def test_the_real_images_are_those_of_the_experiment(tmp_path):
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (60, 8, 8, 1), dtype=np.uint8), np.arange(60) % 4
    np.savez(tmp_path / "own.npz", x_train=images[:40], y_train=labels[:40], x_test=images[40:], y_test=labels[40:])
    choices = {"classifier": "tiny", "reporters": ["nearest"], "targets": [1], "stop": {"evaluations": 50}}
    choices["dataset"] = {"name": "npz", "path": str(tmp_path / "own.npz")}
    result = fooldeap.run(choices, out=tmp_path / "run", plugins=[KIT], quiet=True)
    (row,) = csv.DictReader((tmp_path / "run/nearest.csv").read_text().splitlines())
    own = images[:40][labels[:40] == 1].astype(float)
    distances = np.linalg.norm((own - result[1].image.pixels).reshape(len(own), -1), axis=1)
    assert float(row["distance"]) == pytest.approx(distances.min())


@pytest.mark.filterwarnings("ignore:the classifier is correct on")
@pytest.mark.parametrize("dtype", [np.uint8, np.uint64, np.int8])
def test_targets_without_real_images_are_left_out(tmp_path, dtype):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (60, 8, 8, 1), dtype=np.uint8)
    train, test = np.array([1, 2] * 20, dtype), np.array([0, 1] * 10, dtype)  # of 2 no test image, of 0 no training one
    np.savez(tmp_path / "own.npz", x_train=images[:40], y_train=train, x_test=images[40:], y_test=test)
    choices = {"classifier": "tiny", "reporters": ["nearest"], "stop": {"evaluations": 50}}
    choices["dataset"] = {"name": "npz", "path": str(tmp_path / "own.npz")}
    fooldeap.run(choices, out=tmp_path / "run", plugins=[KIT], quiet=True)
    rows = list(csv.DictReader((tmp_path / "run/nearest.csv").read_text().splitlines()))
    assert [(row["target"], bool(row["farther"])) for row in rows] == [("1", True), ("2", False)]
    assert {row["verdict"] for row in rows} <= {"1", "2"}


def test_nothing_is_written_if_real_images_have_another_shape(tmp_path):
    choices = {"classifier": "tiny", "reporters": ["nearest"], "stop": {"evaluations": 50}}
    fooldeap.run(choices, out=tmp_path / "run", plugins=[KIT], quiet=True)
    assert not (tmp_path / "run/nearest.csv").exists()
