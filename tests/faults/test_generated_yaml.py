"""Generated YAML of all five kinds, valid and broken, through all that a command does before it begins.

Each document is loaded; what was loaded says the same again, and is built: networks, toolboxes, attacks, settings of
executors. Or it is refused in lines that can be shown. `make faults` makes 5 000 documents of each kind, `make test`
some.
"""

import contextlib
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import documents
import pytest
from documents import GIVEN, OF_KEYS, PIECES, SHIPPED
from helpers.experiments import ROOT, tiny
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fooldeap.audit import real
from fooldeap.audit import settings as audits
from fooldeap.audit.battery import experiment_data, load_attacks
from fooldeap.configuration import config
from fooldeap.configuration.writing import as_yaml
from fooldeap.errors import InputError
from fooldeap.options import NO_OPTIONS
from fooldeap.retrain import chain
from fooldeap.retrain import settings as retrainings
from fooldeap.runs.session import Session
from fooldeap.study import definition
from fooldeap.training import network, train
from fooldeap.training import settings as trainings

EVERY = "FOOLDEAP_FAULTS" in os.environ
DOCUMENTS = 5_000 if EVERY else 25  # of each kind
LONGEST_LINE = 2_000  # characters
LONGEST_TIME = 30  # seconds of CPU time for one document
REHEARSED = 3  # variants of a study

pytestmark = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs a clock that interrupts")


# --- What comes after a document is loaded --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bench():
    """What is known of the tiny classifier, which takes the place of those that take long to load."""
    with Session({"": tiny()}) as bench:
        yield bench.experiment, bench.calibration


def rehearse(experiments, bench):
    """Build executor and classifier by themselves, and have all operators make a first generation."""
    known, calibration = bench
    for experiment in experiments.values():
        with experiment.blaming("executor"):
            _ = getattr(experiment.executor.build(), "processes", 1)
        with experiment.blaming("classifier"):
            experiment.classifier.build()
    others = {"classifier": known.classifier, "executor": known.executor, "dataset": None}
    with Session({name: replace(each, **others) for name, each in experiments.items()}, calibration=calibration):
        pass


def rehearse_variants(study, bench):
    rehearse(dict(list(definition.resolved(study)[0].variants.items())[:REHEARSED]), bench)


def attack(audit, bench):
    """Make the attacks of an audit, and load their experiments."""
    shape, choice, seed = audit.classifier.input_shape, audit.choice, audit.experiment.seed
    for each in load_attacks(shape, len(audit.classes), audit.budget):
        said = experiment_data(each, choice, seed, list(audit.classes))
        config.load({**said, "plugins": list(audit.experiment.plugins)}, plugins=GIVEN)
    if audit.images is not None:
        real.load(audit.images, shape)


class Described(NamedTuple):
    """A training file that was loaded."""

    training: trainings.Training
    dataset: object
    document: object


def load_training(path, plugins):
    document = trainings.read_document(path)
    return Described(*trainings.checked(document, config.registry_of(document, plugins, NO_OPTIONS)), document)


def build_network(described, bench):
    """Check the settings against a dataset, and build the network for images of the size of its own."""
    shape, classes = ((28, 28, 1), 10) if described.training.dataset == "mnist" else ((8, 8, 1), 2)
    network.build(described.training, shape, classes, described.document)
    train.refuse(described.training, documents.Stripes().load(), described.document)


class Kind(NamedTuple):
    """A kind of YAML file: how it is loaded, what it says as data or None, and what is built then."""

    load: object
    data: object
    build: object


KINDS = {
    "experiment": Kind(config.load, lambda loaded: loaded.data(), lambda loaded, bench: rehearse({"": loaded}, bench)),
    "study": Kind(definition.load, lambda loaded: loaded.data(), rehearse_variants),
    "audit": Kind(audits.load, lambda loaded: loaded.data(), attack),
    "retraining": Kind(
        retrainings.load,
        lambda loaded: loaded.data(),
        lambda loaded, bench: chain._Chain(loaded, GIVEN, quiet=True),
    ),
    "training": Kind(load_training, None, build_network),
}


# --- What may come of a document ------------------------------------------------------------------------------------


def check(kind, text, folder, bench):
    """Load a document as a file of its kind, and build what it describes."""
    path = folder / "generated.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with within(LONGEST_TIME):
        try:
            loaded = KINDS[kind].load(path, plugins=GIVEN)
        except InputError as error:
            check_message(error)
            return
        if KINDS[kind].data is not None and kind != "audit":
            check_again(KINDS[kind], loaded, folder)
        try:
            KINDS[kind].build(loaded, bench)
        except InputError as error:
            check_message(error)


def check_message(error):
    assert error.exit_code == 2
    for line in str(error).split("\n"):
        assert line
        assert line.isprintable()
        assert "Traceback" not in line
        assert len(line) <= LONGEST_LINE


def check_again(kind, loaded, folder):
    """What was loaded says the same when it is loaded again: as data, and as the file in a run folder."""
    data = kind.data(loaded)
    assert kind.data(kind.load(data, plugins=GIVEN)) == data
    if not EVERY:
        return
    path = folder / "resolved.yaml"
    path.write_text(as_yaml(data), encoding="utf-8")
    assert kind.data(kind.load(path, plugins=GIVEN)) == data


@contextlib.contextmanager
def within(seconds):
    def late(*_):
        raise TimeoutError(f"not done after {seconds} s of CPU time")

    before = signal.signal(signal.SIGPROF, late)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


JUDGE = """
import numpy as np


def judge(images):
    return images.reshape(len(images), -1)[:, :4].astype(np.float32) / 50
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder of the documents, with the files that they name."""
    folder = tmp_path_factory.mktemp("generated")
    shutil.copytree(ROOT / "configs", folder / "configs")
    place = folder / "configs/studies"
    with contextlib.chdir(place):
        Path("judge.py").write_text(JUDGE)
        Path("training.yaml").write_text(documents.A_TRAINING)
        Path("names").write_text("a\nb\nc\nd\n")
        Path("pictures").mkdir()
        for name in ("fifo", "fifo.py", "pictures/1.png"):
            os.mkfifo(name)
        yield place


def generated(share, **strategies):
    """Run a test over a share of all documents, the same ones each time."""
    checks = settings(
        max_examples=int(DOCUMENTS * share),
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    return lambda test: checks(given(**strategies)(test))()


@pytest.mark.parametrize("kind", KINDS)
def test_documents_of_known_keys(kind, folder, bench):
    @generated(0.6, text=OF_KEYS[kind])
    def _(text):
        check(kind, text, folder, bench)


@pytest.mark.parametrize("kind", KINDS)
def test_shipped_files_changed(kind, folder, bench):
    @generated(0.3, text=st.sampled_from(SHIPPED[kind]), changes=documents.CHANGES)
    def _(text, changes):
        check(kind, documents.changed(text, changes), folder, bench)


@pytest.mark.parametrize("kind", KINDS)
def test_text_that_looks_like_yaml(kind, folder, bench):
    @generated(0.1, pieces=PIECES)
    def _(pieces):
        check(kind, "".join(pieces), folder, bench)


# --- What is built to take long -------------------------------------------------------------------------------------

LONG = {
    "a grid of a billion variants": "vary:\n"
    + "".join(f"  mutation.p{index}: {list(range(10))}\n" for index in range(9)),
    "very many unknown keys": "".join(f"k{index}: 1\n" for index in range(20_000)),
    "very many unknown keys of a plugin": "mutation: {name: gaussian, "
    + ", ".join(f"k{index}: 1" for index in range(20_000))
    + "}",
    "very many targets": f"targets: {list(range(90_000))}",
    "a very long list of reporters": f"reporters: [{', '.join(['console'] * 20_000)}]",
    "very many lines of a list": "targets:\n" + "- 1\n" * 90_000,
    "deep in blocks": "a:\n" + "".join(" " * depth + "- a:\n" for depth in range(1, 400)),
    "deep in brackets": "a: " + "[" * 400_000,
    "deep in braces": "{a: " * 200_000,
    "deep in dashes": "- " * 400_000,
    "deep in question marks": "? " * 400_000,
    "many anchors": "a: [" + ", ".join(f"&a{index} 1" for index in range(50_000)) + "]",
    "a ladder of aliases": "a0: &a0 [1, 1]\n"
    + "".join(f"a{step}: &a{step} [*a{step - 1}, *a{step - 1}]\n" for step in range(1, 60)),
    "a ladder of merges": "a0: &a0 {k: 1}\n"
    + "".join(f"a{step}: &a{step} {{<<: [*a{step - 1}, *a{step - 1}]}}\n" for step in range(1, 60)),
    "one huge scalar": "name: " + "x" * 900_000,
    "one huge quoted scalar": 'name: "' + "\\e" * 400_000 + '"',
    "one huge key": "x" * 900_000 + ": 1",
    "one huge integer": "seed: " + "9" * 900_000,
    "one huge hexadecimal integer": "seed: 0x" + "f" * 900_000,
    "one huge float": "seed: 1." + "1" * 900_000 + "e5",
    "colons": ":" * 900_000,
    "empty lines": "\n" * 900_000,
    "a comment without end": "#" * 900_000,
    "a tag without end": "a: !" + "x" * 900_000,
    "an anchor without end": "a: &" + "x" * 900_000,
    "an alias without end": "a: *" + "x" * 900_000,
    "percent signs": "%" * 900_000,
    "document after document": "--- a\n" * 100_000,
}


SOME = [
    "a grid of a billion variants",
    "a ladder of aliases",
    "a ladder of merges",
    "deep in blocks",
    "deep in braces",
    "one huge key",
    "one huge hexadecimal integer",
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", LONG if EVERY else SOME)
def test_documents_built_to_take_long_are_handled_in_time(kind, name, folder, bench):
    check(kind, LONG[name], folder, bench)
