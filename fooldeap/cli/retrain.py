"""``fooldeap retrain``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from fooldeap.cli.options import Force, NoPlugins, Out, Overrides, Plugins, Quiet, Workers, count, interruptible, say


def retrain(
    config: Annotated[Path | None, typer.Argument(metavar="CONFIG", help="The retraining, a YAML file.")] = None,
    overrides: Overrides = None,
    out: Out = None,
    resume: Annotated[Path | None, typer.Option(metavar="DIR", help="Go on with the chain in this folder.")] = None,
    workers: Workers = None,
    plugins: Plugins = None,
    no_plugins: NoPlugins = False,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Train networks on the images that fooled the ones before.

    And see whether they are harder to fool.
    """
    from fooldeap.retrain.chain import RetrainFolder
    from fooldeap.retrain.chain import retrain as make_chain

    options: dict[str, Any] = {"plugins": plugins or (), "workers": count(workers), "force": force, "quiet": quiet}
    finished = resume is not None and RetrainFolder(resume).finished
    with interruptible():
        done = make_chain(config, *(overrides or ()), out=out, resume=resume, no_plugins=no_plugins, **options)
    if finished:
        say(f"{done.folder}: is finished already; see {done.folder / 'report.md'}")
    elif not quiet:
        say(f"\n{done}\n\n{done.folder / 'report.md'}")
