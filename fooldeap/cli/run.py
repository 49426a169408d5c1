"""``fooldeap run``."""

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
    Workers,
    count,
    interruptible,
    say,
)
from fooldeap.errors import InputError, RunError


def run(
    config: Annotated[Path | None, typer.Argument(metavar="CONFIG", help="The experiment, a YAML file.")] = None,
    overrides: Overrides = None,
    out: Out = None,
    resume: Annotated[Path | None, typer.Option(metavar="DIR", help="Continue the experiment in this folder.")] = None,
    workers: Workers = None,
    plugins: Plugins = None,
    no_plugins: NoPlugins = False,
    trust_model: TrustModel = False,
    force: Force = False,
    quiet: Quiet = False,
    no_images: Annotated[bool, typer.Option("--no-images", help="Draw no images on the terminal.")] = False,
) -> None:
    """Run the experiment that a YAML file describes, or continue one."""
    from fooldeap.runs import experiment
    from fooldeap.runs.rundir import RunFolder

    options: dict[str, Any] = {
        "plugins": plugins or (),
        "workers": count(workers),
        "quiet": quiet,
        "images": not no_images,
        "trust_model": trust_model,
        "no_plugins": no_plugins,
    }
    words = list(overrides or ())
    if resume is not None and config is not None and "=" in config.name:  # there it is no file
        words, config = [str(config), *words], None
    if resume is None and config is None:
        raise InputError("name the experiment, a YAML file: fooldeap run configs/mnist.yaml")
    if resume is not None and (config is not None or out is not None):
        raise InputError("--resume DIR goes alone: the folder holds its configuration")
    if force and resume is None:
        raise InputError("--force: got no --resume DIR, which it is for; leave it out")
    with interruptible():
        if config is not None:
            done = experiment.run(config, *words, out=out, **options)
        else:
            assert resume is not None
            settled = RunFolder(resume).settled
            done = experiment.resume(resume, *words, force=force, **options)
            if settled and not quiet:
                say(f"{resume}: is finished already; see {resume / RunFolder.LAST}")
        if done.failures:
            again = f"to try again: fooldeap run --resume {done.folder}"
            raise RunError(f"{len(done.failures)} of the runs failed; the others are in {done.folder}; {again}")
