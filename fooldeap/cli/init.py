"""``fooldeap init``."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from fooldeap.cli.options import say


def init(
    folder: Annotated[
        Path, typer.Argument(metavar="[DIR]", help="The folder, new or empty; default: this one.", show_default=False)
    ] = Path(),
) -> None:
    """Begin in an empty folder: an experiment and a mutation."""
    from fooldeap.guidance import starter

    for file in starter.write(folder):
        say(str(file))
    where = "" if folder == Path() else f"cd {shlex.quote(str(folder))} && "
    say(f"Go on: {where}fooldeap run experiment.yaml")
