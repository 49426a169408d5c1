"""A function as the classifier: what it gives, what identifies it, and one line for each that will not do."""

import numpy as np
import pytest
from helpers.commands import call

import fooldeap
from fooldeap import cli
from fooldeap.configuration import config
from fooldeap.errors import InputError, PluginError
from fooldeap.options import Options
from fooldeap.testing import broken
from fooldeap_plugins.classifier.callable import FunctionClassifier

SOURCE = """
import numpy as np

def scores(images):
    assert images.dtype == np.uint8 and images.shape[1:] == (8, 8, 1), images.shape
    means = images.reshape(len(images), -1).mean(axis=1)
    return np.stack([means, 255 - means, 0 * means - 1], axis=1) / 100

def shares(images):
    powers = np.exp(scores(images))
    return powers / powers.sum(axis=1, keepdims=True)

class Network:
    def __call__(self, images):
        return scores(images)

network = Network()

def in_place(images):
    images[images > 127] = 127
    return scores(images)

def lists(images): return scores(images).tolist()
def halves(images): return np.full((len(images), 3), 0.5)
def percent(images): return 100 * shares(images)
def nearly(images): return 1.05 * shares(images)
def votes(images): return scores(images).round().astype(np.uint8)
def labels(images): return np.eye(3)[scores(images).argmax(axis=1)]
def ragged(images): return [[1.0] * (1 + index % 3) for index in range(len(images))]
def text(images): return [["1", "2", "3"]] * len(images)
def nothing(images): scores(images)
def complex_ones(images): return scores(images) + 1j
def objects(images): return scores(images).astype(object)
def lazy(images): return (row for row in scores(images))
async def awaited(images): return scores(images)
def one(images): return shares(images)[:, :1]
def flat(images): return shares(images)[:, 0]
def asserting(images): assert False
def single(image): return image.reshape(64) @ np.ones((64, 3))
def turned(images): return scores(images).T
def six(images): return np.tile(scores(images), 2)
def first(images): return scores(images)[:1]
def undefined(images): return scores(images) * np.nan
def endless(images): return np.exp(1000 * scores(images) + 1000)
def failing(images): raise ValueError("out of\\nluck")
def leaving(images): raise SystemExit(4)
def without(): return 1
def with_more(images, temperature): return scores(images) / temperature
number = 3
"""
RNG = np.random.default_rng(0)
SHOWN = RNG.integers(0, 256, (9, 8, 8, 1), dtype=np.uint8)


@pytest.fixture
def module(tmp_path):
    (tmp_path / "remote.py").write_text(SOURCE)
    return tmp_path / "remote.py"


def function(module, name, **settings):
    return FunctionClassifier(function=f"{module}:{name}", shape=(8, 8, 1), classes=3, **settings)


def test_a_function_gives_logits_or_probabilities(module):
    logits, logs = (function(module, name).logits(SHOWN) for name in ("scores", "shares"))
    assert logits.dtype == logs.dtype == np.float32
    np.testing.assert_allclose(
        logits - logits.max(axis=1, keepdims=True), logs - logs.max(axis=1, keepdims=True), atol=1e-5
    )
    np.testing.assert_allclose(np.exp(logs).sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("name", ["lists", "network", "network.__call__"])
def test_anything_that_gives_its_scores_is_the_same_classifier(module, name):
    assert np.array_equal(function(module, name).logits(SHOWN), function(module, "scores").logits(SHOWN))


@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.int64, np.uint8])
def test_scores_of_any_number_are_taken(module, dtype):
    module.write_text(SOURCE + f"\ndef whole(images): return scores(images).round().astype(np.{dtype.__name__})\n")
    expected = function(module, "scores").logits(SHOWN).round()
    assert np.array_equal(function(module, "whole", outputs="logits").logits(SHOWN), expected)


def test_a_function_keeps_the_promises_of_a_classifier(module):
    for name in ("shares", "in_place"):
        assert broken(FunctionClassifier, function=f"{module}:{name}", shape=[8, 8, 1], classes=3) == {}


@pytest.mark.parametrize("name", ["scores", "network"])
def test_a_function_is_identified_by_its_source(module, name):
    digest = function(module, name).digest
    assert digest != function(module, "shares").digest
    module.write_text(SOURCE + "\n# another one\n")
    assert digest != function(module, name).digest


EXPECTED = r"for 64 images, expected floats \(64, 3\), the logits or probabilities of an image in a row; "
ARRAY = EXPECTED + "return an array of real numbers"
REFUSED = {
    "ragged": "gives rows of several lengths " + ARRAY,
    "text": r"gives text \(64, 3\) " + ARRAY,
    "nothing": "gives None " + ARRAY,
    "complex_ones": r"gives complex128 \(64, 3\) " + ARRAY,
    "objects": r"gives object \(64, 3\) " + ARRAY,
    "lazy": "gives generator " + ARRAY,
    "one": r"gives float64 \(64, 1\) " + EXPECTED + "of one score an image make two: ",
    "flat": r"gives float64 \(64,\) " + EXPECTED + "of one score an image make two: ",
    "turned": r"gives float64 \(3, 64\) " + EXPECTED + "transpose it",
    "six": r"gives float64 \(64, 6\) " + EXPECTED + "say 'classes: 6', or return as many scores",
    "first": r"gives float64 \(1, 3\) " + EXPECTED + r"return a row for each image of the batch \(n, height, width, ",
    "labels": "as labels do, .*; if they are rounded probabilities, scale the pixels in the function to those",
    "votes": r"gives integers \(uint8\), which may be logits, votes .*; return floats, or say 'outputs: logits', ",
    "undefined": "gives NaN or infinity on random images, expected finite numbers; scale the pixels in the ",
    "endless": "gives NaN or infinity on random images",
    "halves": "lies between 0.5 and 0.5 and does not sum to 1; .* say 'outputs: logits'",
    "percent": "sums to 100 for every image, as probabilities times 100 do; divide the output by 100 in the model or",
    "nearly": "lies between .* and does not sum to 1; ",
    "failing": r"fails \(ValueError: out of luck\) on uint8 images \(64, 8, 8, 1\), expected scores \(64, 3\); ",
    "asserting": r"fails \(AssertionError\) on uint8 images",
    "single": r"fails \(ValueError: .*; it receives a batch \(n, height, width, channels\); mend it",
    "leaving": r"fails \(SystemExit: 4\) on uint8 images",
    "without": r"takes \(\) .*, expected a function of images alone",
    "with_more": r"takes \(images, temperature\) .*, expected a function of images alone",
    "Network": "is a class, expected a function of images; write NET = Network\\(\\) in its file, and name NET",
    "number": "is no function, but int; name a function of images",
    "score": "has no function 'score'; did you mean 'scores'?",
    "xyz": "has no function 'xyz'; it has scores, shares, ",
}


@pytest.mark.filterwarnings("ignore:overflow")
@pytest.mark.parametrize("name", REFUSED)
def test_unsuitable_functions_are_refused_in_one_line(module, name):
    with pytest.raises(InputError, match=REFUSED[name]) as error:
        function(module, name).logits(SHOWN)
    assert str(error.value).startswith(f"classifier 'callable': function '{module}:{name}'")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "settings", "said"),
    [
        ("scores", {"billable": True}, "say 'outputs: logits', 'outputs: probabilities' or 'outputs: sigmoid'"),
        ("scores", {"outputs": "probabilities"}, "does not give probabilities"),
        ("shares", {"outputs": "logits"}, "gives probabilities"),
        ("shares", {"outputs": "logits", "billable": True}, "gives probabilities"),
        ("percent", {"outputs": "probabilities", "billable": True}, "from 0 to 1; divide percentages by 100"),
    ],
)
def test_outputs_that_contradict_the_setting_are_refused(module, name, settings, said):
    with pytest.raises((InputError, ValueError), match=said):
        function(module, name, **settings).logits(SHOWN)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("raise RuntimeError('out of\\nluck')", "cannot be loaded: RuntimeError: out of luck (line 1)"),
        ("import nowhere_at_all", "cannot be loaded: ModuleNotFoundError: No module named 'nowhere_at_all' (line 1)"),
        ("raise SystemExit(5)", "cannot be loaded: SystemExit: 5 (line 1)"),
        ("def (", "cannot be loaded: SyntaxError: invalid syntax"),
        ("scores = None", "has no function 'scores'"),
        ("def scores(images): return None", "gives None for 64 images"),
        ("def scores(images): return images[:, 0, :3, 0] + 1e39 * (images[:, :1, 0, 0] == 7)", "NaN or infinity for"),
    ],
)
def test_unsuitable_function_on_the_command_line_is_one_line_and_writes_nothing(
    tmp_path, monkeypatch, capsys, source, said
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "remote.py").write_text(source)
    file = tmp_path / "it.yaml"
    file.write_text("classifier: {name: callable, function: 'remote.py:scores', shape: [8, 8, 1], classes: 3}\n")
    for command in (["run", "it.yaml"], ["audit", "it.yaml", "--budget", "20"]):
        with pytest.raises(SystemExit) as left:
            cli.main(command)
        lines = [line for line in capsys.readouterr().err.splitlines() if "uses classifier.function" not in line]
        assert (left.value.code, len(lines)) == (2, 1), lines
        assert said in lines[0]
        assert "classifier 'callable'" not in lines[0]  # its key is named already
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "__pycache__") == ["it.yaml", "remote.py"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("remote:scores", r"for the file say 'remote.py:\.\.\.'"),
        ("nowhere_at_all:scores", "does not load .*; install it, or name a file: 'file.py:name'"),
        ("remote.py", "expected package.module:name or file.py:name"),
    ],
)
def test_a_module_that_is_not_there_is_refused_and_a_file_hinted_at(module, monkeypatch, name, said):
    monkeypatch.chdir(module.parent)
    with pytest.raises(InputError, match=said):
        FunctionClassifier(function=name, shape=(8, 8, 1), classes=3).logits(SHOWN)


def test_a_function_in_a_file_is_announced_or_refused_and_found_beside_it(
    module, monkeypatch, tmp_path_factory, capsys
):
    file = module.parent / "it.yaml"
    file.write_text("classifier: {name: callable, function: 'remote.py:scores', shape: [8, 8, 1], classes: 3}\n")
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    choice = config.load(file).classifier
    assert f"uses classifier.function: {module}:scores" in capsys.readouterr().err
    assert choice.build().logits(SHOWN).shape == (9, 3)
    with pytest.raises(InputError, match="--no-plugins forbids"):
        config.load(file, options=Options(no_plugins=True))


def test_images_that_nothing_can_hold_are_refused_before_the_function_is_called():
    with pytest.raises(InputError, match="numbers each, expected at most 16,777,216"):
        FunctionClassifier(function="nowhere:f", shape=(10**9, 10**9, 3), classes=2)


@pytest.mark.parametrize("command", ["run", "audit"])
def test_images_of_other_channels_are_refused_before_the_run(tmp_path, monkeypatch, capsys, command):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "remote.py").write_text("def scores(images): raise RuntimeError('called')")
    settings = "{name: callable, function: 'remote.py:scores', shape: [1, 8, 8], classes: 3}"
    (tmp_path / "it.yaml").write_text(f"classifier: {settings}\n")
    assert call(command, "it.yaml") == 2
    said = capsys.readouterr().err
    assert "has the shape (1, 8, 8), expected (height, width, 1 or 3); set 'shape' so" in said
    assert not (tmp_path / "runs").exists()


FAILING = """
import numpy as np
from pathlib import Path

def scores(images):
    found = images.reshape(len(images), -1)[:, :3] / 50
    if Path("run/journal").exists():
        FAULT
    return found
"""


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("raise ConnectionError('service down')", "raised ConnectionError: service down; "),
        ("assert False", "raised AssertionError; "),
        ("found[0] = np.nan", "expected finite logits; "),
    ],
)
def test_failure_in_a_run_names_the_command_to_resume(tmp_path, monkeypatch, capsys, fault, expected):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "remote.py").write_text(FAILING.replace("FAULT", fault))
    settings = "{name: callable, function: 'remote.py:scores', shape: [8, 8, 1], classes: 3}"
    (tmp_path / "it.yaml").write_text(f"classifier: {settings}\ntargets: [1]\nstop: {{evaluations: 300}}\n")
    assert call("run", "it.yaml", "--out", "run", "--quiet") == 1
    line = capsys.readouterr().err.splitlines()[-1]
    assert f"{expected}the traceback is in " in line
    resume = "fooldeap run --resume run"
    assert line.endswith(f"; resume with: {resume}; to skip runs that fail: {resume} on_error=skip")
    (tmp_path / "remote.py").write_text(FAILING.replace("FAULT", "pass"))
    assert call("run", "--resume", "run", "--quiet", "--force") == 0


@pytest.mark.parametrize(
    ("command", "words"), [("compare", ["study.yaml"]), ("audit", ["it.yaml", "--budget", "200", "--classes", "1"])]
)
def test_failure_in_a_study_or_an_audit_names_only_keys_that_these_have(tmp_path, monkeypatch, capsys, command, words):
    monkeypatch.chdir(tmp_path)
    fault = FAILING.replace("FAULT", "found[:] = np.nan").replace("run/journal", "run")
    (tmp_path / "remote.py").write_text(fault)
    settings = "{name: callable, function: 'remote.py:scores', shape: [8, 8, 1], classes: 3}"
    (tmp_path / "it.yaml").write_text(f"classifier: {settings}\n")
    vary = "vary: {mutation.rate: [0.1, 0.2]}"
    (tmp_path / "study.yaml").write_text(f"base: it.yaml\ntargets: [1]\nseeds: 2\nbudget: 300\n{vary}\n")
    assert call(command, *words, "--out", "run", "--quiet") == 1
    said = capsys.readouterr().err
    assert "returned NaN or infinity" in said
    assert "on_error" not in said
    assert f"fooldeap {command} --resume run" in said
    (tmp_path / "remote.py").write_text(fault.replace("found[:] = np.nan", "pass"))
    assert call(command, "--resume", "run", "--quiet", "--force") == 0


def test_failure_without_a_folder_names_the_argument_that_skips_the_run():
    def scores(images):
        means = images.mean(axis=(1, 2, 3))
        found = np.stack([0 * means + 12, means / 10, 0 * means], axis=1)
        found[(means > 165) & (means < 255)] = np.nan  # no image of noise, but evolved ones
        return found

    settings = {"classifier": {"shape": [8, 8, 1], "classes": 3}, "stop": {"evaluations": 4000}, "quiet": True}
    with pytest.raises(PluginError, match="to skip runs that fail: on_error='skip'"):
        fooldeap.fool(scores, 1, **settings)
    with pytest.warns(fooldeap.FooldeapWarning, match="the other runs continue"):
        assert fooldeap.fool(scores, 1, **settings, on_error="skip").failures
