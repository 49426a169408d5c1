"""``fooldeap plugins``: list, show, check and begin them."""

from pathlib import Path
from typing import Annotated

import typer

from fooldeap.cli import completion
from fooldeap.cli.options import Plugins, say
from fooldeap.errors import InputError, PluginError

app = typer.Typer(help="List the plugins, show, check or begin one.", invoke_without_command=True)


@app.command("list")
def list_plugins(
    kind: Annotated[
        str | None, typer.Argument(metavar="KIND", help="Only plugins of this kind.", autocompletion=completion.kinds)
    ] = None,
    plugins: Plugins = None,
) -> None:
    """List the plugins by kind."""
    from fooldeap import registry
    from fooldeap.guidance import catalogue

    say(catalogue.listing(registry.load(plugins or ()), kind))


@app.command()
def show(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="The plugin's name, or kind/name.", autocompletion=completion.names)
    ],
    plugins: Plugins = None,
) -> None:
    """Show what a plugin does and its parameters."""
    from fooldeap import registry
    from fooldeap.guidance import catalogue

    say(catalogue.description(registry.load(plugins or ()), name))


@app.command()
def new(
    kind: Annotated[
        str, typer.Argument(metavar="KIND", help="mutation, crossover, selection, ...", autocompletion=completion.kinds)
    ],
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name, small letters and '_'.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder to write to.")] = Path(),
) -> None:
    """Write a working plugin to begin with, and its test."""
    from fooldeap.guidance import scaffold

    plugin, test = scaffold.write(kind, name, out)
    say(f"{plugin}: a {kind} that works; change it. {test}: its test, for pytest.")
    say(f"Try: fooldeap plugins check {plugin}")


@app.command()
def check(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FILE] [KEY=VALUE]",
            help="Files or folders, without: all installed plugins; and parameters: rate=0.02, or mutation.rate=0.02.",
        ),
    ] = None,
    plugins: Plugins = None,
) -> None:
    """Check plugins: name each promise that one breaks."""
    from fooldeap import testing

    values = [word for word in words or () if "=" in word and not Path(word).exists()]
    files = [Path(word) for word in words or () if word not in values]
    verdicts = testing.check(files, plugins or (), values)
    text = "\n".join(map(str, verdicts))
    if files and any(verdict.unchecked for verdict in verdicts):
        raise InputError(text)
    if any(verdict.broken for verdict in verdicts):
        raise PluginError(text)
    say(text)
