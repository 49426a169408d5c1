"""``fooldeap verify``."""

from pathlib import Path
from typing import Annotated

import typer

from fooldeap.cli.options import NoPlugins, Plugins, TrustModel, Workers, count, say
from fooldeap.errors import InputError, RunError


def verify(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="The folder of a finished run, study, retraining or audit.")
    ],
    sample: Annotated[
        int | None,
        typer.Option(metavar="K", help="Only K batches of a run, or K runs of a study; default: everything."),
    ] = None,
    workers: Workers = None,
    plugins: Plugins = None,
    no_plugins: NoPlugins = False,
    trust_model: TrustModel = False,
) -> None:
    """Replay what is finished, and compare every bit."""
    from fooldeap.finished.verify import verify as verdict_on
    from fooldeap.trust import trusting

    if sample is not None and sample < 1:
        raise InputError(f"--sample: got {sample}, expected a number of at least 1")
    with trusting(model=trust_model, no_plugins=no_plugins):
        verdict = verdict_on(folder, sample=sample, workers=count(workers), plugins=plugins or ())
    if not verdict.reproduced:
        raise RunError(str(verdict))
    say(str(verdict))
