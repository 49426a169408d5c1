"""The command ``fooldeap tune``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from fooldeap.cli.options import (
    Force,
    NoPlugins,
    Out,
    Overrides,
    Plugins,
    Quiet,
    TrustModel,
    handle_interrupt,
    parse_workers,
    print_line,
)


def tune(
    config: Annotated[Path | None, typer.Argument(metavar="CONFIG", help="The tuning, a YAML file.")] = None,
    overrides: Overrides = None,
    out: Out = None,
    resume: Annotated[Path | None, typer.Option(metavar="DIR", help="Continue the tuning in this folder.")] = None,
    workers: Annotated[
        str | None,
        typer.Option(
            metavar="N",
            help="The number of processes for the comparison on unseen instances; the search runs in one process.",
        ),
    ] = None,
    plugins: Plugins = None,
    no_plugins: NoPlugins = False,
    trust_model: TrustModel = False,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Search parameters with which an experiment needs few images.

    Optuna proposes configurations; poor ones stop early. Then the best configuration is compared with the initial one
    on instances that the search did not use.
    """
    from fooldeap.tuning import session

    options: dict[str, Any] = {"plugins": plugins or (), "workers": parse_workers(workers), "quiet": quiet}
    options |= {"trust_model": trust_model, "no_plugins": no_plugins, "force": force}
    with handle_interrupt():
        done = session.tune(config, *(overrides or ()), out=out, resume=resume, **options)
    if done.outcome is None:
        print_line(f"{done.folder}: is already finished; see {done.folder / 'report.md'}")
    elif not quiet:
        print_line(f"\n{done}\n\n{done.folder / 'report.md'}")
