"""Every example of README and docs does what it says: commands run, code runs, YAML loads, links lead somewhere."""

import re
import shlex
import shutil
import subprocess
import sys

import pytest
from conftest import ROOT

from fooldeap import config, registry
from fooldeap.cli import main
from fooldeap.plugin import KINDS
from fooldeap.study import definition as study

PAGES = ["README.md", *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# (\w+\.(?:py|yaml))\n")


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.filterwarnings("ignore:workers on localhost were not ready:fooldeap.FooldeapWarning")
def test_examples(page, tmp_path, monkeypatch, capfd):
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    monkeypatch.chdir(tmp_path)
    names = {}  # what one Python block of a page defines, the next may use
    for language, text in BLOCK.findall((ROOT / page).read_text()):
        named = FILE.match(text)
        if named:  # a file that later commands use
            (tmp_path / named[1]).write_text(text)
        if language == "python" and not named:
            exec(compile(text, f"{page} (example)", "exec"), names)
        if language == "yaml":
            (tmp_path / "example.yaml").write_text(text)
            (study.load if re.search("^vary:|^variants:", text, re.MULTILINE) else config.load)(
                tmp_path / "example.yaml"
            )
        if language == "console":
            for line in re.findall(r"^\$ (.*)$", text, re.MULTILINE):
                assert command(shlex.split(line)) == 0, capfd.readouterr().err
                assert capfd.readouterr().out, line


def command(words):
    """Run a command of a page and return its exit code."""
    if words[1] == "train":  # in a process of its own: it seeds the process it runs in
        return subprocess.run([sys.executable, "-m", *words], check=False).returncode
    with pytest.raises(SystemExit) as caught:
        main(words[1:])
    return caught.value.code


@pytest.mark.parametrize("page", PAGES)
def test_links(page):
    text = (ROOT / page).read_text()
    for link in re.findall(r"\]\(([^)#]+)\)", text):
        assert link.startswith("https://") or ((ROOT / page).parent / link).exists(), link


def test_every_page_is_linked_from_the_readme():
    readme = (ROOT / "README.md").read_text()
    assert [page for page in PAGES[1:] if page not in readme] == []


def test_the_box_in_the_readme_is_complete():
    rows = dict(re.findall(r"^\| (\w+) \| (.*) \|$", (ROOT / "README.md").read_text(), re.MULTILINE))
    for plugin in registry.load().all():
        assert f"`{plugin.name}`" in rows[plugin.kind]


def test_the_stock_plugins_are_documented():
    text = (ROOT / "docs/stock.md").read_text()
    for plugin in registry.load().all():
        assert f"| `{plugin.name}` | {plugin.summary.replace('``', '`')} |" in text


def test_the_kinds_are_documented_as_the_command_has_them():
    text = (ROOT / "docs/plugins.md").read_text().replace("`", "")
    for kind in KINDS.values():
        assert f"| {kind.name} | {'dataclass: ' * kind.stateful}{kind.call} | {kind.gives} |" in text


def test_every_key_is_documented():
    text = (ROOT / "docs/configuration.md").read_text()
    experiment = config.load({})
    for key in experiment.data():
        assert f"| `{key}` |" in text
    for key in experiment.data()["stop"]:
        assert f"| `{key}` |" in text
