"""Retraining: each network knows the images of those before, what is measured is true, and a chain goes on exactly."""

import csv
import json
import shutil

import numpy as np
import pytest
from conftest import KIT
from test_report import data_of
from test_train import CONFIG, Stripes

from fooldeap.errors import InputError, RunError
from fooldeap.finished import pages
from fooldeap.finished.verify import verify
from fooldeap.plugin import Split
from fooldeap.results import FoolingImage
from fooldeap.retrain import report, settings
from fooldeap.retrain.chain import RetrainFolder, _Chain, retrain
from fooldeap.retrain.measures import Measures
from fooldeap.runs.folder import problems_in

EXPERIMENT = {
    "name": "chain",
    "networks": 3,
    "first": 3,
    "later": 2,
    "algorithm": {"name": "generational", "population": 20},
    "plugins": [str(KIT / "shifting.py")],
    "mutation": "shift_some",
    "stop": {"confidence": 0.97, "evaluations": 400},
    "lockstep": 6,
}


PLUGINS = (Stripes,)


@pytest.fixture(scope="module")
def training(tmp_path_factory):
    path = tmp_path_factory.mktemp("training") / "tiny.yaml"
    path.write_text(CONFIG.replace("epochs: 3", "epochs: 4"))
    return str(path)


def chain(training, folder, **changes):
    return retrain({**EXPERIMENT, "training": training, **changes}, out=folder, plugins=PLUGINS, quiet=True)


@pytest.fixture(scope="module")
def done(training, tmp_path_factory):
    return chain(training, tmp_path_factory.mktemp("chain") / "run")


def test_a_chain_is_verified(done, tmp_path):
    copy = shutil.copytree(done.folder, tmp_path / "copy")
    assert verify(copy, sample=2).reproduced
    assert not verify(copy).problems
    log = copy / "networks/02/run/log.csv"
    log.write_text(log.read_text().replace("0", "1", 1))
    (problem, *_) = verify(copy, sample=1).problems
    assert "log.csv" in problem
    (copy / "summary.json").unlink()
    with pytest.raises(InputError, match="is not finished; finish it first: fooldeap retrain --resume"):
        verify(copy)


def images(folder, network):
    found = json.loads((folder / f"networks/{network:02d}/run/result.json").read_text())["runs"]
    place = folder / f"networks/{network:02d}/run"
    return found, np.array([FoolingImage.from_png((place / each["image"]).read_bytes()).pixels for each in found])


def probabilities(folder, network, shown):
    import keras

    model = keras.models.load_model(folder / f"networks/{network:02d}/model.keras")
    return model.predict(shown, verbose=0)


def test_the_networks_after_the_first_have_a_class_for_fooling_images(done):
    shown = Stripes().load().test_images
    assert [probabilities(done.folder, network, shown).shape[1] for network in (1, 2, 3)] == [2, 3, 3]
    assert [each.fooling for each in done.measures] == [0, 6, 10]
    assert [each.images for each in done.measures] == [6, 4, 4]


def test_what_is_measured_is_what_the_networks_say(done):
    data, earlier = Stripes().load(), []
    for each in done.measures:
        found, evolved = images(done.folder, each.network)
        clean = probabilities(done.folder, each.network, data.test_images).argmax(axis=1)
        assert each.accuracy == pytest.approx((clean == data.test_labels).mean())
        own = probabilities(done.folder, each.network, evolved)
        confidence = [row[run["target"]] for row, run in zip(own, found, strict=True)]
        assert each.confidence == pytest.approx(np.median(confidence), abs=1e-5)
        assert each.reached == sum(value >= 0.97 - 1e-6 for value in confidence)
        log = list(csv.DictReader((done.folder / f"networks/{each.network:02d}/run/log.csv").read_text().splitlines()))
        for run in found:  # 50 % came within the generation that the log shows it in
            rows = [row for row in log if (int(row["seed"]), int(row["target"])) == (run["seed"], run["target"])]
            after = next(index for index, row in enumerate(rows) if float(row["confidence"]) >= 0.5)
            before = int(rows[after - 1]["evaluations"]) if after else 0
            assert before < run["evaluations_to"]["0.5"] <= int(rows[after]["evaluations"])
        assert each.evaluations_half == np.median([run["evaluations_to"]["0.5"] for run in found])
        if earlier:
            known = probabilities(done.folder, each.network, np.concatenate(earlier)).argmax(axis=1)
            assert each.recognised == pytest.approx((known == 2).mean())
        earlier.append(evolved)


def test_the_fooling_class_has_a_label_of_its_own_in_any_type(training, tmp_path, monkeypatch):
    """Labels int8 hold 127 classes and no more; the fooling class is the 128th here."""
    images = np.zeros((128, 8, 8, 1), np.uint8)
    split = Split(images, np.arange(128, dtype=np.int8), images, np.arange(128, dtype=np.int8))
    seen = []
    monkeypatch.setattr("fooldeap.retrain.chain.train_on", lambda data, *_, **__: seen.append(data.train_labels))
    monkeypatch.setattr("fooldeap.retrain.chain.refuse", lambda *_: None)
    monkeypatch.setattr("fooldeap.retrain.chain.loaded", lambda _: split)
    made = _Chain(settings.load({**EXPERIMENT, "training": training}, plugins=PLUGINS), PLUGINS, quiet=True)
    made.folder = RetrainFolder(tmp_path)
    made._network(1, images[:2])
    assert seen[0].tolist() == [*range(128), 128, 128]


def test_no_image_is_evolved_for_the_fooling_class_and_no_seed_is_used_twice(done):
    runs = [(each["seed"], each["target"]) for network in (1, 2, 3) for each in images(done.folder, network)[0]]
    assert {target for _, target in runs} == {0, 1}
    assert len(set(runs)) == len(runs) == 14


def test_there_are_a_table_and_a_picture(done):
    pictures = {path.name for path in (done.folder / "figures").iterdir()}
    assert pictures == {"retrain.png", "retrain.svg", "images.png"}
    sheet = FoolingImage.from_png((done.folder / "figures/images.png").read_bytes()).pixels[::7, ::7]
    for row in range(3):
        for column, image in enumerate(images(done.folder, row + 1)[1][:2]):
            assert (sheet[10 * row + 1 : 10 * row + 9, 10 * column + 1 : 10 * column + 9] == image).all()
    report = (done.folder / "report.md").read_text()
    assert all(f"| {each.network} | {each.fooling} |" in report for each in done.measures)
    assert (done.folder / "SHA256SUMS").is_file()


def test_what_falls_short_of_the_goal_is_not_printed_as_the_goal():
    table = report.markdown_table([Measures(2, 60, 0.9905, 40, 39, 0.999899, 0.9712, 0.99991, 700, None, 0.99999)])
    row = "| 2 | 60 | 99.050 % | 40 | 97.500 % | 99.989 % [97.120 %, 99.991 %] | 700 | ∞ | 99.999 % |"
    assert table.splitlines()[-1] == row


def test_a_chain_goes_on_where_it_was_interrupted(done, training, tmp_path):
    """A run that was interrupted, and a network that is missing with its run: the same bytes at the end."""
    folder = tmp_path / "again"
    shutil.copytree(done.folder, folder)
    for name in ("summary.json", "SHA256SUMS", "networks/02/run/result.json", "networks/02/run/SHA256SUMS"):
        (folder / name).unlink()
    shutil.rmtree(folder / "networks/03")
    configuration = folder / "networks/02/run/config.yaml"
    assert str(done.folder) in configuration.read_text()  # its model is where it was
    again = retrain(resume=folder, plugins=PLUGINS, quiet=True)
    assert again.measures == done.measures
    for network in (1, 2, 3):
        name = f"networks/{network:02d}/model.keras"
        assert (folder / name).read_bytes() == (done.folder / name).read_bytes()
    assert retrain(resume=folder, plugins=PLUGINS, quiet=True).measures == done.measures


def test_a_chain_that_was_killed_before_it_was_sealed_is_not_finished(done, tmp_path):
    folder = shutil.copytree(done.folder, tmp_path / "again")
    for name in ("SHA256SUMS", "report.html"):
        (folder / name).unlink()
    with pytest.raises(InputError, match="is not finished; finish it first: fooldeap retrain --resume"):
        RetrainFolder.open_finished(folder)
    assert retrain(resume=folder, plugins=PLUGINS, quiet=True).measures == done.measures
    assert problems_in(folder) == []
    assert (folder / "report.html").is_file()


def test_a_chain_goes_on_as_it_was_begun(done):
    with pytest.raises(InputError, match="--resume: got 'later=5', expected keys of the executor alone"):
        retrain(None, "later=5", resume=done.folder, plugins=PLUGINS)
    with pytest.raises(InputError, match="--resume: got 'networks', expected keys of the executor alone"):
        retrain(resume=done.folder, plugins=PLUGINS, networks=4)


def test_a_model_that_is_not_that_of_its_card_is_refused(done, tmp_path):
    folder = tmp_path / "changed"
    shutil.copytree(done.folder, folder)
    (folder / "summary.json").unlink()
    model = folder / "networks/01/model.keras"
    model.write_bytes(model.read_bytes() + b"\0")
    with pytest.raises(RunError, match=r"01/model\.keras: is not the model of its card model\.md; remove it"):
        retrain(resume=folder, plugins=PLUGINS, quiet=True)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"targets": [2]}, "targets: got 2, expected classes from 0 to 1"),
        ({"images": 60}, "validation: got 64, expected fewer than the training images, of which there are 60"),
    ],
)
def test_what_does_not_go_together_is_refused_before_anything_is_written(changes, told, training, tmp_path):
    with pytest.raises(InputError, match=told):
        chain(training, tmp_path / "run", **changes)
    assert not (tmp_path / "run").exists()


def test_smoke_makes_all_of_it_small(training):
    known = settings.load({"training": training, "smoke": True}, plugins=[Stripes])
    assert (known.chain.networks, known.chain.first, known.chain.later) == (3, 5, 3)
    assert (known.training.epochs, known.experiment.stop.evaluations) == (2, 5000)
    small = settings.load(
        {"training": training, "smoke": True, "networks": 2, "stop": {"evaluations": 10}}, plugins=[Stripes]
    )
    assert (small.chain.networks, small.experiment.stop.evaluations) == (2, 10)


def test_what_it_says_as_yaml_is_the_same_retraining(training):
    known = settings.load({**EXPERIMENT, "training": training}, plugins=PLUGINS)
    again = settings.load(known.data(), plugins=PLUGINS)
    assert again.data() == known.data()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("networks: 3\n", "training: is missing; expected a training file, such as classifiers/mnist_lenet.yaml"),
        ("training: 3\n", "broken.yaml:1:11: training: got 3; expected a training file"),
        ("training: none.yaml\n", "broken.yaml:1:11: training: "),
        ("training: tiny.yaml\nnetworks: 1\n", "broken.yaml:2:11: networks: got 1, expected"),
        ("training: tiny.yaml\nlatter: 1\n", "broken.yaml:2:1: latter: unknown key; did you mean 'later'?"),
        ("training: {name: x, layers: [Flatten], epochs: 0}\n", "broken.yaml:1:48: epochs: got 0"),
        (
            "training: {plugins: [a.py]}\n",
            "broken.yaml:1:21: plugins: stands in the training file, expected in that of",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text, told, training, tmp_path):
    shutil.copy(training, tmp_path / "tiny.yaml")
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as error:
        settings.load(path, plugins=[Stripes])
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_a_network_that_ends_in_no_dense_layer_is_refused(tmp_path):
    path = tmp_path / "odd.yaml"
    last = "  - Dense: {units: 2, activation: softmax}\n"
    path.write_text(CONFIG.replace(last, "  - Dense: {units: 2}\n  - Softmax\n"))
    with pytest.raises(InputError, match="training: layers: expected a last layer such as 'Dense:"):
        chain(str(path), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_there_is_a_page_with_the_films_of_each_network(done):
    page = (done.folder / "report.html").read_text()
    films = [each for each in data_of(page) if isinstance(each, list)]
    assert len(films) == len(done.measures)
    for network, own in enumerate(films, 1):
        run = done.folder / f"networks/{network:02d}/run"
        expected = json.loads((run / "result.json").read_text())["runs"][: len(own)]
        assert [film["evaluations"][-1] for film in own] == [each["evaluations"] for each in expected]
        assert not (run / "report.html").exists()
    before = (done.folder / "report.html").read_bytes()
    assert pages.make(done.folder).read_bytes() == before
