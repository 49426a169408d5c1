"""``fooldeap compare``."""

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
from fooldeap.errors import RunError


def compare(
    study: Annotated[Path | None, typer.Argument(metavar="STUDY", help="The study, a YAML file.")] = None,
    overrides: Overrides = None,
    out: Out = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Make only what is missing in this folder, and its report anew.")
    ] = None,
    tried: Annotated[
        Path | None,
        typer.Option("--try", metavar="FILE", help="Compare the plugin in FILE with the stock ones of its kind."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it would take.")] = False,
    workers: Workers = None,
    plugins: Plugins = None,
    no_plugins: NoPlugins = False,
    trust_model: TrustModel = False,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Compare the variants of a study, or try a plugin.

    It ends in a report with honest statistics.
    """
    from fooldeap.study import comparison
    from fooldeap.study.forecast import forecast
    from fooldeap.study.plan import StudyFolder
    from fooldeap.trust import trusting

    words = list(overrides or ())
    if study is not None and "=" in study.name and not study.exists():  # with --resume or --try there need be no file
        words, study = [str(study), *words], None
    options: dict[str, Any] = {
        "out": out,
        "resume": resume,
        "plugin_file": tried,
        "plugins": plugins or (),
        "workers": count(workers),
    }
    with interruptible():
        if dry_run:
            with trusting(model=trust_model, no_plugins=no_plugins):
                loaded = comparison.load(study, *words, **options)
                folder = None if resume is None else StudyFolder.open(resume)
                say(f"{loaded.name}: {forecast(loaded, folder)}")
            return
        options |= {"trust_model": trust_model, "no_plugins": no_plugins, "force": force}
        done = comparison.compare(study, *words, **options, quiet=quiet)
    if not quiet:
        say(f"\n{done}\n\n{done.folder / 'report.md'}")
    if done.outcome.failed:
        raise RunError(f"{', '.join(done.outcome.failed)} failed; the others are in {done.folder}")
