"""Descriptions of plugins; every stock plugin is documented, has defaults, and can be built from its name."""

import inspect
import re

import pytest
from ruamel.yaml import YAML

from fooldeap.configuration import config
from fooldeap.configuration.experiment import LISTS
from fooldeap.errors import InputError
from fooldeap.help.catalogue import MAX_WIDTH, description, listing
from fooldeap.parameters import REQUIRED
from fooldeap.plugin import KINDS, Annotated, Gt, Reporter, dataclass, mutation, reporter
from fooldeap.registry import Registry, load

PLUGINS = load().all()
each_plugin = pytest.mark.parametrize("plugin", PLUGINS, ids=lambda plugin: f"{plugin.kind}-{plugin.name}")
COMPLETE = [plugin for plugin in PLUGINS if all(each.default is not REQUIRED for each in plugin.parameters.values())]
each_complete = pytest.mark.parametrize("plugin", COMPLETE, ids=lambda plugin: f"{plugin.kind}-{plugin.name}")


@mutation("darken", genome=("pixels", "blocks"))
def darken(
    images,
    rng,
    *,
    share: Annotated[float, Gt(0)],
    how: str = "true",
    most: float = 1e20,
    path: tuple[str, ...] = ("one name", "another name"),
):
    """Darken every image by ``share``, which is a long story that goes on and on until no line can hold it any more.

    One paragraph that
    was wrapped by hand.

        code --stays   as it is
    """


@reporter("darken")
@dataclass(kw_only=True)
class Darken(Reporter):
    """Report."""

    colours: tuple[str, ...] = ("dark red", "null")


DARKEN = """\
mutation darken

Darken every image by `share`, which is a long story that goes on
and on until no line can hold it any more.

One paragraph that was wrapped by hand.

    code --stays   as it is

Parameters:
  share  a number > 0; required
  how    text; default "true"
  most   a number; default 1e+20
  path   a list, each text; default ["one name", "another name"]

In YAML:
  mutation: {name: darken, share: ..., how: "true", most: 1e+20,
    path: ["one name", "another name"]}

genome   pixels, blocks
call     f(genomes, rng)
returns  the mutated genomes, as many as were passed
source   FILE


reporter darken

Report.

Parameters:
  colours  a list, each text; default ["dark red", "null"]

In YAML:
  reporters: [{name: darken, colours: ["dark red", "null"]}]

call     on_start, on_run_start, on_generation, on_run_end,
         on_finish, on_abort
returns  nothing
source   FILE"""


@pytest.fixture
def narrow(monkeypatch):
    monkeypatch.setenv("COLUMNS", "66")


@pytest.fixture
def own():
    return Registry([darken.__fooldeap_plugin__, Darken.__fooldeap_plugin__])


def test_a_plugin_is_described(own, narrow):
    text = re.sub(r"source   .*\n? *\S*test_catalogue\.py", "source   FILE", description(own, "darken"))
    assert text == DARKEN
    assert description(own, "reporter/darken").startswith("reporter darken\n\nReport.")


def test_plugins_are_listed(own, narrow):
    lines = listing(own).splitlines()
    assert lines[:2] == ["genome", "  (none)"]
    at = lines.index("mutation")
    assert lines[at : at + 4] == [
        "mutation",
        "  darken  Darken every image by `share`, which is a long story",
        "          that goes on and on until no line can hold it any more.",
        "",
    ]
    assert listing(own, "reporter") == "reporter\n  darken  Report."


@pytest.mark.parametrize("columns", [40, 80, 300])
def test_every_text_fits_the_terminal(columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    texts = [listing(load()), *(description(load(), f"{plugin.kind}/{plugin.name}") for plugin in PLUGINS)]
    lines = [line for text in texts for line in text.splitlines()]
    width = min(columns, MAX_WIDTH)
    assert [line for line in lines if len(line) > width and " " in line[:width].strip() and "source" not in line] == []
    assert [line for line in lines if line != line.rstrip()] == []


def test_unknown_names_are_refused():
    with pytest.raises(InputError, match=r"^no kind of plugin is named 'mutatoin'; did you mean 'mutation'\?$"):
        listing(load(), "mutatoin")
    with pytest.raises(InputError, match=r"^no kind of plugin is named 'mutatoin'; did you mean 'mutation'\?$"):
        description(load(), "mutatoin/gaussian")
    with pytest.raises(InputError, match=r"^no mutation is named 'gausian'; did you mean 'gaussian'\?$"):
        description(load(), "mutation/gausian")
    with pytest.raises(InputError, match=r"^no plugin is named 'gausian'; did you mean 'gaussian'\?$"):
        description(load(), "gausian")


# --- Completeness ---------------------------------------------------------------------------------------------------


@each_plugin
def test_the_first_line_of_the_docstring_is_a_sentence(plugin):
    assert plugin.summary == (inspect.getdoc(plugin.target) or "").splitlines()[0]
    assert 10 <= len(plugin.summary) <= 100
    assert plugin.summary.endswith(".")


@each_plugin
def test_every_parameter_has_a_valid_default(plugin):
    for parameter in plugin.parameters.values():
        assert parameter.default is not REQUIRED or parameter.name in (
            "path",
            "folder",
            "of",
            "model",
            "function",
            "shape",
            "classes",
        )
        if parameter.default is REQUIRED:
            continue
        parsed = parameter.parse(parameter.default)
        assert parsed == parameter.default
        assert type(parsed) is type(parameter.default)


@each_plugin
def test_the_docstring_mentions_every_parameter(plugin):
    explained = f"{inspect.getdoc(plugin.target)} {plugin.name}"
    missing = [name for name in plugin.parameters if not re.search(rf"\b{name}\b", explained)]
    assert missing == []


@each_complete
def test_a_plugin_is_built_from_its_name_alone(plugin):
    given = [(28, 28, 1)] if plugin.kind == "genome" else []
    assert plugin.build({}, *given) is not None


@each_complete
def test_a_plugin_is_chosen_by_its_name_alone(plugin):
    key, word = (LISTS[plugin.kind], [plugin.name]) if plugin.kind in LISTS else (plugin.kind, plugin.name)
    several = {"algorithm": "nsga2"} if len(plugin.options.get("objectives", "")) == 2 else {}
    experiment = config.load({key: word, **operators_for(plugin), **several})
    chosen = getattr(experiment, key)[0] if plugin.kind in LISTS else getattr(experiment, plugin.kind)
    assert chosen.plugin.target is plugin.target
    assert chosen.data().keys() == {"name", *plugin.parameters}


def operators_for(plugin):
    """Return operators that work on a genome, or a genome that an operator works on, if the defaults do not fit."""
    genomes = [each for each in PLUGINS if each.kind == "genome"]
    genome = plugin if plugin.kind == "genome" else next(each for each in genomes if config.fits(plugin, each))
    chosen = {"genome": genome.name}
    for kind in ("mutation", "crossover"):
        able = [each for each in PLUGINS if each.kind == kind and config.fits(each, genome)]
        fitting = [
            each.name for each in able if all(value.default is not REQUIRED for value in each.parameters.values())
        ]
        chosen[kind] = fitting[0]
    chosen.pop(plugin.kind, None)
    return chosen


@each_plugin
def test_the_description_has_every_parameter_and_valid_yaml(plugin, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    shown = description(load(), f"{plugin.kind}/{plugin.name}")
    for parameter in plugin.parameters.values():
        assert re.search(rf"^  {parameter.name} +\S", shown, re.MULTILINE)
    example = re.search(r"In YAML:\n((?:  .*\n)+)", shown)[1]
    (chosen,) = YAML(typ="safe").load(example).values()
    if plugin.kind in LISTS:
        (chosen,) = chosen
    values = {"name": chosen} if isinstance(chosen, str) else chosen
    assert values.pop("name") == plugin.name
    assert values.keys() == plugin.parameters.keys()
    for name, parameter in plugin.parameters.items():
        if parameter.default is REQUIRED:
            assert values[name] == "..."
        else:
            assert parameter.parse(values[name]) == parameter.default


@each_plugin
def test_the_name_is_a_lower_case_identifier(plugin):
    assert plugin.name.isidentifier()
    assert plugin.name.islower()


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_plugin(kind):
    assert load().all(kind)
