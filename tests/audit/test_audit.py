"""Audits: evaluations per class, settings, real images, errors, and whole audits of a tiny classifier."""

import csv
import hashlib
import json
import re
from dataclasses import replace
from html import unescape
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from helpers.experiments import KIT, ROOT, unannounced
from helpers.pages import data_of
from markdown_it import MarkdownIt
from PIL import Image

from fooldeap import cli, registry
from fooldeap.audit import detection, real, report, session, settings, words
from fooldeap.audit.battery import GOAL, LEVELS, experiment_data, load_attacks
from fooldeap.audit.results import ClassResult, Detection, DetectionResult, Findings
from fooldeap.audit.session import audit
from fooldeap.cli import options
from fooldeap.configuration import config
from fooldeap.errors import FooldeapWarning, InputError
from fooldeap.report import common, html, markdown, terminal
from fooldeap.report.model import DOCUMENT, Cards, Report, Section
from fooldeap.runs.experiment_session import ExperimentSession
from fooldeap_plugins.dataset.mnist import Mnist

RNG = np.random.default_rng(0)
BLANK = Path("none.png")


# --- Counts ---------------------------------------------------------------------------------------------------------


def result(attack, target, confidence=0.6, predicted=None, **images_to):
    counts = {float(name.replace("at", "0.")): count for name, count in images_to.items()}
    return ClassResult(attack, target, target if predicted is None else predicted, confidence, counts, BLANK)


def make_findings(*results, classes=2, names=None, detected=None):
    attacks = tuple(load_attacks((8, 8, 1), classes, 1000))
    return Findings(
        title="it",
        classifier={"name": "tiny"},
        digest="abc",
        shape=(8, 8, 1),
        seed=1,
        budget=1000,
        names=names or {target: str(target) for target in range(classes)},
        attacks=attacks,
        results=results,
        seconds={attack.name: 1.0 for attack in attacks},
        shown={attack.name: 9 for attack in attacks},
        failures={attack.name: {} for attack in attacks},
        real=None if detected is None else {"source": "a|b<i>", "found": 90, "taken": 40, "sha256": "def"},
        detection=detected,
    )


@pytest.mark.parametrize(("costs", "median"), [([10], 10), ([10, 30], 20), ([10, 30, 80], 30), ([10, 30, 80, 90], 55)])
def test_median_of_an_even_number_of_classes_is_the_mean_of_the_middle_two(costs, median):
    results = (result("cma_es", target, at9999=cost) for target, cost in enumerate(costs))
    sentence = words.verdict(make_findings(*results, classes=len(costs) + 1))
    assert sentence.endswith(
        f" Over the classes reached with 99.99\u00a0%, the median number of evaluations is {median}."
    )


def test_cheapest_result_is_that_of_the_best_black_box_attack():
    found = make_findings(
        result("genetic", 0, at5=30, at9=70),
        result("cma_es", 0, at5=40, at9=50),
        result("gradient", 0, at5=2, at9=3, at9999=5),
        result("cma_es", 1, 0.2),
    )
    assert found.cheapest(0, 0.5).attack == "genetic"
    assert found.cheapest(0, 0.9).attack == "cma_es"
    assert found.cheapest(0, GOAL) is None
    assert found.cheapest(0, GOAL, white_box=True).images_to[GOAL] == 5
    assert found.cheapest(1, 0.5) is None
    assert found.lowest_costs(0.5) == [30]
    first = report.class_table(found).rows
    assert first[0] == ["0", "30 (genetic)", "50 (cma_es)", "more than 1\u202f000", "more than 1\u202f000", "5", "60 %"]
    assert first[1][1:] == ["more than 1\u202f000"] * 4 + ["not reached", "20 %"]


def test_share_of_classes_grows_by_one_class_at_each_cost():
    x, y = report.steps([40, 7], 4, 100)
    assert (x, y) == ([1, 7, 40, 100], [0, 0.25, 0.5, 0.5])


def test_image_is_fooling_from_50_percent_for_its_class():
    assert result("cma_es", 0, 0.5).fooling
    assert not result("cma_es", 0, 0.49).fooling
    assert not result("cma_es", 0, 0.5, predicted=1).fooling


def test_attacks_stay_within_the_budget_and_need_a_gradient_if_white_box():
    attacks = list(load_attacks((8, 6, 3), 3, 100))
    assert [attack.name for attack in attacks if attack.white_box] == ["gradient"]
    assert all(attack.budget <= 100 for attack in attacks)
    assert {attack.run_budget for attack in attacks if attack.charged == "shared"} == {300}
    assert [attack.name for attack in attacks if attack.white_box] == ["gradient"]


@pytest.mark.parametrize("attack", list(load_attacks((20, 6, 3), 3, 100)), ids=lambda attack: attack.name)
def test_attack_is_a_valid_experiment_and_charges_like_its_algorithm(attack):
    experiment = config.load(experiment_data(attack, {"name": "keras", "model": "mnist_cnn"}, 1, [0, 1, 2]))
    algorithm = experiment.algorithm.plugin.options
    assert (attack.charged == "own") == (algorithm["targets"] != "all")
    if attack.charged != "own":
        assert (attack.charged == "shared") == ("mutation" in algorithm["uses"])
    genome = experiment.genome.values
    if experiment.genome.plugin.name == "dct":
        assert genome["size"] == 6
        coefficients = experiment.genome.build((20, 6, 3)).sample(1000, np.random.default_rng(1))
        assert coefficients.std() == pytest.approx(12.5 * np.sqrt(120), rel=0.01)
    assert f"| `{attack.name}` |" in (ROOT / "docs/audit.md").read_text()


def test_class_is_charged_its_share_of_a_shared_run():
    own, shared, common = (
        next(each for each in load_attacks((8, 8, 1), 3, 100) if each.charged == charged)
        for charged in ("own", "shared", "common")
    )
    assert (own.charge(100, 3), shared.charge(100, 3), common.charge(100, 3)) == (100, 34, 100)


def test_thresholds_need_20_fooling_images_and_auroc_needs_5():
    def thresholds(count):
        judged = DetectionResult(count, detection.verdicts({"margin": np.arange(9.0)}, {"margin": np.ones(count)}))
        own = Detection(judged, {"cma_es": judged}, 20, 20, "logits")
        found = make_findings(detected=own)
        text = markdown.render(Report("", "", sections=[Section("", list(report._thresholds(own)))]))
        return text, list(csv.DictReader(report.thresholds_csv(found).splitlines()))

    text, rows = thresholds(4)
    assert ("AUROC by attack" in text, rows) == (False, [])
    text, rows = thresholds(19)
    assert "needs at least 20 fooling images, so none was set" in text
    assert "| margin of the two highest logits | 0.833 | – |" in text
    assert [(row["attack"], row["fooling_images"], row["threshold"]) for row in rows] == [
        ("all", "19", ""),
        ("cma_es", "19", ""),
    ]
    text, rows = thresholds(20)
    assert "set on 20 fooling images. With a certainty of 95 %, they refuse at least 78 % of similar images." in text
    assert "may be wrong by 22 percentage points" in text
    assert "| margin of the two highest logits | 0.833 | 22.2 % |" in text


# --- Settings -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "plugin"),
    [
        ("mnist_cnn", "keras"),
        ("mnist_density", "density"),
        ("some/model.h5", "keras"),
        ("model.onnx", "onnx"),
        ("model.PT2", "torch"),
        ("package.module:function", "callable"),
        ("some/file.py:function", "callable"),
    ],
)
def test_classifier_plugin_follows_from_the_model_name(model, plugin):
    assert settings._find_source(model, registry.load().formats())["classifier"]["name"] == plugin


def test_ten_evenly_spread_classes_are_chosen_of_more_than_twenty():
    assert settings._choose_classes(None, range(20)) == tuple(range(20))
    assert settings._choose_classes(None, range(1000)) == tuple(range(0, 1000, 100))
    assert settings.classes_in("0-3,7, 9") == [0, 1, 2, 3, 7, 9]


@pytest.fixture
def tiny(tmp_path):
    """A YAML file with the classifier ``tiny`` of the tests."""
    (tmp_path / "tiny.yaml").write_text(f"classifier: tiny\nplugins: [{KIT}]\n")
    return tmp_path / "tiny.yaml"


@pytest.fixture
def real_images(tmp_path):
    np.savez(tmp_path / "real.npz", images=RNG.integers(0, 256, (60, 8, 8), dtype=np.uint8))
    return str(tmp_path / "real.npz")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name the model"),
        (["nowhere.onnx"], "nowhere.onnx"),
        (["mnist_cnnn"], "mnist_cnn"),
        (["model.py"], "model.py:NAME"),
        (
            ["model.py:function", "classifier.classes=3"],
            "set both: fooldeap audit model.py:function classifier.shape=[28,28,1] classifier.classes=10",
        ),
        (["{tiny}", "mutation.rate=2"], "expected a key of the classifier"),
        (["{tiny}", "--classes", "0-9"], "expected classes from 0 to 3"),
        (["{tiny}", "--classes", "a"], "got the class 'a', but the classifier has no names"),
        (["{tiny}", "--classes", "1;2"], "expected numbers, ranges and names"),
        (["{tiny}", "--classes", "3-1"], "expected the smaller number first; write 1-3"),
        (["{tiny}", "--classes", "0-99999999"], "at most 10000 classes"),
        (["{tiny}", "--budget", "0"], "expected a whole number from 1"),
        (["{tiny}", "--budget", "2.5"], "such as 5000 or 1e6"),
        (["{tiny}", "--budget", "1e999"], "such as 5000 or 1e6"),
        (["{tiny}", "--budget", "many"], "such as 5000 or 1e6"),
        (["{tiny}", "--images", "nowhere"], "expected a folder, a file or a dataset"),
        (["{tiny}", "--images", "mnst"], "did you mean 'mnist'?"),
        (["{tiny}", "--images", "idx"], "needs 'folder'"),
        (["{tiny}", "--images", "{tiny}"], "numpy.savez('real.npz', images=array)"),
        (["{tiny}", "--images", "mnist"], "expected uint8 (n, 8, 8, 1); resize the images"),
        (["{tiny}", "--force"], "leave it out"),
        (["{tiny}", "--resume", "x"], "--resume cannot be combined with MODEL, --images"),
        (["--resume", "nowhere"], "has no audit.yaml"),
        (["{tiny}", "--no-plugins"], "--no-plugins forbids"),
    ],
)
def test_invalid_input_gives_one_line_and_writes_nothing(arguments, message, tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(SystemExit) as exit_:
        cli.main(["audit", *(each.replace("{tiny}", str(tiny)) for each in arguments)])
    assert exit_.value.code == 2
    lines = unannounced(capsys.readouterr().err).splitlines()
    assert len(lines) == 1
    assert message in lines[0]
    assert sorted(tmp_path.iterdir()) == before


def test_billable_classifier_requires_a_budget(tiny):
    tiny.write_text(tiny.read_text().replace("tiny\n", "billable\n"))
    with pytest.raises(InputError, match="--budget: is missing"):
        audit(tiny)


def test_billable_classifier_is_shown_only_the_images_of_the_attacks(tiny, tmp_path):
    tiny.write_text(tiny.read_text().replace("tiny\n", "billable\n"))
    loaded = settings.load(tiny, budget=40, classes=[1])
    content = without_seconds(session._Session(loaded, None, tmp_path / "out", quiet=True).run())
    shown = {attack["name"]: attack["images"] for attack in content["attacks"]}
    # The gradient of this classifier shows each image a second time.
    assert sum(map(len, loaded.classifier.images)) == sum(shown.values()) + shown["gradient"]


# --- Real images ----------------------------------------------------------------------------------------------------


def test_pictures_of_a_folder_are_resized_and_scaled_to_8_bits(tmp_path):
    for index in range(real.MIN_IMAGES):
        Image.new("RGB", (20, 16), (index, 2 * index, 3 * index)).save(tmp_path / f"{index:03d}.png")
    colour = real.load(str(tmp_path), (8, 10, 3)).images
    assert colour.shape == (real.MIN_IMAGES, 8, 10, 3)
    assert colour[7, 3, 3].tolist() == [7, 14, 21]
    assert real.load(str(tmp_path), (8, 10, 1)).images.shape == (real.MIN_IMAGES, 8, 10, 1)
    deep = np.linspace(0, 65535, 80).astype(np.uint16).reshape(8, 10)
    Image.fromarray(deep).save(tmp_path / "0.png")  # the first in order
    assert np.array_equal(real.load(str(tmp_path), (8, 10, 1)).images[0, :, :, 0], np.rint(deep / 257)), (
        "16 bits are scaled"
    )
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n")
    with pytest.raises(InputError, match=r"broken\.png: cannot read this picture"):
        real.load(str(tmp_path), (8, 10, 3))


def test_hidden_files_are_no_pictures(tmp_path):
    for index in range(40):
        Image.fromarray(np.full((8, 8), index, np.uint8)).save(tmp_path / f"{index:02}.png")
    (tmp_path / "._00.png").write_bytes(b"of macOS")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden/x.png").write_bytes(b"of an editor")
    assert real.load(str(tmp_path), (8, 8, 1)).found == 40


def test_images_of_an_archive_are_sampled_and_checked(tmp_path):
    np.savez(tmp_path / "many.npz", x_test=RNG.integers(0, 256, (5000, 4, 4, 1), dtype=np.uint8), x_train=np.zeros(3))
    many = real.load(str(tmp_path / "many.npz"), (4, 4, 1))
    assert (many.images.shape, many.found) == ((real.MAX_IMAGES, 4, 4, 1), 5000)
    assert many.digest == hashlib.sha256(b"".join(image.tobytes() for image in many.images)).hexdigest()
    for arrays, message in [
        ({"x_test": np.zeros((50, 4, 4, 1))}, r"lie in 0\.\.1: save numpy.rint\(255 \* images\).astype\('uint8'\)"),
        ({"x_test": np.full((50, 4, 4, 1), 3)}, r"int64 .* in 0\.\.255; save the array with"),
        ({"x_test": np.zeros((50, 4, 5, 1))}, r"float64 \(50, 4, 5, 1\).* resize the images"),
        (
            {"images": np.zeros((50, 4, 4, 1), np.uint8), "provenance": "{}"},
            "was exported by fooldeap, expected real images",
        ),
        ({"x_test": np.zeros((9, 4, 4, 1), np.uint8)}, "at least 40"),
        ({"other": np.zeros(3)}, "expected an array with one of the names"),
        ({"images": np.array([{}], object)}, "expected a folder or an .npz file"),
    ]:
        np.savez(tmp_path / "wrong.npz", **arrays)
        with pytest.raises(InputError, match=message):
            real.load(str(tmp_path / "wrong.npz"), (4, 4, 1))


def test_images_written_by_fooldeap_are_refused_as_real_images(tiny, tmp_path):
    folder = audit(tiny, budget=20, classes=[0], out=tmp_path / "made", quiet=True)
    for place in (folder, folder / "attacks/cma_es/images", tmp_path):
        with pytest.raises(InputError, match=r"made.* was written by fooldeap, expected real images"):
            real.load(str(place), (8, 8, 1))


def test_budget_accepts_powers_of_ten():
    budgets = [options.parse_whole_number("--budget", text) for text in ("5000", "1e6", "2.5e3")]
    assert budgets == [5000, 1_000_000, 2500]


def test_error_of_a_dataset_is_reported(tmp_path, monkeypatch):
    def load(self):
        raise OSError("the disk is on fire")

    monkeypatch.setattr(Mnist, "load", load)
    with pytest.raises(InputError, match=r"--images mnist: .*the disk is on fire"):
        real.load("mnist", (28, 28, 1))


# --- Whole audits ---------------------------------------------------------------------------------------------------


def without_seconds(folder):
    content = json.loads((folder / "audit.json").read_text())
    for attack in content["attacks"]:
        del attack["seconds"]
    return content


def test_failed_attack_is_reported_and_the_others_continue(tiny, tmp_path, monkeypatch):
    loaded, folder = settings.load(tiny, budget=300, classes=[0, 2]), tmp_path / "out"
    answer, calls = type(loaded.classifier).logits, []

    def touchy(self, images):
        path = folder / "attacks/genetic"
        if images.any() and path.is_dir() and not (path / "result.json").exists():
            calls.append(len(images))
            if len(calls) > 1:
                raise ZeroDivisionError("no luck")
        return answer(self, images)

    monkeypatch.setattr(type(loaded.classifier), "logits", touchy)
    with pytest.warns(FooldeapWarning, match="failed: classifier 'tiny' raised"):
        session._Session(loaded, None, folder, quiet=True).run()
    failures = {each["name"]: each["failures"] for each in json.loads((folder / "audit.json").read_text())["attacks"]}
    assert list(failures.pop("genetic")) == ["seed1-target0", "seed1-target2"]
    assert not any(failures.values())
    sentence = "genetic failed in seed1-target2; its results until then are counted: "
    assert sentence in (folder / "report.md").read_text()
    assert sentence in (folder / "report.html").read_text()


def test_audit_writes_a_page_and_resumes_after_an_interruption(tiny, real_images, tmp_path, monkeypatch, capsys):
    options = {"images": real_images, "budget": 60, "classes": [0, 2]}
    whole = audit(tiny, out=tmp_path / "whole", quiet=True, **options)
    content = without_seconds(whole)
    assert [each["class"] for each in content["classes"]] == [0, 2]
    assert [each["name"] for each in content["attacks"]] == [each.name for each in load_attacks((8, 8, 1), 2, 60)]
    for each in content["attacks"]:
        own = json.loads((whole / f"attacks/{each['name']}/result.json").read_text())
        assert each["images"] == own["evaluations"]
        reached = [run for run in own["runs"] if "0.5" in run["evaluations_to"]]
        assert each["reached"]["0.5"] == len(reached)
    assert {"confidence", "margin", "entropy", "energy", "distance"} == set(
        content["thresholds"]["overall"]["verdicts"]
    )
    rows = list(csv.DictReader((whole / "classes.csv").read_text().splitlines()))
    assert len(rows) == 2 * len(content["attacks"])
    html = (whole / "report.html").read_text()
    assert words.verdict(make_findings()) not in html
    assert content["verdict"] in html

    begun = []
    evolve = ExperimentSession.run

    def interrupted(self, *arguments, **keywords):
        begun.append(self.experiment.name)
        if len(begun) == 3:
            raise KeyboardInterrupt
        return evolve(self, *arguments, **keywords)

    monkeypatch.setattr(ExperimentSession, "run", interrupted)
    with pytest.raises(KeyboardInterrupt, match="fooldeap audit --resume"):
        audit(tiny, out=tmp_path / "again", quiet=True, **options)
    monkeypatch.setattr(ExperimentSession, "run", evolve)
    assert not (tmp_path / "again/audit.json").exists()
    with pytest.raises(InputError, match="--no-plugins forbids"):
        audit(resume=tmp_path / "again", no_plugins=True)
    assert audit(resume=tmp_path / "again", quiet=True) == tmp_path / "again"
    assert without_seconds(tmp_path / "again") == content
    assert audit(resume=tmp_path / "again") == tmp_path / "again"
    capsys.readouterr()


def write_audit(found, folder):
    """Write the files of an audit to a folder; return its report and its page."""
    (folder / "environment.json").write_text(json.dumps({"python": "3.1", "command": ["/somewhere/fooldeap", "audit"]}))
    (folder / "audit.yaml").write_text("name: it\n")
    (folder / "audit.json").write_text(json.dumps(report.data(found)))
    (folder / "report.json").write_text(report.build_report(found).to_json())
    text = markdown.render(common.complete(report.build_report(found), folder, "audit.yaml", provenance=DOCUMENT))
    for each in found.results:
        place = folder / f"attacks/{each.attack}/images/{each.target}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8)).save(place)
    page = html.render(common.complete(Report.read(folder), folder, "audit.yaml"), folder)
    return text, page


def visible_text(text):
    """Return HTML without tags."""
    return unescape(re.sub(r"<[^>]*>", "", text))


def test_class_names_are_escaped(tmp_path):
    judged = DetectionResult(1, {"confidence": detection.DetectionScore(0.5, 1.0, 0.25)})
    detected = Detection(judged, {"cma_es": judged}, 20, 20, "logits")
    named = {0: "0: <script>alert(1)</script>|", 1: "1: b &lt; c & d &#33; [x](y)"}
    found = make_findings(result("cma_es", 0, at5=3), result("cma_es", 1, 0.2), names=named, detected=detected)
    text, page = write_audit(found, tmp_path)
    read = visible_text(MarkdownIt("commonmark").enable("table").render(text))
    for name in named.values():
        assert f"{name}\n" in read
        assert visible_text(page).count(name) >= 2  # in the table, and with its image
    assert "<script>alert" not in page
    assert "a|b<i>, 40 of 90, evenly spread; SHA-256 def." in read
    assert "The energy is not listed" in text
    assert "The energy is not listed" not in write_audit(replace(found, detection=None), tmp_path)[0]
    assert {str(level) for level in LEVELS} == set(report.data(found)["classes"][0]["fewest"])


def test_report_has_the_command_and_the_configuration(tmp_path):
    text, page = write_audit(make_findings(), tmp_path)
    assert "| command | fooldeap audit |" in text
    assert "Configuration:\n\n    name: it\n" in text
    assert "fooldeap audit" in visible_text(page)


# --- Many classes ---------------------------------------------------------------------------------------------------


def many_classes(count=30):
    """Return findings in which `genetic` reaches (n + 1) % in class n, `cma_es` half of it, and `gradient` 99 %."""
    names = tuple(f"name {index}" for index in range(count + 5))
    results = []
    for target in range(count):
        share = (target + 1) / 100
        results.append(result("genetic", target, share))
        results.append(result("cma_es", target, share / 2, predicted=target + 1))
    results.append(result("gradient", 3, 0.99, at5=4, at99=7))
    labels = {target: f"{target}: {names[target]}" for target in range(count)}
    return replace(make_findings(*results, classes=count, names=labels), class_names=names)


def sections_of(built):
    return {section.title: section.blocks for section in built.sections if section.blocks}


def test_the_report_of_many_classes_begins_with_a_summary(tmp_path):
    found = many_classes()
    built = report.build_report(found)
    sections = sections_of(built)
    assert list(sections)[:4] == [
        "Results by attack",
        "Best confidence of each class",
        "Best confidence by attack",
        "Fewest evaluations to fool each class",
    ]
    (attacks,) = sections["Results by attack"]
    cells = {row[0]: dict(zip(attacks.header, row, strict=True)) for row in attacks.rows}
    assert cells["genetic"]["seen as the class"] == "30 of 30"
    assert cells["cma_es"]["seen as the class"] == "0 of 30"
    assert (cells["genetic"]["median confidence"], cells["cma_es"]["median confidence"]) == ("15.500 %", "7.750 %")
    assert cells["map_elites"]["median confidence"] == "–"
    histogram, _, highest, _, lowest = sections["Best confidence of each class"]
    best = [0.99 if target == 3 else (target + 1) / 100 for target in range(30)]
    assert [count for _, count in histogram.counts] == [
        np.sum((np.array(best) >= low) & (np.array(best) < high))
        for low, high in pairwise([0, 0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.9999, 2])
    ]
    assert highest.rows[:2] == [
        ["3: name 3", "3: name 3", "gradient", "99 %"],
        ["29: name 29", "29: name 29", "genetic", "30 %"],
    ]
    assert [row[0] for row in lowest.rows] == [f"{target}: name {target}" for target in (0, 1, 2, *range(4, 11))]
    table = sections["Best confidence by attack"][1]
    assert table.header == ["class", *(attack.name for attack in found.attacks)]
    assert dict(zip(table.header, table.rows[3], strict=True)) == {
        "class": "3: name 3",
        "uniform_noise": "–",
        "smooth_noise": "–",
        "cma_es": "2 %",
        "map_elites": "–",
        "genetic": "4 %",
        "gradient": "99 %",
    }
    assert len(table.rows) == len(sections["Fewest evaluations to fool each class"][0].rows) == 30
    entries = sections["Images"][1].entries
    assert [(each.number, each.name, each.image) for each in entries[2:4]] == [
        (2, "name 2", "attacks/genetic/images/2.png"),
        (3, "name 3", "attacks/gradient/images/3.png"),
    ]
    assert "reached 0 of 30 classes" in built.lead
    assert "The median over the classes of their best confidence is 15.500\u00a0%." in built.lead
    assert len(terminal.render(built).splitlines()) < 60
    text, page = write_audit(found, tmp_path)
    assert "| 27: name 27 | – | – | 14 % | – | 28 % | – |" in text
    assert [entry["name"] for entry in data_of(page)[2]] == list(found.class_names[:30])


def test_twenty_classes_have_no_summary():
    sections = sections_of(report.build_report(many_classes(20)))
    assert next(iter(sections)) == "Fewest evaluations to fool each class"
    assert isinstance(sections["Images"][1], Cards)


def test_predicted_classes_that_were_not_attacked_have_names():
    found = replace(many_classes(20), names={target: f"{target}: name {target}" for target in (5, 6)})
    assert report.data(found)["classes"][0]["name"] == "5: name 5"
    cards = sections_of(report.build_report(found))["Images"][1].cards
    assert [card.seen for card in cards] == ["6: name 6", "7: name 7"]
    rows = list(csv.DictReader(report.classes_csv(found).splitlines()))
    assert (rows[1]["class"], rows[1]["name"], rows[1]["predicted"], rows[1]["predicted_name"]) == (
        "0",
        "name 0",
        "1",
        "name 1",
    )
    assert "name" not in next(csv.DictReader(report.classes_csv(replace(found, class_names=())).splitlines()))


@pytest.mark.parametrize(("count", "rows", "sizes"), [(5, 3, [3, 2]), (5, 2, [4, 1]), (8, 4, [4, 4]), (1, 9, [1])])
def test_images_are_read_in_parts_of_whole_batches(tmp_path, monkeypatch, count, rows, sizes):
    monkeypatch.setattr(session, "PART", 3)
    images = RNG.integers(0, 256, (count, 4, 4, 1), dtype=np.uint8)
    paths = [tmp_path / f"{index}.png" for index in range(count)]
    for path, image in zip(paths, images, strict=True):
        Image.fromarray(image[:, :, 0]).save(path)
    joined = session._Joined([images[:2], paths[2:]])
    parts = list(joined.parts(rows))
    assert [len(part) for part in parts] == sizes
    assert np.array_equal(np.concatenate(parts), images)
    assert len(joined) == count


def test_more_than_a_hundred_classes_can_be_attacked():
    assert settings._choose_classes(settings.classes_in("0-899,950"), range(1000)) == (*range(900), 950)
