"""The plugins in words: what there is, and what each one takes."""

import inspect
from typing import Any

from fooldeap.errors import InputError, did_you_mean
from fooldeap.parameters import REQUIRED, shown
from fooldeap.plugin import KINDS, Plugin
from fooldeap.registry import Registry


def listing(registry: Registry, kind: str | None = None) -> str:
    """Return all plugins, or those of one kind, with the first line of what they do."""
    if kind is not None and kind not in KINDS:
        raise InputError(f"no kind of plugin is named {kind!r}{did_you_mean(kind, KINDS)}")
    wanted = registry.all(kind)
    width = max((len(plugin.name) for plugin in wanted), default=0)
    lines = []
    for name in [kind] if kind else KINDS:
        lines += [f"{name}"]
        lines += [f"  {plugin.name:{width}}  {_plain(plugin.summary)}" for plugin in wanted if plugin.kind == name]
    return "\n".join(lines)


def description(registry: Registry, name: str) -> str:
    """Return what a plugin does, its parameters and where it comes from. ``name`` is a name or ``kind/name``."""
    found = _named(registry, name)
    return "\n\n".join(_describe(plugin) for plugin in found)


def _named(registry: Registry, name: str) -> list[Plugin]:
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
    lines = [
        f"{plugin.kind} {plugin.name}",
        "",
        _plain(inspect.getdoc(plugin.target) or "(no description)"),
        "",
    ]
    facts = [f"{option}: {_fact(value)}" for option, value in plugin.options.items()]
    lines += [f"call: {KINDS[plugin.kind].call}", f"gives: {KINDS[plugin.kind].gives}", *facts, ""]
    lines += ["parameters:"] if plugin.parameters else ["no parameters"]
    for parameter in plugin.parameters.values():
        default = "required" if parameter.default is REQUIRED else f"default {shown(parameter.default)}"
        lines.append(f"  {parameter.name}: {parameter.expected}; {default}")
    lines += ["", "in YAML:", f"  {_example(plugin)}", "", f"from {plugin.source}"]
    return "\n".join(lines)


def _plain(docstring: str) -> str:
    return docstring.replace("``", "")


def _fact(value: Any) -> str:
    if value is None:
        return "any that is an array"
    return value if isinstance(value, str) else ", ".join(value)


def _example(plugin: Plugin) -> str:
    values = {name: shown(each.default) for name, each in plugin.parameters.items() if each.default is not REQUIRED}
    inner = ", ".join(f"{name}: {value}" for name, value in {"name": plugin.name, **values}.items())
    key = plugin.kind if plugin.kind != "reporter" else "reporters"
    return f"{key}: {{{inner}}}" if plugin.kind != "reporter" else f"{key}: [{{{inner}}}]"
