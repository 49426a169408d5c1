"""The commands ``fooldeap plugins``: list, show, create and check plugins."""

from pathlib import Path
from typing import Annotated

import typer

from fooldeap.cli.options import Plugins, print_line
from fooldeap.errors import InputError, PluginError
from fooldeap.help import completion

app = typer.Typer(help="List the plugins; show, create or check a plugin.", invoke_without_command=True)


@app.callback()
def _print_help(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())


@app.command("list")
def list_plugins(
    kind: Annotated[
        str | None,
        typer.Argument(metavar="KIND", help="List only this kind.", autocompletion=completion.complete_kind),
    ] = None,
    plugins: Plugins = None,
) -> None:
    """List the plugins by kind."""
    from fooldeap import registry
    from fooldeap.help import catalogue

    print_line(catalogue.listing(registry.load(plugins or ()), kind))


@app.command()
def show(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="The name of the plugin, or kind/name.", autocompletion=completion.complete_name
        ),
    ],
    plugins: Plugins = None,
) -> None:
    """Show the description and the parameters of a plugin."""
    from fooldeap import registry
    from fooldeap.help import catalogue

    print_line(catalogue.description(registry.load(plugins or ()), name))


@app.command()
def new(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND", help="mutation, crossover, selection, ...", autocompletion=completion.complete_kind
        ),
    ],
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name: lower-case letters, digits and '_'.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder to write to.")] = Path(),
) -> None:
    """Create a working plugin to start from, and a test for it."""
    from fooldeap.scaffolding import plugin_file

    plugin, test = plugin_file.write(kind, name, out)
    print_line(f"{plugin}: a working {kind}; edit it. {test}: a test for pytest.")
    print_line(f"Next: fooldeap plugins check {plugin}")


@app.command()
def check(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FILE] [KEY=VALUE]",
            help="Plugin files or folders; default: all installed plugins. And parameters: rate=0.02, or "
            "mutation.rate=0.02.",
        ),
    ] = None,
    plugins: Plugins = None,
) -> None:
    """Check that plugins satisfy their contracts."""
    from fooldeap import testing

    values = [word for word in words or () if "=" in word and not Path(word).exists()]
    files = [Path(word) for word in words or () if word not in values]
    verdicts = testing.check(files, plugins or (), values)
    text = "\n".join(map(str, verdicts))
    if files and any(verdict.unchecked for verdict in verdicts):
        raise InputError(text)
    if any(verdict.broken for verdict in verdicts):
        raise PluginError(text)
    print_line(text)
