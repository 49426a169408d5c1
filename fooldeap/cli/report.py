"""The command ``fooldeap report``."""

from pathlib import Path
from typing import Annotated

import typer

from fooldeap.cli.options import print_line


def report(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="The folder of a finished run, study, retraining or audit.")
    ],
    show: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
) -> None:
    """Write the page of a folder, report.html, again."""
    from fooldeap.result_tools.pages import make

    page = make(folder)
    print_line(str(page))
    if show:
        import webbrowser

        if not webbrowser.open(page.resolve().as_uri()):
            print_line("no browser was found; open the file yourself")
