"""``fooldeap export``."""

from pathlib import Path
from typing import Annotated

import typer

from fooldeap.cli.options import say
from fooldeap.errors import InputError


def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a finished run, study or audit.")],
    npz: Annotated[Path | None, typer.Option("--npz", metavar="FILE", help="A NumPy archive to write.")] = None,
    png: Annotated[
        Path | None, typer.Option("--png", metavar="DIR", help="A folder to write, with one below it for each class.")
    ] = None,
) -> None:
    """Export the evolved images as a labelled dataset."""
    if npz is None and png is None:
        raise InputError("name what to write: --npz FILE, a NumPy archive, or --png DIR, a folder of images")
    if npz is not None and npz.suffix != ".npz":
        raise InputError(f"--npz: got {str(npz)!r}, expected a name that ends in .npz")
    from fooldeap.finished.export import export as write
    from fooldeap.numerals import counted

    images = counted(len(write(folder, npz, png).evolved), "image")
    if npz is not None:
        say(f"{npz}: {images} with labels and provenance")
    if png is not None:
        say(f"{png}: {images}, metadata.csv and provenance.json")
