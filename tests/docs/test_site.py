"""The generated pages of the site: the references, and a page for each plugin with a current picture."""

import inspect
import io
import re
import sys

import numpy as np
import pytest
import typer
from helpers.experiments import ROOT
from PIL import Image

from fooldeap import extensions, registry
from fooldeap.cli import application

PLUGINS = registry.load().all()
DRAWN = [
    plugin
    for plugin in PLUGINS
    if plugin.kind in ("genome", "fitness", "mutation", "crossover", "selection", "algorithm")
]


@pytest.fixture(scope="module")
def tools():
    """The modules that generate the site. They import each other as top-level modules, as under mkdocs."""
    sys.path.insert(0, str(ROOT / "tools/docs"))
    import cli_page
    import pictures
    import plugin_pages
    import yaml_page

    sys.path.pop(0)
    return {module.__name__: module for module in (cli_page, pictures, plugin_pages, yaml_page)}


@pytest.mark.parametrize("plugin", PLUGINS, ids=str)
def test_the_page_of_a_plugin_is_complete(plugin, tools):
    page = tools["plugin_pages"].page(plugin)
    assert plugin.summary.replace("``", "`") in page
    for parameter in plugin.parameters.values():
        assert f"| `{parameter.name}` | {parameter.expected} |".replace("``", "`") in page
    assert inspect.getsource(plugin.target).splitlines()[-1].strip() in page


@pytest.mark.parametrize("plugin", DRAWN, ids=str)
def test_the_page_of_a_plugin_has_a_small_picture(plugin, tools):
    file = ROOT / f"docs/images/plugins/{plugin.kind}/{plugin.name}.png"
    assert file.exists(), "make refresh draws it"
    assert file.stat().st_size < 15_000
    assert f"images/plugins/{plugin.kind}/{plugin.name}.png" in tools["plugin_pages"].page(plugin)


@pytest.mark.parametrize("plugin", [each for each in DRAWN if each.kind in ("mutation", "crossover")], ids=str)
def test_the_picture_of_an_operator_is_current(plugin, tools):
    drawn = np.array(Image.open(io.BytesIO(tools["pictures"].DRAWN[plugin.kind](plugin))))
    kept = np.array(Image.open(ROOT / f"docs/images/plugins/{plugin.kind}/{plugin.name}.png"))
    assert (drawn != kept).mean() < 0.001, "draw it again: delete it, and make refresh"


def test_no_picture_is_left_of_a_plugin_that_is_gone():
    kept = {(file.parent.name, file.stem) for file in (ROOT / "docs/images/plugins").glob("*/*.png")}
    assert kept == {(plugin.kind, plugin.name) for plugin in DRAWN}


@pytest.mark.parametrize("plugin", PLUGINS, ids=str)
def test_every_cited_work_is_in_the_literature(plugin, tools):
    cited = tools["plugin_pages"].cited(inspect.getdoc(plugin.target))
    assert [each for each in cited if each not in tools["plugin_pages"].literature()] == []


def test_citations_are_found(tools):
    text = "A (Holland 1975; De Jong 1975), of Nguyen, Yosinski and Clune (2015), Wierstra et\n al. 2014, section 3"
    found = ["Holland 1975", "De Jong 1975", "Nguyen, Yosinski and Clune 2015", "Wierstra et al. 2014"]
    assert tools["plugin_pages"].cited(text) == found


def test_every_command_and_option_is_in_the_reference(tools):
    page = tools["cli_page"].page()
    group = typer.main.get_command(application())
    commands = {f"fooldeap {name}": each for name, each in group.commands.items() if not hasattr(each, "commands")}
    assert len(commands) > 5
    for name, command in commands.items():
        assert f"## {name}\n" in page
        for option in command.params:
            assert option.opts == ["--help"] or option.opts[0] in page or option.param_type_name == "argument"


def test_every_key_is_in_the_reference_with_its_meaning(tools):
    page = tools["yaml_page"].page()
    for _, kind in extensions.load("fooldeap.files"):
        for key in kind.schema(registry.load())["properties"]:
            assert re.search(rf"^\| `{key}` \| .+ \| .* \| .+ \|$", page, re.MULTILINE), key


def test_names_in_tables_are_links(tools):
    page = "## mutation\n\n| `invert` | as `creep` |\n\n| kind | plugins |\n| crossover | `sbx`, `none` |\n"
    linked = tools["plugin_pages"].add_links(page, PLUGINS)
    assert "| [`invert`](reference/plugins/mutation/invert.md) | as `creep` |" in linked
    assert "[`sbx`](reference/plugins/crossover/sbx.md), [`none`](reference/plugins/crossover/none.md)" in linked
