"""The command ``fooldeap run``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from fooldeap import extensions
from fooldeap.cli.options import (
    Force,
    NoPlugins,
    Out,
    Overrides,
    Plugins,
    Quiet,
    Seed,
    TrustModel,
    Workers,
    handle_interrupt,
    parse_workers,
    print_line,
    with_seed,
)
from fooldeap.errors import InputError, RunError


def run(
    config: Annotated[Path | None, typer.Argument(metavar="CONFIG", help="The experiment, a YAML file.")] = None,
    overrides: Overrides = None,
    out: Out = None,
    resume: Annotated[Path | None, typer.Option(metavar="DIR", help="Continue the experiment in this folder.")] = None,
    seed: Seed = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Print the number of runs and estimates of evaluations, time and memory, then stop."
        ),
    ] = False,
    workers: Workers = None,
    plugins: Plugins = None,
    no_plugins: NoPlugins = False,
    trust_model: TrustModel = False,
    force: Force = False,
    quiet: Quiet = False,
    no_images: Annotated[bool, typer.Option("--no-images", help="Draw no images on the terminal.")] = False,
) -> None:
    """Run the experiment that a YAML file describes, or resume it."""
    from fooldeap.runs import api
    from fooldeap.runs.run_folder import RunFolder
    from fooldeap.storage.inputs import read

    options: dict[str, Any] = {
        "plugins": plugins or (),
        "workers": parse_workers(workers),
        "quiet": quiet,
        "images": not no_images,
        "trust_model": trust_model,
        "no_plugins": no_plugins,
    }
    words = with_seed(overrides, seed)
    if resume is not None and config is not None and "=" in config.name:  # with --resume, this is an override
        words, config = [str(config), *words], None
    if resume is None and config is None:
        raise InputError("no experiment given; name a YAML file: fooldeap run configs/mnist.yaml")
    if resume is not None and (config is not None or out is not None):
        raise InputError("--resume cannot be combined with CONFIG or --out; the folder contains its configuration")
    if force and resume is None:
        raise InputError("--force works only together with --resume DIR; leave it out")
    if dry_run and config is None:
        raise InputError("--dry-run estimates a new experiment; it cannot be combined with --resume")
    with handle_interrupt():
        for _, runner in extensions.load("fooldeap.runners"):
            if runner.takes(config, words, resume):
                runner.run(config, words, resume, out=out, dry_run=dry_run, force=force, **options)
                return
        if dry_run:
            assert config is not None
            _print_forecast(config, words, options)
            return
        if config is not None:
            done = api.run(config, *words, out=out, **options)
        else:
            assert resume is not None
            folder = RunFolder(resume)
            finished = read(folder.config) if folder.settled else None
            done = api.resume(resume, *words, force=force, **options)
            if finished == read(folder.config) and not quiet:
                print_line(f"{resume}: is already finished; see {resume / RunFolder.LAST}")
        if done.failures:
            runs = "1 run" if len(done.failures) == 1 else f"{len(done.failures)} runs"
            raise RunError(
                f"{runs} failed; the results of the other runs are in {done.folder}; "
                f"to try again: fooldeap run --resume {done.folder}"
            )


def _print_forecast(config: Path, words: list[str], options: dict[str, Any]) -> None:
    from fooldeap.configuration.config import load
    from fooldeap.options import Options
    from fooldeap.runs.forecast import forecast

    allowed = Options(options["trust_model"], options["no_plugins"])
    experiment = load(config, words, plugins=options["plugins"], options=allowed)
    print_line(f"{experiment.name}: {forecast([{'': experiment}])}")
