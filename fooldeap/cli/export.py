"""The command ``fooldeap export``."""

from pathlib import Path
from typing import Annotated

import typer

from fooldeap.cli.options import print_line
from fooldeap.errors import InputError


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
