"""The command ``fooldeap audit``."""

from pathlib import Path
from typing import Annotated

import typer

from fooldeap.cli.options import (
    Force,
    NoPlugins,
    Out,
    Plugins,
    Quiet,
    Seed,
    TrustModel,
    handle_interrupt,
    parse_whole_number,
    print_line,
    with_seed,
)
from fooldeap.errors import InputError


def audit(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="MODEL",
            help="A shipped model, a .keras, .h5, .onnx, .pt, .pth or .pt2 file, module:function, or a YAML file.",
        ),
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Argument(metavar="KEY=VALUE", help="Override keys: classifier.input_range=[0,1] seed=2"),
    ] = None,
    images: Annotated[
        str | None,
        typer.Option(
            metavar="PATH", help="Real images to compare with: a folder, an .npz file, or the name of a dataset."
        ),
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(metavar="N", help="Evaluations for each class and attack, for example 5000 or 1e6."),
    ] = None,
    classes: Annotated[
        str | None, typer.Option(metavar="LIST", help="The classes to attack, for example 0-3,7 or happy.")
    ] = None,
    seed: Seed = None,
    out: Out = None,
    resume: Annotated[Path | None, typer.Option(metavar="DIR", help="Continue the audit in this folder.")] = None,
    plugins: Plugins = None,
    no_plugins: NoPlugins = False,
    trust_model: TrustModel = False,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Attack your classifier in several ways.

    The report shows how many evaluations each attack needed, and whether a threshold on a score detects the images.
    """
    from fooldeap.audit.session import AuditFolder
    from fooldeap.audit.session import audit as run_audit
    from fooldeap.audit.settings import classes_in
    from fooldeap.report import terminal
    from fooldeap.report.model import Report

    if resume is None and model is None:
        raise InputError("name the model: fooldeap audit mnist_cnn")
    if resume is not None and any(each is not None for each in (model, images, budget, classes, seed, out)):
        raise InputError(
            "--resume cannot be combined with MODEL, --images, --budget, --classes, --seed or --out; "
            "the folder contains the settings of the audit"
        )
    if force and resume is None:
        raise InputError("--force works only together with --resume DIR; leave it out")
    finished = resume is not None and AuditFolder(resume).finished
    with handle_interrupt():
        folder = run_audit(
            model,
            *with_seed(overrides, seed),
            images=images,
            budget=None if budget is None else parse_whole_number("--budget", budget),
            classes=None if classes is None else classes_in(classes),
            out=out,
            resume=resume,
            plugins=plugins or (),
            quiet=quiet,
            trust_model=trust_model,
            no_plugins=no_plugins,
            force=force,
        )
    page = folder / "report.html"
    if finished:
        hint = f"see {page}" if page.is_file() else f"to write its page again: fooldeap report {folder}"
        print_line(f"{folder}: is already finished; {hint}")
    elif not quiet:
        print_line(f"\n{terminal.render(Report.read(folder))}\n\n{page}")
