"""The contract tests: correct plugins pass, and every fault is reported."""

import importlib.util
import subprocess
import sys

import pytest
from helpers.commands import call
from helpers.experiments import KIT, ROOT

from fooldeap import registry, testing
from fooldeap.errors import InputError
from fooldeap.plugin import plugin_of
from fooldeap.testing import broken, contracts

STOCK = registry.load().all()
REQUIRED = {
    "npz": {"path": str(ROOT / "fooldeap/data/mnist.npz")},
    "idx": {"folder": str(KIT / "idx")},
    "callable": {"function": f"{KIT / 'scores.py'}:bright_and_dark", "shape": [8, 8, 1], "classes": 2},
    "mixed": {"of": [{"name": "block", "size": 0.5}, "random_pixels"]},
    "adaptive_mixed": {"of": [{"name": "block", "size": 0.5}, "one_fifth"]},
}
ELSEWHERE = {"onnx", "torch"}  # need packages; see tests/plugins/classifier/test_other_classifiers.py
WRONG_FILES = [KIT / "wrong.py", KIT / "wrong_surroundings.py"]
WRONG = [each for file in WRONG_FILES for each in registry.found_in(file) if each.name.startswith("wrong-")]


@pytest.mark.parametrize(
    "contract",
    [
        each
        for plugin in STOCK
        if plugin.name not in ELSEWHERE
        for each in contracts(plugin, **REQUIRED.get(plugin.name, {}))
    ],
    ids=lambda contract: f"{contract.subject.plugin.kind}-{contract.subject.plugin.name}: {contract}",
)
def test_stock_plugins_keep_their_contracts(contract):
    contract()


@pytest.mark.parametrize("plugin", WRONG, ids=str)
def test_each_fault_is_reported(plugin):
    found = broken(plugin, plugins=WRONG_FILES)
    expected = plugin.summary.rstrip(".").lower()
    assert any(expected in sentence.lower() for sentence in found.values()), found


def test_there_are_enough_wrong_plugins():
    assert len(WRONG) >= 60


def test_command_reports_broken_contracts(capsys, tmp_path):
    assert call("plugins", "check", KIT / "wrong.py") == 1
    text = capsys.readouterr().err
    assert "fooldeap: selection 'wrong-worst': from rising values it prefers worse individuals" in text
    assert "(does not prefer worse individuals)" in text
    assert "genome 'reals': all contracts passed" in text
    good = tmp_path / "good.py"
    good.write_text((KIT / "wrong.py").read_text().split('@mutation("wrong-global"')[0] + GOOD)
    assert call("plugins", "check", good) == 0
    assert capsys.readouterr().out == "mutation 'good': all contracts passed\n"


GOOD = '''
@mutation("good", genome="pixels")
def good(images, rng):
    """Do nothing wrong."""
    images[:, 0] = rng.integers(0, 256, images[:, 0].shape, np.uint8)
    return images
'''


def test_mutable_default_is_refused_when_the_file_is_loaded(capsys, tmp_path):
    (tmp_path / "mutable.py").write_text(
        "from fooldeap.plugin import mutation\n@mutation('m')\ndef m(images, rng, *, of: list[int] = []):\n    'M.'\n"
    )
    assert call("plugins", "check", tmp_path / "mutable.py") == 2
    assert "parameter 'of' has a mutable default; use a tuple or None" in capsys.readouterr().err


HEAD = """
import sys
import numpy as np
from fooldeap import registry
from fooldeap.plugin import InputError, KW_ONLY, algorithm, dataclass, genome, mutation, selection
"""


def load(folder, code):
    """Return the plugins of a file, by name."""
    (folder / "own.py").write_text(HEAD + code)
    return {plugin.name: plugin for plugin in registry.found_in(folder / "own.py")}


# --- Correct plugins --------------------------------------------------------------------------------------------------

RIGHT = """
@mutation("patch", genome="pixels")
def patch(images, rng):
    "Refill a patch of 8 x 8."
    for image in images:
        top, left = rng.integers(0, image.shape[0] - 8), rng.integers(0, image.shape[1] - 8)
        image[top : top + 8, left : left + 8] = rng.integers(0, 256, dtype=np.uint8)
    return images

@algorithm("crowd")
def crowd(toolbox, rng):
    "A large population."
    genomes = toolbox.sample(500)
    while True:
        reply = yield genomes
        genomes = toolbox.mutate(toolbox.take(genomes, toolbox.select(reply.fitness, 500)))

@selection("positive")
def positive(values, count, rng):
    "Refuse negative fitness."
    if values.min() < 0:
        raise InputError("negative fitness")
    return np.argsort(-values)[rng.integers(0, -(-len(values) // 2), count)]

@genome("grey")
@dataclass(frozen=True)
class Grey(registry.load().get("genome", "pixels").target):
    "Refuse colours."

    def __post_init__(self):
        if self.shape[2] != 1:
            raise InputError("grey images alone")

@genome("words")
@dataclass(frozen=True)
class Words:
    "Immutable individuals, which may be shared: tuples of letters."
    shape: tuple[int, int, int]
    dtype = None
    bounds = None

    def sample(self, count, rng):
        return [tuple("abcd"[letter] for letter in row) for row in rng.integers(0, 4, (count, 5))]

    def decode(self, genomes):
        images = np.zeros((len(genomes), *self.shape), np.uint8)
        for image, word in zip(images, genomes):
            image[0, :5, 0] = [ord(letter) for letter in word]
        return images

    def take(self, genomes, indices):
        return [genomes[index] for index in indices]
"""


@pytest.mark.parametrize("name", ["patch", "crowd", "positive", "words", "grey"])
def test_correct_plugins_pass(name, tmp_path):
    assert broken(load(tmp_path, RIGHT)[name]) == {}


@pytest.mark.parametrize(
    ("kind", "name", "values"),
    [
        ("mutation", "random_pixels", {"rate": 0.0001}),
        ("mutation", "random_pixels", {"rate": {"schedule": "halving", "start": 0.1, "every": 10, "least": 0.01}}),
        ("mutation", "mixed", {"of": [{"name": "block"}]}),
        ("genome", "pixels", {"start": "constant"}),
        ("selection", "deap", {"operator": "selRoulette"}),
        ("selection", "deap", {"operator": "selStochasticUniversalSampling"}),
        ("selection", "deap", {"operator": "selLexicase"}),
    ],
)
def test_stock_plugins_pass_with_other_values(kind, name, values):
    assert broken(registry.load().get(kind, name), **values) == {}


# --- Messages ---------------------------------------------------------------------------------------------------------


def test_one_cause_is_reported_once(tmp_path):
    plugin = load(
        tmp_path, "@mutation('m', genome='pixels')\ndef m(images, rng):\n    'M.'\n    return images + nothing\n"
    )["m"]
    sentence = "with 7 genomes of 'pixels' for images (16, 12, 1) it raised NameError: name 'nothing' is not defined"
    assert broken(plugin) == {"returns children like the parents": sentence}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"sgima": 3}, "mutation 'gaussian': sgima: unknown key; did you mean 'sigma'?"),
        ({"rate": "a"}, "mutation 'gaussian': rate: got \"a\", expected a number > 0 and <= 1"),
        ({"genome": {"slots": 3}}, "mutation 'gaussian': no genome of this plugin has the parameter 'slots'"),
    ],
)
def test_parameters_are_checked_as_in_an_experiment(values, message):
    with pytest.raises(InputError) as error:
        contracts(registry.load().get("mutation", "gaussian"), **values)
    assert str(error.value).startswith(message)


def test_subclass_without_a_decorator_is_refused():
    class Sub(registry.load().get("genome", "pixels").target):
        def sample(self, count, rng):
            return None

    with pytest.raises(InputError, match="expected a function or class with a decorator"):
        contracts(Sub)


def test_operator_needs_its_genome(tmp_path):
    plugin = load(tmp_path, "@mutation('m', genome='nowhere')\ndef m(images, rng):\n    'M.'\n    return images\n")["m"]
    with pytest.raises(InputError, match="no plugin has the genome name 'nowhere'; name the file"):
        contracts(plugin)


SIDED = """
@genome("sided")
@dataclass(frozen=True)
class Sided:
    "Vectors."
    shape: tuple[int, int, int]
    _: KW_ONLY
    side: int
    dtype = "float64"
    bounds = (0.0, 1.0)

    def sample(self, count, rng):
        return rng.random((count, self.side))

    def decode(self, genomes):
        grey = 255 * genomes.mean(axis=1)
        return np.broadcast_to(grey[:, None, None, None], (len(genomes), *self.shape)).astype("u1")

    def take(self, genomes, indices):
        return genomes.take(indices, axis=0)

@mutation("resample", genome="sided")
def resample(genomes, rng):
    "Anew."
    return rng.random(genomes.shape)
"""


def test_parameters_of_genomes_can_be_given(tmp_path, capsys):
    resample = load(tmp_path, SIDED)["resample"]
    assert broken(resample, plugins=[tmp_path / "own.py"], genome={"side": 3}) == {}
    with pytest.raises(InputError, match=r"genome 'sided': 'side' has no default; set it: genome.side=..., or in"):
        contracts(resample, plugins=[tmp_path / "own.py"])
    assert call("plugins", "check", tmp_path / "own.py", "genome.side=3") == 0
    assert call("plugins", "check", tmp_path / "own.py", "side=3") == 0
    assert "mutation 'resample': all contracts passed" in capsys.readouterr().out


# --- The command ------------------------------------------------------------------------------------------------------

RATED = """
@mutation("rated", genome="pixels")
def rated(images, rng, *, rate: float):
    "Noise."
    return images ^ rng.integers(0, round(256 * rate), images.shape, np.uint8)
"""


def test_command_fails_if_a_plugin_was_not_checked(tmp_path, capsys):
    load(tmp_path, RATED)
    assert call("plugins", "check", tmp_path / "own.py") == 2
    assert "not checked: mutation 'rated': 'rate' has no default; set it: rate=..." in capsys.readouterr().err
    assert call("plugins", "check", tmp_path / "own.py", "rate=a") == 2
    assert "not checked: mutation 'rated': rate: got \"a\", expected a number" in capsys.readouterr().err
    load(tmp_path, RATED.replace('"rated"', '"gaussian"'))
    assert call("plugins", "check", tmp_path / "own.py", "rate=1.0") == 2
    assert "mutation 'gaussian' in" in (text := capsys.readouterr().err)
    assert "the name is already used in" in text


@pytest.mark.parametrize("word", ["rate=1.0", "mutation.rate=1.0"])
def test_command_accepts_parameters(word, tmp_path, capsys):
    load(tmp_path, RATED)
    assert call("plugins", "check", tmp_path / "own.py", word) == 0
    assert capsys.readouterr().out == "mutation 'rated': all contracts passed\n"


@pytest.mark.parametrize("word", ["rat=1.0", "mutation.rat=1.0", "selection.rate=1.0"])
def test_command_refuses_unknown_parameters(word, tmp_path, capsys):
    load(tmp_path, RATED)
    assert call("plugins", "check", tmp_path / "own.py", word) == 2
    assert f"fooldeap: {word[:-4]}: no checked plugin has this parameter" in capsys.readouterr().err


def test_plugin_cannot_end_the_command(tmp_path, capsys):
    load(tmp_path, "@mutation('m', genome='pixels')\ndef m(images, rng):\n    'M.'\n    sys.exit(0)\n")
    assert call("plugins", "check", tmp_path / "own.py") == 1
    assert "it raised SystemExit: 0" in capsys.readouterr().err


def test_contracts_run_in_pytest(tmp_path):
    (tmp_path / "good.py").write_text((KIT / "wrong.py").read_text().split('@mutation("wrong-global"')[0] + GOOD)
    (tmp_path / "test_good.py").write_text(
        "import pytest\nfrom fooldeap.testing import contracts\nfrom good import good\n\n"
        "@pytest.mark.parametrize('contract', contracts(good), ids=str)\ndef test_good(contract):\n    contract()\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout
    assert "8 passed" in done.stdout


def test_objects_without_a_plugin_are_refused():
    with pytest.raises(InputError, match="expected a function or class with a decorator"):
        contracts(print)
    with pytest.raises(InputError, match="'path' has no default"):
        contracts(registry.load().get("dataset", "npz"))


def test_file_in_the_plugin_folder_is_a_plugin(tmp_path):
    """In a copy of the repository, a new file is listed and its contracts are tested without other changes."""
    import shutil

    shutil.copytree(ROOT, tmp_path / "tree", ignore=shutil.ignore_patterns(".*", "runs", "*.egg-info", "__pycache__"))
    dropped = GOOD.replace("import", "import").strip()
    (tmp_path / "tree/plugins/mutation/good.py").write_text(
        '"""Good."""\n\nimport numpy as np\n\nfrom fooldeap.plugin import mutation\n\n\n' + dropped + "\n"
    )
    code = (
        "import sys, types; sys.path.insert(0, '.')\n"
        "m = types.ModuleType('fooldeap_plugins'); m.__path__ = ['plugins']\n"
        "sys.modules['fooldeap_plugins'] = m\n"
        "from fooldeap import registry, testing\nfrom fooldeap.help import catalogue\n"
        "print(catalogue.listing(registry.load(), 'mutation'))\n"
        "check = testing.checking._check_plugin\n"  # the tests above check the other plugins
        "testing.checking._check_plugin = lambda each, *more: check(each, *more) if each.name == 'good' else ''\n"
        "[print(each) for each in testing.check([])]"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path / "tree"
    )
    assert "good            Do nothing wrong." in done.stdout
    assert "mutation 'good': all contracts passed" in done.stdout


def test_plugin_of_the_readme_passes(tmp_path):
    import re

    text = (ROOT / "README.md").read_text()
    (example,) = re.findall(r"```python\n(# smudge\.py\n.*?)```", text, re.DOTALL)
    assert len(example.splitlines()) <= 15
    (tmp_path / "smudge.py").write_text(example)
    spec = importlib.util.spec_from_file_location("smudge", tmp_path / "smudge.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["smudge"] = module
    spec.loader.exec_module(module)
    assert plugin_of(module.smudge) is not None
    assert broken(module.smudge) == {}
    assert call("plugins", "check", tmp_path / "smudge.py") == 0
    assert call("plugins", "show", "smudge", "--plugins", tmp_path / "smudge.py") == 0
    (verdict,) = testing.check([tmp_path / "smudge.py"])
    assert str(verdict) == "mutation 'smudge': all contracts passed"
