"""Generate the page of a plugin: its docstring, a picture, its parameters, the literature that it cites, its source."""

import inspect
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from settings import BUDGET, CLASSIFIER, WITH

from fooldeap.help import catalogue
from fooldeap.plugin import Plugin

ROOT = Path(__file__).parents[2]
HARD = "\N{NO-BREAK SPACE}"

CAPTIONS = {
    "genome": "Top: six images of a first population. Bottom: the best images of short runs for the digits 0 to 5.",
    "fitness": "The fitness over the confidence in the target, if all other classes are equally likely.",
    "mutation": "Top: six images. Middle: the mutated images. Bottom: the pixels that differ, black on white.",
    "crossover": "Top two rows: six pairs of parents, white on black and black on white. Bottom two: their children.",
    "selection": "The mean number of times that each of 50 individuals is selected in one generation.",
    "algorithm": "The best confidence over evaluations in three short runs on one digit, seeds 1 to 3.",
}


def place(plugin: Plugin) -> str:
    """Return the path of the page of a plugin in the site."""
    return f"reference/plugins/{plugin.kind}/{plugin.name}.md"


def page(plugin: Plugin) -> str:
    """Return the page as Markdown."""
    docstring = inspect.getdoc(plugin.target) or ""
    sections = [
        f"# {plugin.name}",
        f"*{plugin.kind}*",
        docstring.replace("``", "`"),
        picture(plugin),
        "## Parameters",
        _table(("name", "values", "default"), _parameters(plugin)) if plugin.parameters else "It has no parameters.",
        f"## In YAML\n\n```yaml\n{catalogue.example(plugin)}\n```",
        "## Contract",
        _table(
            ("", "see [plugins](../../../plugins.md)"),
            [(name, f"`{value}`" if name == "call" else value) for name, value in catalogue.facts(plugin)],
        ),
        _literature(docstring),
        _source(plugin),
    ]
    return "\n\n".join(filter(None, sections)) + "\n"


def picture(plugin: Plugin) -> str:
    """Return the picture of a plugin with its caption; empty for kinds without pictures."""
    if plugin.kind not in CAPTIONS:
        return ""
    file = f"../../../images/plugins/{plugin.kind}/{plugin.name}.png"
    settings = "`, `".join(f"{key}: {catalogue.in_yaml(value)}" for key, value in _settings(plugin).items())
    caption = CAPTIONS[plugin.kind] + (f" Drawn with `{settings}`." if settings else "")
    pixels = "{ .pixels }" if plugin.kind in ("genome", "mutation", "crossover") else ""
    return f"![{CAPTIONS[plugin.kind]}]({file}){pixels}\n\n*{caption.replace(HARD, ' ')}*"


def _settings(plugin: Plugin) -> dict[str, Any]:
    runs = {"classifier": CLASSIFIER["model"], "stop": {"evaluations": BUDGET}}
    return WITH.get((plugin.kind, plugin.name), {}) | (runs if plugin.kind in ("genome", "algorithm") else {})


def literature() -> dict[str, str]:
    """Return the entries of docs/literature.md by their citation, such as ``"Syswerda 1989"``."""
    text = (ROOT / "docs/literature.md").read_text(encoding="utf-8")
    return dict(re.findall(r"^- \*\*(.+?)\.\*\* (.+(?:\n  .+)*)", text, re.MULTILINE))


def cited(docstring: str) -> list[str]:
    """Return the citations in a docstring as authors and year."""
    name = r"(?:De |de la )?[A-ZÄÖÜ][a-zäöü]\w*(?:-[A-Z]\w+)?"
    text = " ".join(docstring.split())
    found = re.findall(rf"((?:{name}, )*{name}(?: and {name}| et al\.)?),? \(?((?:19|20)\d\d)\b", text)
    return list(dict.fromkeys(f"{authors} {year}" for authors, year in found))


def add_links(markdown: str, plugins: Iterable[Plugin]) -> str:
    """Turn names of plugins into links, in tables with one row per kind and in tables below the heading of a kind."""
    places = {(plugin.kind, plugin.name): place(plugin) for plugin in plugins}
    kinds = {kind for kind, _ in places}
    lines, kind = [], ""
    for line in markdown.splitlines():
        heading, row = re.match(r"## (\w+)$", line), re.match(r"\| (\w+) \|", line)
        kind = heading[1] if heading else kind
        here = row[1] if row and row[1] in kinds else kind

        def link(name: re.Match[str], here: str = here) -> str:
            found = places.get((here, name[1]))
            return f"[{name[0]}]({found})" if found else name[0]

        named = r"(?<=^\| )`(\w+)`(?= \|)" if here == kind else r"`(\w+)`"
        lines.append(re.sub(named, link, line) if line.startswith("|") else line)
    return "\n".join(lines) + "\n"


def _parameters(plugin: Plugin) -> list[tuple[str, str, str]]:
    rows = []
    for name, text in catalogue.parameters(plugin):
        values, _, default = text.rpartition("; ")
        shown = default if default == "required" else f"`{default.removeprefix('default ')}`"
        rows.append((f"`{name}`", values, shown))
    return rows


def _literature(docstring: str) -> str:
    known = literature()
    entries = [f"- {known[each]}" for each in cited(docstring) if each in known]
    return "\n".join(["## Literature\n", *entries]) if entries else ""


def _source(plugin: Plugin) -> str:
    source = Path(plugin.source)
    name = f"plugins/{plugin.kind}/{source.name}"
    text = source.read_text(encoding="utf-8").rstrip()
    indented = "\n".join(f"    {line}".rstrip() for line in f"```python\n{text}\n```".splitlines())
    return f'??? note "Source: {name}"\n\n{indented}'


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    body = [" | ".join(cell.replace("|", "\\|") for cell in row) for row in rows]
    return "\n".join(f"| {line} |" for line in [" | ".join(head), " | ".join(["---"] * len(head)), *body])
