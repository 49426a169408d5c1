"""The contract tests themselves: they pass what is right, and name what is wrong."""

import importlib.util
import subprocess
import sys

import pytest
from conftest import KIT, ROOT

from fooldeap import registry, testing
from fooldeap.choices import Choice, Weighted
from fooldeap.cli import main
from fooldeap.errors import InputError
from fooldeap.plugin import plugin_of
from fooldeap.testing import broken, contracts

STOCK = registry.load().all()
BLOCK = Weighted(Choice(registry.load().get("mutation", "block"), {"size": 0.5}))
REQUIRED = {"npz": {"path": "x"}, "idx": {"folder": "x"}, "mixed": {"of": (BLOCK,)}}
WRONG = [plugin for plugin in registry.found_in(KIT / "wrong.py") if plugin.name.startswith("wrong-")]


def call(*words):
    with pytest.raises(SystemExit) as caught:
        main(list(map(str, words)))
    return caught.value.code


@pytest.mark.parametrize(
    "contract",
    [each for plugin in STOCK for each in contracts(plugin, **REQUIRED.get(plugin.name, {}))],
    ids=lambda contract: f"{contract.subject.plugin.kind}-{contract.subject.plugin.name}: {contract}",
)
def test_every_stock_plugin_keeps_its_contracts(contract):
    contract()


@pytest.mark.parametrize("plugin", WRONG, ids=lambda plugin: plugin.name)
def test_each_fault_is_named(plugin):
    found = broken(plugin, plugins=[KIT / "wrong.py"])
    expected = plugin.summary.rstrip(".").lower()
    assert any(expected in sentence.lower() for sentence in found.values()), found


def test_there_are_enough_wrong_plugins():
    assert len(WRONG) >= 12


def test_the_command_says_what_is_broken(capsys, tmp_path):
    assert call("plugins", "check", KIT / "wrong.py") == 1
    said = capsys.readouterr().err
    assert "fooldeap: selection 'wrong-worst': of rising values it prefers worse to better" in said
    assert "(never prefers the worse)" in said
    assert "genome 'reals': all its contracts hold" in said
    good = tmp_path / "good.py"
    good.write_text((KIT / "wrong.py").read_text().split('@mutation("wrong-global"')[0] + GOOD)
    assert call("plugins", "check", good) == 0
    assert capsys.readouterr().out == "mutation 'good': all its contracts hold\n"


GOOD = '''
@mutation("good", genome="pixels")
def good(images, rng):
    """Do nothing wrong."""
    images[:, 0] = rng.integers(0, 256, images[:, 0].shape, np.uint8)
    return images
'''


def test_a_mutable_default_is_named_when_the_file_is_read(capsys, tmp_path):
    (tmp_path / "mutable.py").write_text(
        "from fooldeap.plugin import mutation\n@mutation('m')\ndef m(images, rng, *, of: list[int] = []):\n    'M.'\n"
    )
    assert call("plugins", "check", tmp_path / "mutable.py") == 2
    assert "parameter 'of' has a mutable default; use a tuple or None" in capsys.readouterr().err


def test_they_run_in_somebodys_pytest(tmp_path):
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
    assert "7 passed" in done.stdout


def test_what_is_no_plugin_is_refused():
    with pytest.raises(InputError, match="expected a function or class with a decorator"):
        contracts(print)
    with pytest.raises(InputError, match="'path' has no default"):
        contracts(registry.load().get("dataset", "npz"))


def test_a_file_dropped_into_the_tree_is_a_plugin(tmp_path):
    """With no other edit: it is listed and its contracts are tested, in a copy of the tree."""
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
        "from fooldeap import catalogue, registry, testing\n"
        "print(catalogue.listing(registry.load(), 'mutation')); print(testing.report([]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path / "tree"
    )
    assert "good            Do nothing wrong." in done.stdout
    assert "mutation 'good': all its contracts hold" in done.stdout


def test_the_readmes_plugin_passes(tmp_path):
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
    assert testing.report([tmp_path / "smudge.py"]) == "mutation 'smudge': all its contracts hold"
