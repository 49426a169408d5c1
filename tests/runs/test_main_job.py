"""The main job, from its YAML file to what stands in its folder, held against plain Keras and against the log."""

import csv
import json
import zipfile
from importlib import resources

import numpy as np
import pytest
from helpers.experiments import ROOT
from PIL import Image

import fooldeap

FILES = {
    "config.yaml",
    "environment.json",
    "result.json",
    "table.md",
    "log.csv",
    "timings.csv",
    "workers.csv",
    "queries.csv",
    "SHA256SUMS",
    "calibration.json",
    "snapshots.npz",
    "report.html",
}


@pytest.fixture(scope="module")
def keras_model():
    from fooldeap.lazy_tensorflow import tensorflow

    tensorflow()
    import keras

    path = resources.files("fooldeap.data") / "classifiers" / "mnist_cnn.keras"
    assert zipfile.is_zipfile(str(path))
    return keras.models.load_model(str(path))


def test_all_ten_digits_are_reached(main_job):
    result, _ = main_job
    assert [run.target for run in result] == list(range(10))
    assert all(run.reached and run.predicted == run.target for run in result)
    assert all(run.evaluations_to_goal <= run.evaluations <= 25_000 for run in result)


def test_each_png_fools_plain_keras(main_job, keras_model):
    _, folder = main_job
    for target in range(10):
        with Image.open(folder / "images" / f"{target}.png") as image:
            assert (image.mode, image.size) == ("L", (28, 28))
            pixels = np.asarray(image)
        probabilities = keras_model.predict(pixels[None, :, :, None].astype("float32"), verbose=0)[0]
        assert probabilities.argmax() == target
        assert probabilities[target] >= 0.9999


def test_the_images_of_the_result_are_those_on_disk(main_job):
    result, folder = main_job
    for run in result:
        with Image.open(folder / f"images/{run.target}.png") as image:
            assert np.array_equal(np.asarray(image), np.asarray(run.image).squeeze())


def test_the_folder_has_the_documented_files(main_job):
    _, folder = main_job
    assert {path.name for path in folder.iterdir() if path.is_file()} == FILES
    assert {path.name for path in (folder / "journal").iterdir()} == {f"seed1-target{t}.journal" for t in range(10)}
    for name, least in (("images/contact_sheet.png", 800), ("figures/growth.png", 1000)):
        with Image.open(folder / name) as image:
            assert image.width >= least
    assert not list(folder.rglob("*.part"))


def test_result_json(main_job):
    result, folder = main_job
    data = json.loads((folder / "result.json").read_text())
    assert list(data) == ["name", "seed", "goal", "evaluations", "seconds", "runs"]
    assert (data["name"], data["seed"], data["goal"]) == ("mnist", 1, {"confidence": 0.9999})
    assert data["evaluations"] == sum(run["evaluations"] for run in data["runs"]) == result.evaluations
    for run in data["runs"]:
        assert run["confidence"] >= 0.9999
        # S = 1 / L and confidence = exp(-L): the score is -1 / log(confidence).
        assert run["score"] == pytest.approx(-1 / np.log(run["confidence"]), rel=1e-3)
        assert (folder / run["image"]).is_file()


def test_the_log_agrees_with_the_result(main_job):
    result, folder = main_job
    with (folder / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    places = [(int(row["seed"]), int(row["target"]), int(row["generation"])) for row in rows]
    assert places == sorted(places)
    for run in result:
        mine = [row for row in rows if int(row["target"]) == run.target]
        assert len(mine) == run.generations + 1
        assert int(mine[-1]["evaluations"]) == run.evaluations
        assert max(float(row["best"]) for row in mine) == run.score
        evaluations = [int(row["evaluations"]) for row in mine]
        assert evaluations == sorted(evaluations)
        assert all(float(row["worst"]) <= float(row["mean"]) <= float(row["best"]) for row in mine)


def test_the_table(main_job):
    _, folder = main_job
    lines = (folder / "table.md").read_text().splitlines()
    assert lines[0] == "| target | predicted | confidence in target | score | evaluations |"
    assert len(lines) == 12


def test_an_image_shows_itself(main_job):
    result, _ = main_job
    png = result[3].image._repr_png_()
    assert png.startswith(b"\x89PNG")
    assert result[3].image.pixels.shape == (28, 28, 1)
    with pytest.raises(KeyError, match="got 11; there are the targets"):
        _ = result[11]


def test_a_folder_is_never_written_over(main_job):
    _, folder = main_job
    with pytest.raises(fooldeap.InputError, match="already exists"):
        fooldeap.run(ROOT / "configs/mnist.yaml", out=folder)


def test_fool_takes_a_keras_model(keras_model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = fooldeap.fool(keras_model, target=3, seed=2)
    assert result[3].reached
    assert result.folder is None
    assert not list(tmp_path.iterdir())


def test_fool_takes_the_classifiers_parameters(keras_model):
    # Told that the model wants [0, 1], it sees nearly black images, which are no certain 3.
    dim = fooldeap.fool(keras_model, 3, "stop.evaluations=500", classifier={"input_range": [0, 1]})
    bright = fooldeap.fool(keras_model, 3, "stop.evaluations=500")
    assert dim[3].score != bright[3].score
    with pytest.raises(fooldeap.InputError, match="outputs: auto"):
        fooldeap.fool(keras_model, 3, classifier={"outputs": "logits"})


def test_fool_refuses_other_objects():
    with pytest.raises(fooldeap.InputError, match="expected a model that a classifier plugin takes"):
        fooldeap.fool(object(), target=3)


def test_toolbox_is_deaps_and_evolves(main_job):
    from deap import base

    toolbox = fooldeap.toolbox(ROOT / "configs/mnist.yaml", targets=[3])
    assert isinstance(toolbox, base.Toolbox)
    genomes = toolbox.sample(40)
    first = toolbox.evaluate(genomes)
    for _ in range(15):
        fitness = toolbox.evaluate(genomes)
        parents = toolbox.take(genomes, toolbox.select(fitness, 40))
        genomes = toolbox.mutate(toolbox.mate(parents[:20], parents[20:])[0])
        genomes = np.concatenate([genomes, parents[:20]])
    assert toolbox.evaluate(genomes).mean() > first.mean()
    # As DEAP's users register their own operator, on the same toolbox:
    toolbox.register("mutate", lambda genomes, value: np.full_like(genomes, value), value=7)
    assert (toolbox.mutate(genomes) == 7).all()


def test_two_seeds_in_one_experiment(tmp_path):
    words = ["seeds=2", "targets=[8]", "stop.evaluations=300"]
    result = fooldeap.run(ROOT / "configs/mnist.yaml", *words, out=tmp_path / "run", quiet=True)
    assert [run.seed for run in result] == [1, 2]
    assert {path.name for path in (tmp_path / "run/images").iterdir()} == {"seed-1", "seed-2", "contact_sheet.png"}
