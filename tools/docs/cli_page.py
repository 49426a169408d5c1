"""Generate the reference of the command line from the commands."""

import html
from collections.abc import Iterator
from typing import Any

import typer

from fooldeap.cli import application


def page() -> str:
    """Return the page as Markdown, with one section per command."""
    sections = ["# Command line", "`fooldeap COMMAND --help` prints the same information."]
    for name, command in _commands(typer.main.get_command(application()), "fooldeap"):
        sections += [f"## {name}", _text(command.help), f"```text\n{_usage(name, command)}\n```", _table(command)]
    sections += [
        "## Exit codes",
        "0: success. 1: failure while running; the folder can be resumed. 2: invalid input; one line for each mistake. "
        "130: interrupted; the folder can be resumed.",
    ]
    return "\n\n".join(filter(None, sections)) + "\n"


def _commands(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Yield the name and the object of each command; a group is replaced by its commands."""
    if not hasattr(command, "commands"):
        yield name, command
    for word, inner in getattr(command, "commands", {}).items():
        yield from _commands(inner, f"{name} {word}")


def _usage(name: str, command: Any) -> str:
    arguments = [_metavar(each) for each in command.params if each.param_type_name == "argument"]
    return " ".join([name, *(["[OPTIONS]"] if _options(command) else []), *arguments])


def _options(command: Any) -> list[Any]:
    return [each for each in command.params if each.param_type_name == "option" and "--help" not in each.opts]


def _metavar(argument: Any) -> str:
    name = argument.metavar or argument.name.upper()
    return name if argument.required or name.startswith("[") else f"[{name}]"


def _table(command: Any) -> str:
    rows = []
    for each in command.params:
        if each.param_type_name == "argument":
            rows.append((f"`{_metavar(each)}`", each.help))
        elif each in _options(command):
            metavar = "" if each.is_flag else f" {each.metavar or each.type.name.upper()}"
            rows.append((", ".join(f"`{opt}{metavar}`" for opt in [*each.opts, *each.secondary_opts]), each.help))
    cells = [f"| {name} | {_text(text).replace('|', '/')} |" for name, text in rows]
    return "\n".join(["| argument or option | meaning |", "|---|---|", *cells]) if cells else ""


def _text(text: str | None) -> str:
    return html.escape(" ".join((text or "").split()), quote=False)
