"""The command ``fooldeap compare``."""

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
    Seed,
    TrustModel,
    Workers,
    handle_interrupt,
    parse_workers,
    print_line,
    with_seed,
)
from fooldeap.errors import RunError
from fooldeap.options import Options


def compare(
    study: Annotated[Path | None, typer.Argument(metavar="STUDY", help="The study, a YAML file.")] = None,
    overrides: Overrides = None,
    out: Out = None,
    resume: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Continue the study in this folder: make the missing runs and the report."),
    ] = None,
    candidate: Annotated[
        Path | None,
        typer.Option("--try", metavar="FILE", help="Compare the plugin in FILE with the stock plugins of its kind."),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Print the number of runs and estimates of evaluations, time and memory, then stop."
        ),
    ] = False,
    seed: Seed = None,
    workers: Workers = None,
    plugins: Plugins = None,
    no_plugins: NoPlugins = False,
    trust_model: TrustModel = False,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Compare the variants of a study, or try a plugin.

    The report has statistical tests, effect sizes and confidence intervals.
    """
    from fooldeap.study import comparison
    from fooldeap.study.extension import extended
    from fooldeap.study.forecast import forecast
    from fooldeap.study.plan import StudyFolder

    words = with_seed(overrides, seed)
    if study is not None and "=" in study.name and not study.exists():  # --resume and --try work without a study file
        words, study = [str(study), *words], None
    options: dict[str, Any] = {
        "out": out,
        "resume": resume,
        "plugin_file": candidate,
        "plugins": plugins or (),
        "workers": parse_workers(workers),
    }
    with handle_interrupt():
        if dry_run:
            loaded = comparison.load(study, *words, **options, options=Options(trust_model, no_plugins))
            folder = None if resume is None else StudyFolder.open(resume)
            if folder is not None:
                loaded = extended(loaded, folder)
            print_line(f"{loaded.name}: {forecast(loaded, folder)}")
            return
        options |= {"trust_model": trust_model, "no_plugins": no_plugins, "force": force}
        done = comparison.compare(study, *words, **options, quiet=quiet)
    if not quiet:
        print_line(f"\n{done}\n\n{done.folder / 'report.md'}")
    if done.outcome.failed:
        raise RunError(
            f"{', '.join(done.outcome.failed)} failed; the results of the other variants are in {done.folder}"
        )
