"""Load the study that compares a plugin with the stock plugins of its kind."""

from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from fooldeap import registry as registries
from fooldeap.configuration.config import fits
from fooldeap.errors import InputError
from fooldeap.options import Options
from fooldeap.parameters import REQUIRED
from fooldeap.plugin import Plugin
from fooldeap.study import definition
from fooldeap.study.definition import Study

KINDS = ("mutation", "crossover", "selection", "fitness", "algorithm")
GENOME = "pixels"  # the genome of the study


def load(
    file: Path, overrides: Iterable[str], arguments: Mapping[str, Any], plugins: Iterable[Any], options: Options
) -> Study:
    """Return the study for the plugin in a file. The other parameters are those of `definition.load`."""
    plugin = _find_plugin(file)
    genome = registries.load().get("genome", GENOME)
    others = [each.name for each in registries.load().all(plugin.kind) if _is_comparable(each) and fits(each, genome)]
    given = {
        "name": f"try-{plugin.name}",
        "vary": {plugin.kind: {name: name for name in [plugin.name, *others]}},
        "candidate": plugin.name,
        **arguments,
    }
    with resources.as_file(resources.files("fooldeap.data") / "trial.yaml") as study:
        sources = [str(file), *registries.each(plugins)]
        return definition.load(study, overrides, arguments=given, plugins=sources, options=options)


def _find_plugin(file: Path) -> Plugin:
    found = registries.found_in(file)
    able = [plugin for plugin in found if plugin.kind in KINDS]
    if len(able) != 1:
        held = ", ".join(map(str, found))
        raise InputError(f"{file}: got {held}, expected one plugin of the kinds {', '.join(KINDS[:-1])} or {KINDS[-1]}")
    missing = [name for name, each in able[0].parameters.items() if each.default is REQUIRED]
    if missing:
        raise InputError(f"{file}: {able[0]} has no default for {missing[0]!r}; --try needs one, so add it")
    return able[0]


def _is_comparable(plugin: Plugin) -> bool:
    """Return whether a stock plugin can be used without parameters. Operators that use feedback are left out."""
    has_defaults = all(each.default is not REQUIRED for each in plugin.parameters.values())
    return has_defaults and plugin.name != "deap" and not plugin.feedback
