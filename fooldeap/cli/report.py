"""``fooldeap report``."""

from pathlib import Path
from typing import Annotated

import typer

from fooldeap.cli.options import say


def report(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="The folder of a finished run, study, retraining or audit.")
    ],
    show: Annotated[bool, typer.Option("--open", help="Show it in the browser.")] = False,
) -> None:
    """Make the page of a folder, report.html, anew."""
    from fooldeap.finished.pages import make

    page = make(folder)
    say(str(page))
    if show:
        import webbrowser

        if not webbrowser.open(page.resolve().as_uri()):
            say("there is no browser to show it in; open that file yourself")
