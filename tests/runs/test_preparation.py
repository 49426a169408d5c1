"""What is found out before a run begins, so that nothing is started, and no folder made, in vain."""

import warnings
from typing import ClassVar

import numpy as np
import pytest
from helpers.experiments import KIT

import fooldeap
from fooldeap.configuration import config
from fooldeap.errors import FooldeapWarning, InputError, PluginError, RunError
from fooldeap.plugin import Split, dataclass, dataset, genome, mutation
from fooldeap.runs.experiment_session import ExperimentSession


def prepared(*overrides):
    return ExperimentSession(config.load({}, ["reporters=[]", *overrides], plugins=[KIT]))


def test_a_model_that_was_badly_loaded_is_warned_of():
    # It rescales images itself; told that it does not, it sees nearly black ones.
    with pytest.warns(
        FooldeapWarning, match=r"is correct on [\d.]+ % of 2000 test images.*set 'input_range: \[0, 255\]'"
    ):
        prepared("dataset=mnist", "classifier={name: keras, input_range: [-1, 1]}")


def test_a_model_that_was_well_loaded_is_not():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert prepared("dataset=mnist").width == 16


def test_a_dataset_of_another_shape():
    with pytest.raises(InputError, match=r"command line: dataset: its images are \(28, 28, 1\), .* takes \(8, 8, 1\)"):
        prepared("dataset=mnist", "classifier=tiny")


@pytest.mark.parametrize(
    ("images", "labels", "told"),
    [
        (np.zeros((5, 8, 8, 1)), np.zeros(5, int), r"loads training images float64 \(5, 8, 8, 1\), expected uint8"),
        (np.zeros((5, 8, 8, 1), np.uint8), np.eye(5), r"loads training labels float64 \(5, 5\), expected integers"),
        (
            np.zeros((5, 8, 8, 1), np.uint8),
            np.full(5, 2**63, np.uint64),
            "loads the training label 9223372036854775808, expected classes from 0 to 999999",
        ),
    ],
)
def test_a_dataset_that_breaks_its_promise(images, labels, told):
    @dataset("odd")
    @dataclass
    class Odd:
        """Images, or labels, that no classifier takes."""

        def load(self):
            return Split(images, labels, images, labels)

    with pytest.raises(PluginError, match=rf"^dataset 'odd' {told}"):
        fooldeap.toolbox({"classifier": "tiny", "dataset": "odd"}, plugins=[KIT, Odd])


@pytest.mark.parametrize("classifier", ["tiny", "billable"])
@pytest.mark.parametrize(
    ("labels", "told"),
    [
        ([0, 1, 4, 1, 0], "'npz' holds the training label 4, expected classes from 0 to 3, which the classifier has"),
        ([0, 1, 2**63, 1, 0], "own.npz': got the training label 9223372036854775808, expected classes from 0 to"),
    ],
)
def test_labels_that_the_classifier_does_not_have_are_told_before_anything_is_written(
    tmp_path, classifier, labels, told
):
    images = np.zeros((5, 8, 8, 1), np.uint8)
    np.savez(tmp_path / "own.npz", x_train=images, y_train=np.array(labels, np.uint64), x_test=images, y_test=[0] * 5)
    dataset = {"name": "npz", "path": str(tmp_path / "own.npz")}
    with pytest.raises(InputError) as error:
        fooldeap.run({"classifier": classifier, "dataset": dataset}, out=tmp_path / "run", plugins=[KIT], quiet=True)
    assert f"dataset: {told}" in str(error.value).replace(f"'{tmp_path}/", "")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()


def test_a_genome_that_cannot_be_made():
    @genome("broken")
    @dataclass
    class ContractViolation:
        """It thinks that images are flat."""

        shape: tuple[int, int, int]
        dtype: ClassVar[str] = "uint8"

        def __post_init__(self):
            (self.size,) = self.shape

    with pytest.raises(PluginError, match=r"^genome 'broken' raised ValueError: too many values to unpack"):
        fooldeap.toolbox({"classifier": "tiny", "genome": "broken"}, plugins=[KIT, ContractViolation])


def test_the_accuracy_check_counts_as_no_evaluation(tmp_path):
    @dataset("noise")
    @dataclass(frozen=True)
    class Noise:
        """Images of noise that the classifier is right on by construction."""

        def load(self):
            toolbox = fooldeap.toolbox({"classifier": "tiny"}, plugins=[KIT])
            images = toolbox.sample(50)
            classifier = config.load({}, ["classifier=tiny"], plugins=[KIT]).classifier.build()
            labels = classifier.logits(images)
            return Split(images, labels.argmax(axis=1), images, labels.argmax(axis=1))

    words = ["classifier=tiny", "dataset=noise", "targets=[0]", "stop.evaluations=20", "stop.confidence=null"]
    result = fooldeap.run({}, *words, "reporters=[]", plugins=[KIT, Noise], out=tmp_path / "run")
    assert result.evaluations == 20
    assert (tmp_path / "run/timings.csv").read_text().splitlines()[-1].split(",")[-2] == "20"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["classifier.model=mnist_cn"], r"command line: classifier\.?\w*: .*did you mean 'mnist_cnn'"),
        (["classifier=tiny", "algorithm.elites=100"], r"algorithm: .* expected fewer than the population of 100"),
        (["classifier=tiny", "targets=[1,7]"], "command line: targets: got 7, expected classes from 0 to 3"),
    ],
)
def test_invalid_runs_write_nothing(words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=message):
        fooldeap.run({}, *words, plugins=[KIT], quiet=True)
    assert not list(tmp_path.iterdir())


def test_a_model_is_found_beside_the_file_that_names_it(tmp_path, monkeypatch):
    import shutil
    from importlib import resources

    shipped = resources.files("fooldeap.data") / "classifiers" / "mnist_lenet.keras"
    (tmp_path / "models").mkdir()
    shutil.copy(str(shipped), tmp_path / "models" / "mine.keras")
    (tmp_path / "mine.yaml").write_text("classifier: {name: keras, model: models/mine.keras}\n")
    monkeypatch.chdir("/")
    experiment = config.load(tmp_path / "mine.yaml")
    assert experiment.classifier.build().classes == 10
    (tmp_path / "mnist_lenet").mkdir()  # a folder of a shipped model's name is no model
    (tmp_path / "shipped.yaml").write_text("classifier: {name: keras, model: mnist_lenet}\n")
    assert config.load(tmp_path / "shipped.yaml").classifier.build().input_shape == (28, 28, 1)


def test_parameters_that_go_wrong_together_are_found_before_a_folder_is_made(tmp_path):
    words = ["classifier=tiny", "fitness=cross_entropy", "selection={name: deap, operator: selRoulette}"]
    with pytest.raises(InputError, match="selRoulette is wrong if a fitness is negative"):
        fooldeap.run({}, *words, "reporters=[]", plugins=[KIT], out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_an_error_in_the_input_that_shows_late_leaves_a_folder_and_is_no_input_error(tmp_path):
    @mutation("fussy")
    def fussy(genomes, rng):
        """Refuse in the third generation."""
        fussy.calls = getattr(fussy, "calls", 0) + 1
        if fussy.calls > 4:
            raise InputError("no more")
        return genomes

    words = ["classifier=tiny", "mutation=fussy", "reporters=[]", "targets=[0]"]
    with pytest.raises(RunError, match="mutation 'fussy': no more; the traceback is in"):
        fooldeap.run({}, *words, plugins=[KIT, fussy], out=tmp_path / "run")
    assert (tmp_path / "run/error.log").is_file()


def test_a_genome_that_does_not_fit_the_image_is_told_at_its_key(tmp_path):
    path = tmp_path / "size.yaml"
    path.write_text("algorithm: cma_es\ngenome: {name: dct, size: 29}\n")
    with pytest.raises(
        InputError, match=rf"^{path}:2:9: genome: size: got 29, expected at most 28 for an image of 28 x 28$"
    ):
        fooldeap.run(path, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
