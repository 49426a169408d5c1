"""The command `export`: the images of the run, correct labels, and provenance."""

import csv
import json
import shutil

import numpy as np
import pytest
from helpers.commands import call
from helpers.experiments import KIT, resealed, run, tiny
from PIL import Image

import fooldeap
from fooldeap.configuration import config
from fooldeap.plugin import Predictions
from fooldeap.result_tools.export import Collection, collect
from fooldeap.result_tools.kinds import ExportedImage
from fooldeap_plugins.dataset.npz import Npz


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A small run with two targets and two seeds: (result, folder)."""
    folder = tmp_path_factory.mktemp("export") / "run"
    result, _ = run(tiny(targets=[0, 2], seeds=2, stop={"evaluations": 400}, reporters=["images"]), folder)
    return result, folder


def test_an_archive_contains_the_images_and_labels_of_the_run(finished, tmp_path, capsys):
    result, folder = finished
    assert call("export", str(folder), "--npz", str(tmp_path / "set.npz")) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'set.npz'}: 4 images with labels and provenance\n"
    with np.load(tmp_path / "set.npz", allow_pickle=False) as archive:
        arrays = dict(archive)
    assert np.array_equal(arrays["images"], [each.image.pixels for each in result])
    assert arrays["images"].dtype == np.uint8
    assert arrays["labels"].tolist() == [0, 2, 0, 2]
    assert arrays["seeds"].tolist() == [1, 1, 2, 2]
    assert arrays["evaluations"].tolist() == [each.evaluations for each in result]
    assert arrays["evaluations_to_goal"].tolist() == [each.evaluations_to_goal or -1 for each in result]
    # The archive agrees with the answers of the classifier.
    answers = Predictions(tiny().classifier.build().logits(arrays["images"]), arrays["images"])
    assert arrays["predicted"].tolist() == answers.logits.argmax(axis=1).tolist()
    assert np.allclose(arrays["confidence"], answers.probabilities[range(4), arrays["labels"]], rtol=1e-12)


def test_the_provenance_suffices_to_repeat_the_run(finished, tmp_path):
    result, folder = finished
    assert call("export", str(folder), "--npz", str(tmp_path / "set.npz")) == 0
    with np.load(tmp_path / "set.npz", allow_pickle=False) as archive:
        provenance = json.loads(str(archive["provenance"]))
        images = archive["images"]
    assert provenance["classifier"] == "tiny"
    assert provenance["seeds"] == [1, 2]
    assert provenance["shown_to_the_classifier"] >= result.evaluations
    assert provenance["made_with"]["packages"]["fooldeap"] == fooldeap.__version__
    (tmp_path / "again.yaml").write_text(provenance["configuration"])
    again, _ = run(config.load(tmp_path / "again.yaml", plugins=[KIT]), tmp_path / "again")
    assert np.array_equal(images, [each.image.pixels for each in again])


def test_an_archive_is_deterministic_and_loads_as_a_dataset(finished, tmp_path):
    for name in ("one.npz", "two.npz"):
        assert call("export", str(finished[1]), "--npz", str(tmp_path / name)) == 0
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    split = Npz(path=str(tmp_path / "one.npz")).load()
    assert np.array_equal(split.train_images, [each.image.pixels for each in finished[0]])
    assert split.test_labels.tolist() == [0, 2, 0, 2]


def test_a_folder_has_one_subfolder_per_class_and_a_table(finished, tmp_path):
    result, folder = finished
    (tmp_path / "set").mkdir()  # an empty folder is accepted
    assert call("export", str(folder), "--png", str(tmp_path / "set")) == 0
    with (tmp_path / "set/metadata.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["file"] for row in rows] == ["0/seed-1.png", "2/seed-1.png", "0/seed-2.png", "2/seed-2.png"]
    for row, each in zip(rows, result, strict=True):
        assert np.array_equal(Image.open(tmp_path / "set" / row["file"]), each.image.pixels[:, :, 0])
        assert float(row["confidence"]) == each.confidence
    assert json.loads((tmp_path / "set/provenance.json").read_text())["seeds"] == [1, 2]
    assert {path.name for path in tmp_path.iterdir()} == {"set"}


def test_the_subfolders_sort_in_the_order_of_the_classes():
    grey = np.zeros((2, 2, 1), np.uint8)
    evolved = tuple(ExportedImage(grey, target, 1, "", target, 1.0, 1.0, 1, 1) for target in (2, 10, 999))
    folders = {name.partition("/")[0] for name in Collection(evolved, {}).files() if "/" in name}
    assert sorted(folders) == ["002", "010", "999"]


def test_a_study_is_exported_with_its_variants(tmp_path):
    study = {"classifier": "tiny", "plugins": [str(KIT)], "algorithm": {"name": "generational", "population": 10}}
    study |= {"vary": {"selection": ["roulette", "random"]}, "seeds": 2, "targets": [0], "budget": 100}
    done = fooldeap.compare(study, out=tmp_path / "study", quiet=True)
    collection = collect(tmp_path / "study")
    assert [(each.variant, each.seed) for each in collection.evolved] == [
        ("random", 1),
        ("random", 2),
        ("roulette", 1),
        ("roulette", 2),
    ]
    confidences = {(row.variant, row.seed): row.confidence for row in done.outcome.runs}
    assert {(each.variant, each.seed): each.confidence for each in collection.evolved} == confidences
    assert collection.provenance["classifier"] == {"random": "tiny", "roulette": "tiny"}
    assert "0/random-seed-2.png" in collection.files()


def test_an_unfinished_run_is_refused(finished, tmp_path, capsys):
    shutil.copytree(finished[1], tmp_path / "run")
    (tmp_path / "run/result.json").unlink()
    assert call("export", str(tmp_path / "run"), "--npz", str(tmp_path / "set.npz")) == 2
    assert capsys.readouterr().err == (
        f"fooldeap: {tmp_path / 'run'}: is not finished; finish it first: fooldeap run --resume {tmp_path / 'run'}\n"
    )


@pytest.mark.parametrize("name", ["result.json", "images/seed-2/0.png", "environment.json", "queries.csv"])
def test_a_changed_file_is_named(name, finished, tmp_path, capsys):
    shutil.copytree(finished[1], tmp_path / "run")
    content = bytearray((tmp_path / "run" / name).read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "run" / name).write_bytes(content)
    assert call("export", str(tmp_path / "run"), "--npz", str(tmp_path / "set.npz")) == 2
    message = capsys.readouterr().err
    assert message.startswith(f"fooldeap: {tmp_path / 'run' / name}: ")
    assert message.endswith("; restore it from a copy\n")
    assert message.count("\n") == 1
    assert not (tmp_path / "set.npz").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["RUN"], "no output given; use --npz FILE for a NumPy archive, or --png DIR for a folder of images"),
        (["RUN", "--npz", "set.zip"], "--npz: got 'set.zip', expected a file name that ends in .npz"),
        (
            ["nowhere", "--npz", "set.npz"],
            "no folder 'nowhere'; name a folder that one of these commands has written: fooldeap audit, fooldeap "
            "retrain, fooldeap run, fooldeap compare, fooldeap tune",
        ),
        (
            [".", "--npz", "set.npz"],
            ".: has none of audit.yaml, retrain.yaml, config.yaml, study.yaml, sweep.yaml, tuning.yaml; "
            "name a folder that one of these commands has written: fooldeap audit, fooldeap retrain, fooldeap "
            "run, fooldeap compare, fooldeap tune",
        ),
        (["RUN", "--npz", "no/set.npz"], "--npz: no folder 'no'; create it first"),
        (["RUN", "--npz", "old.npz"], "--npz old.npz: already exists; name a new file, or remove it"),
        (["RUN", "--png", "old.npz"], "--png old.npz: already exists; name a new folder, or remove it"),
        (["RUN", "--npz", "set.npz", "--png", "full"], "--png full: already exists; name a new folder, or remove it"),
    ],
)
def test_a_usage_error_is_one_line_and_nothing_is_written(words, message, finished, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old.npz").write_text("mine")
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine").write_text("mine")
    assert call("export", *[str(finished[1]) if word == "RUN" else word for word in words]) == 2
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", f"fooldeap: {message}\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["full", "old.npz"]
    assert (tmp_path / "old.npz").read_text() == (tmp_path / "full/mine").read_text() == "mine"


@pytest.mark.parametrize("reporters", [[], ["csv"], ["images"]])
def test_a_folder_is_complete_with_any_reporters(reporters, finished, tmp_path):
    choices = {"targets": [0, 2], "seeds": 2, "stop": {"evaluations": 400}}
    run(tiny(**choices, reporters=reporters), tmp_path / "run")
    found = fooldeap.load(tmp_path / "run")
    assert np.array_equal([each.image for each in found], [each.image for each in finished[0]])
    assert [each.log for each in found] == [each.log for each in finished[0]]
    assert all(each.log for each in found)
    assert len(collect(tmp_path / "run").evolved) == 4


def test_a_repeated_export_changes_nothing(finished, tmp_path):
    words = ["export", str(finished[1]), "--npz", str(tmp_path / "set.npz"), "--png", str(tmp_path / "set")]
    assert call(*words) == 0
    before = {path: (path.stat().st_ino, path.read_bytes()) for path in tmp_path.rglob("*") if path.is_file()}
    assert call(*words) == 0
    assert before == {path: (path.stat().st_ino, path.read_bytes()) for path in tmp_path.rglob("*") if path.is_file()}
    (tmp_path / "set/2/seed-1.png").unlink()
    assert call(*words) == 2


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ("../../secret.png", "../../secret.png: is outside the folder; expected a file below "),
        ("/etc/hostname", "/etc/hostname: is outside the folder; expected a file below "),
        ("images/9.png", "images/9.png: is missing; restore it from a copy"),
        ("table.md", ": is damaged (ValueError: it is not a readable PNG picture"),
        (7, ": is damaged ("),
    ],
)
def test_a_forged_image_path_is_refused(image, message, finished, tmp_path, capsys):
    shutil.copytree(finished[1], tmp_path / "run")
    result = json.loads((tmp_path / "run/result.json").read_text())
    result["runs"][0]["image"] = image
    (tmp_path / "run/result.json").write_text(json.dumps(result))
    resealed(tmp_path / "run")
    assert call("export", str(tmp_path / "run"), "--png", str(tmp_path / "set")) == 2
    shown = capsys.readouterr().err
    assert message in shown
    assert shown.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_symbolic_link_is_refused(finished, tmp_path, capsys):
    shutil.copytree(finished[1], tmp_path / "run")
    (tmp_path / "run/images").rename(tmp_path / "elsewhere")
    (tmp_path / "run/images").symlink_to(tmp_path / "elsewhere")
    assert call("export", str(tmp_path / "run"), "--npz", str(tmp_path / "set.npz")) == 2
    assert "run/images: is a symbolic link, and links are not followed" in capsys.readouterr().err
