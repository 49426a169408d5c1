"""A plugin on trial: a small study of it beside the stock plugins of its kind."""

from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from fooldeap import registry as registries
from fooldeap.configuration.config import fits
from fooldeap.errors import InputError
from fooldeap.parameters import REQUIRED
from fooldeap.plugin import Plugin
from fooldeap.study import definition
from fooldeap.study.definition import Study

KINDS = ("mutation", "crossover", "selection", "fitness", "algorithm")
GENOME = "pixels"  # what the study evolves


def load(file: Path, overrides: Iterable[str], arguments: Mapping[str, Any], plugins: Iterable[Any]) -> Study:
    """Return the study of the plugin in a file; the rest as for any study."""
    plugin = _the_plugin(file)
    genome = registries.load().get("genome", GENOME)
    others = [each.name for each in registries.load().all(plugin.kind) if _complete(each) and fits(each, genome)]
    given = {
        "name": f"try-{plugin.name}",
        "vary": {plugin.kind: {name: name for name in [plugin.name, *others]}},
        "tried": plugin.name,
        **arguments,
    }
    with resources.as_file(resources.files("fooldeap.data") / "trial.yaml") as study:
        return definition.load(study, overrides, arguments=given, plugins=[str(file), *registries.each(plugins)])


def _the_plugin(file: Path) -> Plugin:
    found = registries.found_in(file)
    able = [plugin for plugin in found if plugin.kind in KINDS]
    if len(able) != 1:
        held = ", ".join(map(str, found))
        raise InputError(f"{file}: holds {held}; expected one plugin to try, a {', '.join(KINDS[:-1])} or {KINDS[-1]}")
    missing = [name for name, each in able[0].parameters.items() if each.default is REQUIRED]
    if missing:
        raise InputError(f"{file}: {able[0]} has no default for {missing[0]!r}; give it one to try the plugin")
    return able[0]


def _complete(plugin: Plugin) -> bool:
    """Tell whether a plugin can be used by its name alone, without a parameter."""
    return all(each.default is not REQUIRED for each in plugin.parameters.values()) and plugin.name != "deap"
