"""Retraining: training on earlier images, measures, report, and bit-identical resumption of a chain."""

import csv
import json
import shutil

import numpy as np
import pytest
from helpers.experiments import KIT
from helpers.pages import data_of
from helpers.training import CONFIG, Stripes

from fooldeap.errors import InputError, RunError
from fooldeap.plugin import Split
from fooldeap.result_tools import pages
from fooldeap.result_tools.verify import verify
from fooldeap.results import FoolingImage
from fooldeap.retrain import report, settings
from fooldeap.retrain.chain import RetrainFolder, _Chain, retrain
from fooldeap.retrain.measures import NetworkMeasures
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
    "concurrent_runs": 6,
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


def test_verify_replays_the_runs_of_a_chain(done, tmp_path):
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


def test_later_networks_have_a_class_for_fooling_images(done):
    shown = Stripes().load().test_images
    assert [probabilities(done.folder, network, shown).shape[1] for network in (1, 2, 3)] == [2, 3, 3]
    assert [each.fooling for each in done.measures] == [0, 6, 10]
    assert [each.images for each in done.measures] == [6, 4, 4]


def test_measures_match_the_answers_of_the_networks(done):
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
        for run in found:  # 50 % was reached within the generation that the log shows
            rows = [row for row in log if (int(row["seed"]), int(row["target"])) == (run["seed"], run["target"])]
            after = next(index for index, row in enumerate(rows) if float(row["confidence"]) >= 0.5)
            before = int(rows[after - 1]["evaluations"]) if after else 0
            assert before < run["evaluations_to"]["0.5"] <= int(rows[after]["evaluations"])
        assert each.evaluations_half == np.median([run["evaluations_to"]["0.5"] for run in found])
        if earlier:
            known = probabilities(done.folder, each.network, np.concatenate(earlier)).argmax(axis=1)
            assert each.recognised == pytest.approx((known == 2).mean())
        earlier.append(evolved)


def test_fooling_class_has_its_own_label_for_any_label_type(training, tmp_path, monkeypatch):
    """Labels int8 hold 127 classes and no more; the fooling class is the 128th here."""
    images = np.zeros((128, 8, 8, 1), np.uint8)
    split = Split(images, np.arange(128, dtype=np.int8), images, np.arange(128, dtype=np.int8))
    seen = []
    monkeypatch.setattr("fooldeap.retrain.chain.train_on", lambda data, *_, **__: seen.append(data.train_labels))
    monkeypatch.setattr("fooldeap.retrain.chain.refuse", lambda *_: None)
    monkeypatch.setattr("fooldeap.retrain.chain.loaded", lambda _: split)
    made = _Chain(settings.load({**EXPERIMENT, "training": training}, plugins=PLUGINS), PLUGINS, quiet=True)
    made.folder = RetrainFolder(tmp_path)
    made._train(1, images[:2])
    assert seen[0].tolist() == [*range(128), 128, 128]


def test_targets_are_dataset_classes_and_seeds_are_unique(done):
    runs = [(each["seed"], each["target"]) for network in (1, 2, 3) for each in images(done.folder, network)[0]]
    assert {target for _, target in runs} == {0, 1}
    assert len(set(runs)) == len(runs) == 14


def test_report_has_a_table_and_figures(done):
    pictures = {path.name for path in (done.folder / "figures").iterdir()}
    assert pictures == {"retrain.png", "retrain.svg", "images.png"}
    sheet = FoolingImage.from_png((done.folder / "figures/images.png").read_bytes()).pixels[::7, ::7]
    for row in range(3):
        for column, image in enumerate(images(done.folder, row + 1)[1][:2]):
            assert (sheet[10 * row + 1 : 10 * row + 9, 10 * column + 1 : 10 * column + 9] == image).all()
    report = (done.folder / "report.md").read_text()
    assert all(f"| {each.network} | {each.fooling} |" in report for each in done.measures)
    assert (done.folder / "SHA256SUMS").is_file()


def test_confidences_are_rounded_down_and_proportions_are_rounded():
    measures = NetworkMeasures(2, 60, 0.9905, 40, 39, 0.999899, 0.9712, 0.99991, 700, None, 0.99999)
    row = ["2", "60", "99.05 %", "40", "97.5 %", "99.989 % [97.120 %, 99.991 %]", "700", "∞", "100 %"]
    assert list(report.network_table([measures]).rows[0]) == row


def test_resumed_chain_is_bit_identical(done, training, tmp_path):
    """One run is interrupted, and one network is missing with its run."""
    folder = tmp_path / "again"
    shutil.copytree(done.folder, folder)
    for name in ("summary.json", "SHA256SUMS", "networks/02/run/result.json", "networks/02/run/SHA256SUMS"):
        (folder / name).unlink()
    shutil.rmtree(folder / "networks/03")
    configuration = folder / "networks/02/run/config.yaml"
    assert str(done.folder) in configuration.read_text()  # the configuration has the old path of the model
    again = retrain(resume=folder, plugins=PLUGINS, quiet=True)
    assert again.measures == done.measures
    for network in (1, 2, 3):
        name = f"networks/{network:02d}/model.keras"
        assert (folder / name).read_bytes() == (done.folder / name).read_bytes()
    assert retrain(resume=folder, plugins=PLUGINS, quiet=True).measures == done.measures


LATE = """
from fooldeap.plugin import mutation

CALLS = []


@mutation("late", genome="pixels")
def late(images, rng):
    CALLS.append(1)
    assert len(CALLS) < 9, str(1 / 0)
    return images
"""


def test_error_in_a_run_names_the_command_that_resumes_the_chain(training, tmp_path):
    (tmp_path / "late.py").write_text(LATE)
    with pytest.raises(RunError) as error:
        chain(training, tmp_path / "run", networks=2, plugins=[str(tmp_path / "late.py")], mutation="late")
    assert str(error.value).count("traceback is in") == 1
    assert str(error.value).endswith(f"; resume with: fooldeap retrain --resume {tmp_path / 'run'}")
    assert "ZeroDivisionError" in (tmp_path / "run/error.log").read_text()


def test_chain_killed_before_its_checksums_is_resumed(done, tmp_path):
    folder = shutil.copytree(done.folder, tmp_path / "again")
    for name in ("SHA256SUMS", "report.html"):
        (folder / name).unlink()
    with pytest.raises(InputError, match="is not finished; finish it first: fooldeap retrain --resume"):
        RetrainFolder.open_finished(folder)
    assert retrain(resume=folder, plugins=PLUGINS, quiet=True).measures == done.measures
    assert problems_in(folder) == []
    assert (folder / "report.html").is_file()


def test_resume_accepts_only_keys_of_the_executor(done):
    with pytest.raises(InputError, match="--resume: got 'later=5', expected only keys of the executor"):
        retrain(None, "later=5", resume=done.folder, plugins=PLUGINS)
    with pytest.raises(InputError, match="--resume: got 'networks', expected only keys of the executor"):
        retrain(resume=done.folder, plugins=PLUGINS, networks=4)


def test_model_that_does_not_match_its_card_is_refused(done, tmp_path):
    folder = tmp_path / "changed"
    shutil.copytree(done.folder, folder)
    (folder / "summary.json").unlink()
    model = folder / "networks/01/model.keras"
    model.write_bytes(model.read_bytes() + b"\0")
    with pytest.raises(RunError, match=r"01/model\.keras: does not match its model card model\.md; remove the model"):
        retrain(resume=folder, plugins=PLUGINS, quiet=True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"targets": [2]}, "targets: got 2, expected classes from 0 to 1"),
        ({"images": 60}, "validation: got 64, expected fewer than the 60 training images"),
    ],
)
def test_unsuitable_settings_are_refused_before_anything_is_written(changes, message, training, tmp_path):
    with pytest.raises(InputError, match=message):
        chain(training, tmp_path / "run", **changes)
    assert not (tmp_path / "run").exists()


def test_smoke_reduces_the_retraining(training):
    known = settings.load({"training": training, "smoke": True}, plugins=[Stripes])
    assert (known.chain.networks, known.chain.first, known.chain.later) == (3, 5, 3)
    assert (known.training.epochs, known.experiment.stop.evaluations) == (2, 5000)
    small = settings.load(
        {"training": training, "smoke": True, "networks": 2, "stop": {"evaluations": 10}}, plugins=[Stripes]
    )
    assert (small.chain.networks, small.experiment.stop.evaluations) == (2, 10)


def test_plain_data_gives_the_same_retraining(training):
    known = settings.load({**EXPERIMENT, "training": training}, plugins=PLUGINS)
    again = settings.load(known.data(), plugins=PLUGINS)
    assert again.data() == known.data()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("networks: 3\n", "training: is missing; expected a training file, such as classifiers/mnist_lenet.yaml"),
        ("training: 3\n", "broken.yaml:1:11: training: got 3; expected a training file"),
        ("training: none.yaml\n", "broken.yaml:1:11: training: "),
        ("training: tiny.yaml\nnetworks: 1\n", "broken.yaml:2:11: networks: got 1, expected"),
        ("training: tiny.yaml\nlatter: 1\n", "broken.yaml:2:1: latter: unknown key; did you mean 'later'?"),
        ("training: {name: x, layers: [Flatten], epochs: 0}\n", "broken.yaml:1:48: epochs: got 0"),
        (
            "training: {plugins: [a.py]}\n",
            "broken.yaml:1:21: plugins: a training file inside a retraining cannot have this key; move it",
        ),
    ],
)
def test_errors_in_the_file_name_the_position(text, message, training, tmp_path):
    shutil.copy(training, tmp_path / "tiny.yaml")
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as error:
        settings.load(path, plugins=[Stripes])
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_last_layer_must_be_dense(tmp_path):
    path = tmp_path / "odd.yaml"
    last = "  - Dense: {units: 2, activation: softmax}\n"
    path.write_text(CONFIG.replace(last, "  - Dense: {units: 2}\n  - Softmax\n"))
    with pytest.raises(InputError, match="training: layers: expected a last layer such as 'Dense:"):
        chain(str(path), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_page_has_the_films_of_each_network(done):
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


def test_the_class_of_fooling_images_has_a_name():
    runs = [
        {"target": 3, "seed": 1, "predicted": seen, "confidence": 0.2, "evaluations_to_goal": None, "evaluations": 9}
        | {"image": "images/3.png"}
        for seen in (4, 5)
    ]
    names = [*map(str, range(5)), "fooling image"]
    assert [each.more for each in report._group(2, runs, names).thumbs] == [
        "seen as 4, not in 9",
        "seen as fooling image, not in 9",
    ]
