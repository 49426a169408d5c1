"""Describe the plugins as text for a terminal: a list of all plugins, and the parameters of each."""

import inspect
import json
import re
import shutil
import textwrap
from typing import Any

from pydantic_core import to_jsonable_python

from fooldeap.configuration.experiment import LISTS
from fooldeap.errors import InputError, did_you_mean
from fooldeap.parameters import REQUIRED
from fooldeap.plugin import KINDS, Plugin
from fooldeap.registry import Registry

MAX_WIDTH = 100  # columns
_HARD = "\N{NO-BREAK SPACE}"


def listing(registry: Registry, kind: str | None = None) -> str:
    """Return the list of all plugins, or of those of one kind, with the first line of each docstring."""
    if kind is not None and kind not in KINDS:
        raise InputError(f"no kind of plugin is named {kind!r}{did_you_mean(kind, KINDS)}")
    plugins = {name: registry.all(name) for name in KINDS if kind in (None, name)}
    width = max((len(plugin.name) for found in plugins.values() for plugin in found), default=0)
    paragraphs = []
    for name, found in plugins.items():
        rows = [(plugin.name, _plain(plugin.summary)) for plugin in found] or [("(none)", "")]
        paragraphs.append(f"{name}\n{_table(rows, width)}")
    return "\n\n".join(paragraphs)


def description(registry: Registry, name: str) -> str:
    """Return the docstring, parameters and source of the plugins called ``name``, which is a name or ``kind/name``."""
    return "\n\n\n".join(_describe(plugin) for plugin in _find(registry, name))


def _find(registry: Registry, name: str) -> list[Plugin]:
    kind, slash, rest = name.partition("/")
    if slash:
        if kind not in KINDS:
            raise InputError(f"no kind of plugin is named {kind!r}{did_you_mean(kind, KINDS)}")
        return [registry.get(kind, rest)]
    found = [plugin for plugin in registry.all() if plugin.name == name]
    if not found:
        raise InputError(f"no plugin is named {name!r}{did_you_mean(name, {plugin.name for plugin in registry.all()})}")
    return found


def _describe(plugin: Plugin) -> str:
    paragraphs = [
        f"{plugin.kind} {plugin.name}",
        _wrap(_plain(inspect.getdoc(plugin.target) or "(no description)")),
        f"Parameters:\n{_table(parameters(plugin))}" if plugin.parameters else "It has no parameters.",
        f"In YAML:\n{_fill(_example(plugin), '  ', '    ')}",
        _table([*facts(plugin), ("source", plugin.source)], indent=""),
    ]
    return "\n\n".join(paragraphs)


def parameters(plugin: Plugin) -> list[tuple[str, str]]:
    """Return the name of each parameter, with a text that gives its accepted values and its default."""
    return [
        (
            each.name,
            f"{each.expected}; {'required' if each.default is REQUIRED else f'default {in_yaml(each.default)}'}",
        )
        for each in plugin.parameters.values()
    ]


def facts(plugin: Plugin) -> list[tuple[str, str]]:
    """Return the declared options of a plugin, the call of its kind, and what the call returns."""
    kind = KINDS[plugin.kind]
    options = {
        option: "every genome that is an array" if value is None else value for option, value in plugin.options.items()
    }
    declared = [
        (option, value if isinstance(value, str) else ", ".join(value) or "none") for option, value in options.items()
    ]
    return [*declared, ("call", kind.call), ("returns", kind.gives)]


def example(plugin: Plugin) -> str:
    """Return the plugin in YAML with the default of each parameter; a required parameter has the value ``...``."""
    return _fill(_example(plugin), others="  ", width=80)


def _example(plugin: Plugin) -> str:
    values = {name: each.default for name, each in plugin.parameters.items()}
    choice = in_yaml({"name": plugin.name, **values} if values else plugin.name)
    return f"{LISTS[plugin.kind]}: [{choice}]" if plugin.kind in LISTS else f"{plugin.kind}: {choice}"


def in_yaml(value: Any) -> str:
    """Return a value as YAML in flow style, on one line; in mappings, `_fill` breaks no line between key and value."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {in_yaml(inner)}".replace(" ", _HARD) for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(in_yaml, value)) + "]"
    if value is REQUIRED:
        return "..."
    if isinstance(value, str) and re.fullmatch(r"(?!(?:true|false|null)$)[A-Za-z_][\w.-]*", value, re.IGNORECASE):
        return value
    if isinstance(value, float) and len(f"{value:g}") < len(repr(value)) - 2 and float(f"{value:g}") == value:
        return f"{value:g}"
    return json.dumps(value, ensure_ascii=False, default=to_jsonable_python)


# --- Text that fits the terminal ------------------------------------------------------------------------------------


def _plain(docstring: str) -> str:
    return docstring.replace("``", "`")


def _wrap(text: str) -> str:
    """Wrap the paragraphs of a text to the width of the terminal; tables, lists and code are left unchanged."""
    paragraphs = re.split(r"\n\s*\n", text)
    preformatted = re.compile(r"^(\s|- |\* |-{3,})", re.MULTILINE)
    return "\n\n".join(each if preformatted.search(each) else _fill(each) for each in paragraphs)


def _table(rows: list[tuple[str, str]], width: int = 0, indent: str = "  ") -> str:
    """Return rows of two columns; the text of the second column is wrapped within its column."""
    width = max([width, *(len(name) for name, _ in rows)])
    margin = indent + " " * (width + 2)
    return "\n".join(_fill(text, f"{indent}{name:{width}}  ", margin) for name, text in rows)


def _fill(text: str, first: str = "", others: str = "", width: int | None = None) -> str:
    """Wrap a paragraph; ``first`` and ``others`` are the indents of the first line and of the other lines."""
    filled = textwrap.fill(
        text,
        width or min(MAX_WIDTH, shutil.get_terminal_size().columns),
        initial_indent=first,
        subsequent_indent=others,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return (filled or first.rstrip()).replace(_HARD, " ")
