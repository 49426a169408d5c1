"""The commands ``fooldeap doctor``, ``fooldeap init`` and ``fooldeap schema``."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from fooldeap.cli.options import Plugins, print_line
from fooldeap.errors import InputError, RunError


def doctor() -> None:
    """Check that everything fooldeap needs is installed and works."""
    from fooldeap.help.doctor import examine

    failed = 0
    for finding in examine():
        failed += finding.state == "bad"
        print_line(str(finding))
    if failed:
        checks = "1 check" if failed == 1 else f"{failed} checks"
        raise RunError(f"{checks} failed; see the lines that start with 'bad'")


def init(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="[DIR]", help="The folder, new or empty; default: the current folder.", show_default=False
        ),
    ] = Path(),
) -> None:
    """Create a folder with an example experiment and mutation."""
    from fooldeap.scaffolding import experiment_folder

    for file in experiment_folder.write(folder):
        print_line(str(file))
    change_folder = "" if folder == Path() else f"cd {shlex.quote(str(folder))} && "
    print_line(f"Next: {change_folder}fooldeap run experiment.yaml")


def schema(
    kind: Annotated[
        str,
        typer.Argument(metavar="[KIND]", help="experiment, sweep, study, training or retraining.", show_default=False),
    ] = "experiment",
    plugins: Plugins = None,
) -> None:
    """Print the JSON Schema of a kind of YAML file, for your editor. The default is the experiment file."""
    from fooldeap import extensions, registry
    from fooldeap.configuration.json_schema import text

    kinds = dict(extensions.load("fooldeap.files"))
    if kind not in kinds:
        raise InputError(f"got the kind {kind!r}, expected one of {', '.join(kinds)}")
    print(text(kinds[kind].schema(registry.load(plugins or ()))), end="")
