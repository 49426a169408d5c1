"""The command ``fooldeap init``."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from fooldeap.cli.options import print_line


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
