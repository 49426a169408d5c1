"""Every example of README and docs does what it says: commands run, code runs, YAML loads, links lead somewhere."""

import re
import shlex
import shutil
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location

import pytest
import typer
from helpers.commands import call
from helpers.experiments import ROOT

from fooldeap import registry
from fooldeap.cli import application
from fooldeap.configuration import config
from fooldeap.plugin import KINDS
from fooldeap.study import definition as study
from fooldeap.sweeps import definition as sweep
from fooldeap.training import settings as training
from fooldeap.tuning import settings as tuning

PAGES = [
    *("README.md", "CONTRIBUTING.md", "SECURITY.md"),
    *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md")),
]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# (\w+\.(?:py|yaml))\n")
RUN = {"python", "yaml", "console"}
# What is not run: output, formats, commands of the next table or of minutes, and code that test_recipes.py runs.
SHOWN = {"", "text", "json", "sh", "py"}

# The commands of README and the tutorial that are not run here: the gate makes them, or they take minutes.
SET_UP = {
    "README.md": {"make run", "make test"},
    "docs/tutorial.md": {"make run", "source .venv/bin/activate", "fooldeap compare --try stroke.py"},
}
# What is added to a command, so that the test does not take the minute that its reader has.
ADDED = {
    "fooldeap run configs/mnist.yaml": ["targets=[2,3]"],
    "fooldeap run configs/mnist.yaml mutation=smudge --plugins smudge.py": ["targets=[2,3]"],
    "fooldeap run configs/mnist.yaml mutation=smudge mutation.rate=0.05 --plugins smudge.py": ["targets=[2,3]"],
}


def shorter(line, shown):
    """Return what is added to a command whose output the page does not show, so that its evolution takes seconds."""
    if shown.strip() or "--resume" in line or line in ADDED:
        return ADDED.get(line, [])
    return {"fooldeap run": ["stop.evaluations=1500"], "fooldeap compare": ["budget=500"]}.get(
        line[: line.find(" ", 9)], []
    )


COMMANDS = {page: re.findall(r"^\$ (.*)", (ROOT / page).read_text(), re.MULTILINE) for page in PAGES}
# Pages that run experiments take seconds each.
RUNNING = {page for page in PAGES if COMMANDS[page]} | {"docs/python.md"}


@pytest.mark.parametrize("line", sorted({line for lines in COMMANDS.values() for line in lines}))
def test_a_shown_command_and_its_options_exist(line):
    program, *words = shlex.split(line, comments=True)
    command, name = typer.main.get_command(application()), program
    while hasattr(command, "commands") and program == "fooldeap":
        name, *words = words
        command = command.commands[name]
    assert program == "pytest" or command.make_context(name, words)


@pytest.mark.parametrize("page", [pytest.param(page, marks=[pytest.mark.slow] * (page in RUNNING)) for page in PAGES])
@pytest.mark.draws
def test_examples(page, tmp_path, monkeypatch, capfd):
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("webbrowser.open", lambda address: True)
    names = {}  # what one Python block of a page defines, the next may use
    for language, text in BLOCK.findall((ROOT / page).read_text()):
        assert language in RUN | SHOWN
        named = FILE.match(text)
        if named:  # a file that later commands use
            (tmp_path / named[1]).write_text(text)
        if language == "python" and not named:
            exec(compile(text, f"{page} (example)", "exec"), names)
        if language == "yaml":
            loads(text, tmp_path)
        if language == "console":
            for line, shown in re.findall(r"^\$ (.*)\n((?:[^$].*\n)*)", text, re.MULTILINE):
                assert command([*shlex.split(line, comments=True), *shorter(line, shown)]) == 0, capfd.readouterr().err
                said = capfd.readouterr()
                assert said.out, line
                missing = lines_of(shown) - lines_of(said.out + said.err)
                assert not missing, line


def loads(text, folder):
    """Load a YAML file as what it is."""
    (folder / "example.yaml").write_text(text)
    if re.search("^layers:", text, re.MULTILINE):
        training.read(folder / "example.yaml", plugins=folder.glob("*.py"))
    elif re.search("^vary:|^variants:", text, re.MULTILINE):
        study.load(folder / "example.yaml")
    elif re.search("^sweep:", text, re.MULTILINE):
        sweep.load(folder / "example.yaml")
    elif re.search("^search:|^strategies:", text, re.MULTILINE):
        tuning.load(folder / "example.yaml")
    else:
        config.load(folder / "example.yaml")


def command(words):
    """Run a command of a page and return its exit code."""
    if words[0] == "pytest" or words[1] == "train":  # in a process of its own: it seeds the process it runs in
        return subprocess.run([sys.executable, "-m", *words], check=False).returncode
    assert words[0] == "fooldeap"
    return call(*words[1:])


def lines_of(output):
    """Return the lines of an output, whatever the numbers in them."""
    return {re.sub(r"\d[\d.,]*", "#", line).strip() for line in output.splitlines() if line.strip()}


@pytest.mark.parametrize("page", SET_UP)
def test_all_commands_of_the_first_pages_are_run(page):
    commands = {
        line.partition("#")[0].strip()
        for language, text in BLOCK.findall((ROOT / page).read_text())
        for line in text.splitlines()
        if language == "sh"
    }
    assert commands == SET_UP[page]


@pytest.mark.parametrize("line", ADDED)
def test_added_words_belong_to_a_shown_command(line):
    assert f"$ {line}\n" in "".join((ROOT / page).read_text() for page in PAGES)


@pytest.mark.parametrize("page", PAGES)
def test_links(page):
    text = (ROOT / page).read_text()
    for link, place in re.findall(r"\]\(([^)#]*)#?([^)]*)\)", text):
        target = (ROOT / page).parent / link if link else ROOT / page
        assert re.match(r"https://[\w.-]+/", link) or target.exists(), link
        assert not place or place in anchors_of(target), place


def anchors_of(page):
    """Return where links to a page may lead: its headings, as GitHub and the site name them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", heading.lower()).strip()) for heading in headings}


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


def test_generated_tables_are_current():
    place = spec_from_file_location("refresh", ROOT / "tools/refresh.py")
    refresh = module_from_spec(place)
    place.loader.exec_module(refresh)
    for page, head, rows in refresh.tables():
        columns = "|" + "---|" * (head.count("|") - 1)
        assert "\n".join([head, columns, *rows, ""]) in (ROOT / "docs" / page).read_text(), "run: make refresh"
