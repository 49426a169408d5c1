"""The command ``fooldeap retrain``."""

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
    Workers,
    handle_interrupt,
    parse_workers,
    print_line,
)


def retrain(
    config: Annotated[Path | None, typer.Argument(metavar="CONFIG", help="The retraining, a YAML file.")] = None,
    overrides: Overrides = None,
    out: Out = None,
    resume: Annotated[Path | None, typer.Option(metavar="DIR", help="Continue the retraining in this folder.")] = None,
    workers: Workers = None,
    plugins: Plugins = None,
    no_plugins: NoPlugins = False,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Train networks on images that fooled earlier networks.

    Each network is trained on the images that fooled the networks before it. The report shows whether the later
    networks are harder to fool.
    """
    from fooldeap.retrain.chain import RetrainFolder
    from fooldeap.retrain.chain import retrain as run_retraining

    options: dict[str, Any] = {
        "plugins": plugins or (),
        "workers": parse_workers(workers),
        "force": force,
        "quiet": quiet,
    }
    finished = resume is not None and RetrainFolder(resume).finished
    with handle_interrupt():
        done = run_retraining(config, *(overrides or ()), out=out, resume=resume, no_plugins=no_plugins, **options)
    if finished:
        print_line(f"{done.folder}: is already finished; see {done.folder / 'report.md'}")
    elif not quiet:
        print_line(f"\n{done}\n\n{done.folder / 'report.md'}")
