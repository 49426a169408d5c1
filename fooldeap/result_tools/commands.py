"""The commands ``fooldeap export``, ``fooldeap report`` and ``fooldeap verify``."""

from pathlib import Path
from typing import Annotated

import typer

from fooldeap.cli.options import NoPlugins, Plugins, TrustModel, Workers, parse_workers, print_line
from fooldeap.errors import InputError, RunError


def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a finished run, study or audit.")],
    npz: Annotated[Path | None, typer.Option("--npz", metavar="FILE", help="The NumPy archive to write.")] = None,
    png: Annotated[
        Path | None,
        typer.Option("--png", metavar="DIR", help="The folder to write, with one subfolder per class."),
    ] = None,
) -> None:
    """Export the evolved images as a labelled dataset."""
    if npz is None and png is None:
        raise InputError("no output given; use --npz FILE for a NumPy archive, or --png DIR for a folder of images")
    if npz is not None and npz.suffix != ".npz":
        raise InputError(f"--npz: got {str(npz)!r}, expected a file name that ends in .npz")
    from fooldeap.formatting import counted
    from fooldeap.result_tools.export import export as write

    images = counted(len(write(folder, npz, png).evolved), "image")
    if npz is not None:
        print_line(f"{npz}: {images} with labels and provenance")
    if png is not None:
        print_line(f"{png}: {images}, metadata.csv and provenance.json")


def report(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="The folder of a finished run, study, retraining, audit or tuning.")
    ],
    show: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
) -> None:
    """Write the page of a folder, report.html, again."""
    from fooldeap.result_tools.pages import make

    page = make(folder)
    print_line(str(page))
    if show:
        import webbrowser

        if not webbrowser.open(page.resolve().as_uri()):
            print_line("no browser was found; open the file yourself")


def verify(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="The folder of a finished run, study, retraining, audit or tuning.")
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
