"""Plugins that go wrong on the way: one line with the plugin's name, exit 1, partial results kept, others go on.

Each fault is tried through the command, in the second run of three and in all of them at once, and then its cause is
mended (the file of the plugin says no more that it fails): the folder is resumed to the bits of a run without faults.
"""

import json
import sys

import numpy as np
import pytest
from helpers.experiments import KIT, TINY, bits
from helpers.query_logs import check_adds_up

from fooldeap import cli
from fooldeap.configuration import config
from fooldeap.errors import PluginError
from fooldeap.plugin import Executor, Reporter, algorithm, classifier, dataclass, dataset, executor, reporter
from fooldeap.runs.experiment_session import ExperimentSession
from fooldeap.runs.folder import problems_in
from fooldeap.runs.run_folder import RunFolder

PLUGIN = r'''
import os
import time
from hashlib import sha1
from pathlib import Path
import numpy as np
from fooldeap.plugin import algorithm, classifier, dataclass, fitness, mutation

SAYS = Path(__file__).with_name("fault.txt")
COUNTED = {}
BLACK = sha1(bytes(64)).hexdigest()


def due(kind, after):
    """Tell which fault is due in the plugin of a kind, once it was called so often."""
    begun = SAYS.with_name("run").exists()  # what is asked before is asked to find out about it
    COUNTED[kind] = COUNTED.get(kind, 0) + (begun or not after)
    fault = SAYS.read_text().split()
    return fault[1] if fault[0] == kind and COUNTED[kind] > after else ""


def spoilt(values, fault):
    if fault == "raises":
        raise ZeroDivisionError("no luck")
    if fault == "nan":
        values = values.copy()
        values.flat[0] = np.nan
    return {"shape": values[:-1], "dtype": values.astype(np.float16), "none": None}.get(fault, values)


@classifier("doubtful")
@dataclass
class Doubtful:
    """A linear classifier."""

    input_shape, classes, digest = (8, 8, 1), 4, "doubtful"

    def logits(self, images):
        fault = due("classifier", 4)
        while fault == "hangs":
            time.sleep(100)
        bad = SAYS.with_name("bad.txt")  # images that it fails on
        kind, word = SAYS.read_text().split()
        digests = [sha1(image).hexdigest() for image in images]
        if kind == "images" and any(digest in bad.read_text() for digest in digests):
            fault = word
        if kind == "record":
            with SAYS.with_name("recorded.txt").open("a") as recorded:
                recorded.write("".join(f"{digest}\n" for digest in digests if digest != BLACK))
        if kind == "once" and due("once", 4) and COUNTED["once"] == 5:
            fault = word
        weights = np.random.default_rng(7).normal(size=(64, 4)) * 0.002
        logits = np.einsum("ij,jk->ik", images.reshape(len(images), -1) - 127.5, weights).astype(np.float32)
        return spoilt(logits, fault)


@fitness("doubtful")
def doubtful_fitness(predictions, target):
    """The log probability."""
    values = predictions.log_probabilities[:, target].astype(np.float64)
    return spoilt(values, due(f"fitness-{target}", 4) or due("fitness", 14))


@mutation("doubtful", genome="pixels")
def doubtful_mutation(images, rng):
    """Invert some pixels."""
    return spoilt(np.where(rng.random(images.shape) < 0.03, 255 - images, images), due("mutation", 14))


@algorithm("doubtful")
def doubtful_algorithm(toolbox, rng):
    """Keep the better half."""
    kind = f"algorithm-{toolbox.targets[0]}"
    if due(kind, 0) == "nothing":
        return
    genomes = toolbox.sample(12)
    for generation in range(1000):
        fault = due(kind, 6)
        if fault == "ends":
            return
        fitness = (yield toolbox.sample(0) if fault == "empty" else spoilt(genomes, fault)).fitness
        best = np.argsort(-fitness, kind="stable")[:6]
        genomes = np.concatenate([toolbox.take(genomes, best), toolbox.mutate(toolbox.take(genomes, best))])
'''
RUN = """
classifier: doubtful
plugins: [plugin.py]
fitness: doubtful
mutation: doubtful
algorithm: doubtful
stop: {confidence: null, evaluations: 120}
targets: [0, 1, 2]
reporters: [csv, images]
"""
WRONG = {  # kind and fault of the plugin: what is said of it
    "classifier raises": "classifier 'doubtful' raised ZeroDivisionError: no luck",
    "classifier nan": "classifier 'doubtful' returned NaN or infinity",
    "classifier shape": "classifier 'doubtful' returned float32 (",
    "classifier dtype": "classifier 'doubtful' returned float16 (",
    "classifier none": "classifier 'doubtful' returned NoneType, expected float32 (",
    "fitness raises": "fitness 'doubtful' raised ZeroDivisionError: no luck",
    "fitness nan": "fitness 'doubtful' returned values that are not finite",
    "fitness shape": "fitness 'doubtful' returned float64 (",
    "fitness dtype": "fitness 'doubtful' returned float16 (",
    "fitness none": "fitness 'doubtful' returned NoneType",
    "mutation raises": "mutation 'doubtful' raised ZeroDivisionError: no luck",
    "mutation shape": "mutation 'doubtful' returned uint8 (5, 8, 8, 1), expected uint8 (6, 8, 8, 1)",
    "mutation dtype": "mutation 'doubtful' returned float16 (",
    "mutation none": "mutation 'doubtful' returned None",
    "algorithm-1 raises": "algorithm 'doubtful' at generation 5 of seed1-target1 raised ZeroDivisionError: no luck",
    "algorithm-1 empty": "algorithm 'doubtful' at generation 5 of seed1-target1 yielded uint8 (0, 8, 8, 1), expected",
    "algorithm-1 none": "algorithm 'doubtful' at generation 5 of seed1-target1 yielded NoneType, expected",
    "algorithm-1 dtype": "genome 'pixels' decoded to float16 (",
}
IN_ONE_RUN = ("fitness-1 raises", "fitness-1 nan", "algorithm-1 raises", "algorithm-1 empty")


@pytest.fixture
def fooldeap_run(tmp_path, capsys):
    """Runs the command on the experiment with a fault; gives its exit code and what it said on stderr."""
    (tmp_path / "plugin.py").write_text(PLUGIN)
    (tmp_path / "run.yaml").write_text(RUN)

    def called(fault, *words):
        (tmp_path / "fault.txt").write_text(fault)
        with pytest.raises(SystemExit) as ended:
            cli.main(["run", *words, "--quiet"])
        said = [line for line in capsys.readouterr().err.splitlines() if " runs the plugins in " not in line]
        return ended.value.code or 0, said

    return called


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """The bits of a run without faults."""
    place = tmp_path_factory.mktemp("right")
    (place / "plugin.py").write_text(PLUGIN)
    (place / "run.yaml").write_text(RUN)
    (place / "fault.txt").write_text("none -")
    with pytest.raises(SystemExit):
        cli.main(["run", str(place / "run.yaml"), "--out", str(place / "run"), "--quiet"])
    return bits(place / "run")


@pytest.mark.parametrize("fault", WRONG)
def test_a_fault_is_one_line_and_keeps_partial_results(tmp_path, fooldeap_run, expected, fault):
    folder = tmp_path / "run"
    code, said = fooldeap_run(fault, str(tmp_path / "run.yaml"), "--out", str(folder))
    assert code == 1
    assert len(said) == 1
    assert WRONG[fault] in said[0]
    resume = f"fooldeap run --resume {folder}"
    again = f"; the traceback is in {folder}/error.log; resume with: {resume}"
    assert said[0].endswith(f"{again}; to skip runs that fail: {resume} on_error=skip")
    assert sum(path.stat().st_size for path in folder.glob("journal/*")) > 1000, "what was answered is kept"
    assert len((folder / "log.csv").read_text().splitlines()) > 3
    assert not (folder / "result.json").exists()
    assert fooldeap_run("none -", "--resume", str(folder)) == (0, [])
    assert bits(folder) == expected
    assert problems_in(folder) == []
    check_adds_up(folder)


@pytest.mark.filterwarnings("default::fooldeap.FooldeapWarning")
@pytest.mark.parametrize("fault", IN_ONE_RUN)
def test_other_targets_continue_if_failures_are_skipped(tmp_path, fooldeap_run, expected, fault):
    folder = tmp_path / "run"
    words = [str(tmp_path / "run.yaml"), "on_error=skip", "--out", str(folder)]
    code, said = fooldeap_run(fault, *words)
    assert code == 1
    assert len(said) == 2
    assert said[0].startswith("fooldeap: warning: seed1-target1 failed: ")
    assert "'doubtful'" in said[0]
    assert said[0].endswith("; the other runs continue")
    again = f"to try again: fooldeap run --resume {folder}"
    assert said[1] == f"fooldeap: 1 run failed; the results of the other runs are in {folder}; {again}"
    result, right = json.loads((folder / "result.json").read_text()), json.loads(expected["result.json"])
    assert [run["stopped"] for run in result["runs"]] == ["evaluations", "failed", "evaluations"]
    assert list(result["failures"]) == ["seed1-target1"]
    for number in (0, 2):
        assert result["runs"][number] == right["runs"][number]
    assert 0 < result["runs"][1]["evaluations"] < 120, "what was found until then"
    assert (folder / result["runs"][1]["image"]).is_file()
    assert problems_in(folder) == []
    check_adds_up(folder)


@pytest.mark.filterwarnings("default::fooldeap.FooldeapWarning")
@pytest.mark.parametrize("executor", ["serial", "{name: scoop, workers: 1}", "{name: scoop, workers: 1, mode: runs}"])
@pytest.mark.parametrize("fault", ["raises", "nan"])
def test_a_classifier_that_fails_on_images_of_one_run_fails_that_run(tmp_path, fooldeap_run, expected, fault, executor):
    folder = tmp_path / "run"
    (tmp_path / "bad.txt").write_text(shown_late(tmp_path, fooldeap_run))
    words = [str(tmp_path / "run.yaml"), "on_error=skip", f"executor={executor}", "--out", str(folder)]
    code, said = fooldeap_run(f"images {fault}", *words)
    assert (code, len(said)) == (1, 2)
    assert said[0].startswith("fooldeap: warning: seed1-target1 failed: classifier 'doubtful' ")
    result, right = json.loads((folder / "result.json").read_text()), json.loads(expected["result.json"])
    assert [run["stopped"] for run in result["runs"]] == ["evaluations", "failed", "evaluations"]
    assert [result["runs"][number] for number in (0, 2)] == [right["runs"][number] for number in (0, 2)]
    assert problems_in(folder) == []
    check_adds_up(folder)
    # A run that failed is tried again by who resumes, and others are not touched.
    assert fooldeap_run(f"images {fault}", "--resume", str(folder))[0] == 1
    assert json.loads((folder / "result.json").read_text())["runs"] == result["runs"]
    assert fooldeap_run("none -", "--resume", str(folder)) == (0, [])
    assert bits(folder) == expected
    assert problems_in(folder) == []
    check_adds_up(folder)


def shown_late(tmp_path, fooldeap_run):
    """Return the digests of the last images that a run of target 1 shows before its budget is used up."""
    alone, recorded = tmp_path / "alone", tmp_path / "recorded.txt"
    fooldeap_run("record -", str(tmp_path / "run.yaml"), "targets=[1]", "--out", str(alone))
    return "\n".join(recorded.read_text().split()[-2:])


@pytest.mark.filterwarnings("default::fooldeap.FooldeapWarning")
@pytest.mark.parametrize("fault", ["raises", "nan"])
def test_a_classifier_that_fails_altogether_fails_no_run(tmp_path, fooldeap_run, expected, fault):
    """Whatever is to be done about failing runs: it is gone for a while, and all are resumed when it is back."""
    folder = tmp_path / "run"
    code, said = fooldeap_run(f"classifier {fault}", str(tmp_path / "run.yaml"), "on_error=skip", "--out", str(folder))
    assert (code, len(said)) == (1, 1)
    assert WRONG[f"classifier {fault}"] in said[0]
    assert not (folder / "result.json").exists()
    assert fooldeap_run("none -", "--resume", str(folder)) == (0, [])
    assert bits(folder) == expected


@pytest.mark.filterwarnings("default::fooldeap.FooldeapWarning")
def test_a_classifier_that_fails_once_is_asked_again_where_runs_may_fail_alone(tmp_path, fooldeap_run, expected):
    folder = tmp_path / "run"
    code, said = fooldeap_run("once raises", str(tmp_path / "run.yaml"), "on_error=skip", "--out", str(folder))
    assert (code, len(said)) == (0, 1)
    assert said[0].startswith(
        "fooldeap: warning: classifier 'doubtful' raised ZeroDivisionError: no luck; the same images"
    )
    assert bits(folder) == expected


@pytest.mark.filterwarnings("default::fooldeap.FooldeapWarning")
def test_a_folder_whose_run_is_stopped_by_an_image_is_resumed_without_that_run(tmp_path, fooldeap_run):
    folder = tmp_path / "run"
    (tmp_path / "bad.txt").write_text(shown_late(tmp_path, fooldeap_run))
    code, said = fooldeap_run("images nan", str(tmp_path / "run.yaml"), "--out", str(folder))
    assert (code, len(said)) == (1, 1)
    command = said[0].partition("; to skip runs that fail: fooldeap run ")[2].split()
    assert fooldeap_run("images nan", "--resume", str(folder))[0] == 1, "it dies at the same place"
    assert not (folder / "result.json").exists()
    assert fooldeap_run("images nan", *command)[0] == 1
    assert list(json.loads((folder / "result.json").read_text())["failures"]) == ["seed1-target1"]


def test_an_algorithm_that_ends_early_is_no_fault(tmp_path, fooldeap_run):
    folder = tmp_path / "run"
    assert fooldeap_run("algorithm-1 ends", str(tmp_path / "run.yaml"), "--out", str(folder)) == (0, [])
    runs = json.loads((folder / "result.json").read_text())["runs"]
    assert [run["stopped"] for run in runs] == ["evaluations", "finished", "evaluations"]
    assert 12 < runs[1]["evaluations"] < 120


@pytest.mark.filterwarnings("default::fooldeap.FooldeapWarning")
@pytest.mark.parametrize("target", [0, 1])
@pytest.mark.parametrize("on_error", ["stop", "skip"])
def test_an_algorithm_that_yields_nothing(tmp_path, fooldeap_run, target, on_error):
    """Known at the first run before a folder is made, else on the way."""
    folder = tmp_path / "run"
    words = [str(tmp_path / "run.yaml"), f"on_error={on_error}", "--out", str(folder)]
    code, said = fooldeap_run(f"algorithm-{target} nothing", *words)
    assert code == 1
    assert f"algorithm 'doubtful' at generation 0 of seed1-target{target} ended before it yielded anything" in said[0]
    assert len(said) == (2 if on_error == "skip" and target else 1)


@pytest.mark.parametrize("fault", [fault for fault in WRONG if fault.startswith("classifier")])
def test_a_classifier_at_fault_from_the_start_makes_no_folder(tmp_path, fooldeap_run, fault):
    (tmp_path / "plugin.py").write_text(PLUGIN.replace('due("classifier", 4)', 'due("classifier", 0)'))
    code, said = fooldeap_run(fault, str(tmp_path / "run.yaml"), "--out", str(tmp_path / "run"))
    # Answers that are not finite are those of the model that the user named: wrong input, at its key in the file.
    known = {"classifier nan": (2, f"{tmp_path / 'run.yaml'}:2:13: classifier: returned NaN or infinity")}
    expected, words = known.get(fault, (1, WRONG[fault]))
    assert (code, len(said)) == (expected, 1)
    assert said[0].startswith(f"fooldeap: {words}")
    assert not (tmp_path / "run").exists()


def test_a_classifier_that_hangs_is_ended_in_the_root_of_an_executor_with_workers(tmp_path, fooldeap_run, expected):
    folder = tmp_path / "run"
    executor = "executor={name: scoop, workers: 1, batch_timeout: 0.3}"
    code, said = fooldeap_run("classifier hangs", str(tmp_path / "run.yaml"), executor, "--out", str(folder))
    assert (code, len(said)) == (1, 1)
    assert said[0].startswith("fooldeap: classifier 'doubtful' took longer than 0.3 s for a batch of ")
    assert fooldeap_run("none -", "--resume", str(folder), "executor=serial") == (0, [])
    assert bits(folder) == expected
    check_adds_up(folder)


# --- Before the first generation, and around all of them -------------------------------------------------------------


class Right:
    """What a classifier should say of itself."""

    input_shape, classes, digest = (8, 8, 1), 4, "right"

    def logits(self, images):
        return np.zeros((len(images), 4), np.float32)


def failing(kind, message="no luck"):
    """Return a method, or with `property` an attribute, that fails."""

    def fails(*_):
        raise kind(message)

    return fails


def named(decorator, base, **attributes):
    """Return a plugin named "it" that differs from its base so."""
    return decorator("it")(dataclass(type("It", (base,), {"__doc__": "It.", **attributes})))


def prepared(kind, plugin, **choices):
    given = {**TINY, "stop": {"confidence": None, "evaluations": 40}, "targets": [0], **choices}
    choice = ["csv", "it"] if kind == "reporters" else "it"
    return ExperimentSession(config.load({}, arguments={**given, kind: choice}, plugins=[KIT, plugin]))


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({"input_shape": "8x8"}, r"has the input_shape '8x8', expected \(height, width, channels\)"),
        ({"input_shape": (0, 8, 1)}, r"has the input_shape \(0, 8, 1\)"),
        ({"input_shape": property(failing(ValueError))}, "raised ValueError: no luck"),
        ({"classes": None}, "has None classes, expected a number of at least 1"),
        ({"classes": 0}, "has 0 classes"),
        ({"digest": b"x"}, "has a digest of type bytes, expected text"),
        ({"digest": property(failing(OSError))}, "raised OSError: no luck"),
        ({"logits": failing(StopIteration)}, "raised StopIteration: no luck"),
        ({"logits": failing(SystemExit, "0")}, "raised SystemExit: 0"),
        ({"logits": failing(ValueError, "first\nsecond\rthird")}, "raised ValueError: first second third"),
        ({"logits": failing(ValueError, "long " * 1000)}, r"raised ValueError: (long ){80}\.\.\."),
    ],
)
def test_invalid_logits_are_refused(attributes, said):
    with pytest.raises(PluginError, match=f"^classifier 'it' {said}") as raised:
        prepared("classifier", named(classifier, Right, **attributes))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("load", "said"),
    [(failing(ValueError), "raised ValueError: no luck"), (lambda self: None, "loads NoneType, expected a Split")],
)
def test_a_dataset(load, said):
    with pytest.raises(PluginError, match=f"^dataset 'it' {said}"):
        prepared("dataset", named(dataset, object, load=load))


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({"open": failing(ValueError)}, "raised ValueError: no luck"),
        ({"map": failing(ValueError)}, "raised ValueError: no luck"),
        ({"map": lambda self, function, items: None}, "raised TypeError: 'NoneType'"),
        ({"map": lambda self, function, items: []}, "returned fewer results than there were items, 1"),
        (
            {"map": lambda self, function, items: map(function, [*items, *items])},
            "returned more results than there were",
        ),
        ({"map": lambda self, function, items: items}, "returned tuple, expected the results of the function"),
        ({"close": failing(ValueError)}, "raised ValueError: no luck"),
    ],
)
def test_an_executor(tmp_path, attributes, said):
    def made():
        ready = prepared("executor", named(executor, Executor, **attributes))
        ready.run(RunFolder.create(ready.experiment, tmp_path / "run"))

    with pytest.raises(PluginError, match=f"^executor 'it' {said}"):
        made()


def test_a_reporter_that_exits_does_not_pass_for_the_end(tmp_path):
    it = named(reporter, Reporter, on_generation=lambda *_: sys.exit(0))
    ready = prepared("reporters", it)
    with pytest.raises(PluginError, match=r"^reporter 'it' raised SystemExit in on_generation: 0; the traceback is in"):
        ready.run(RunFolder.create(ready.experiment, tmp_path / "run"))
    assert not (tmp_path / "run/result.json").exists()


def test_an_algorithm_that_will_not_end():
    @algorithm("it")
    def it(toolbox, rng):
        """Go on once more when it is to end."""
        told = 0
        while told < 2:
            try:
                yield toolbox.sample(5)
            except GeneratorExit:
                told += 1

    result = prepared("algorithm", it).run(None)
    assert [run.evaluations for run in result] == [40]
