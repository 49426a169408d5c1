"""The command ``fooldeap verify``."""

from pathlib import Path
from typing import Annotated

import typer

from fooldeap.cli.options import NoPlugins, Plugins, TrustModel, Workers, parse_workers, print_line
from fooldeap.errors import InputError, RunError


def verify(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="The folder of a finished run, study, retraining or audit.")
    ],
    sample: Annotated[
        int | None,
        typer.Option(metavar="K", help="Check only K batches of a run, or K runs of a study; default: everything."),
    ] = None,
    workers: Workers = None,
    plugins: Plugins = None,
    no_plugins: NoPlugins = False,
    trust_model: TrustModel = False,
) -> None:
    """Repeat a finished run and compare the results, bit for bit."""
    from fooldeap.result_tools.verify import verify as verify_folder

    if sample is not None and sample < 1:
        raise InputError(f"--sample: got {sample}, expected a whole number of at least 1")
    verification = verify_folder(
        folder,
        sample=sample,
        workers=parse_workers(workers),
        plugins=plugins or (),
        trust_model=trust_model,
        no_plugins=no_plugins,
    )
    if not verification.reproduced:
        raise RunError(str(verification))
    print_line(str(verification))
