"""``fooldeap audit``."""

from pathlib import Path
from typing import Annotated

import typer

from fooldeap.cli.options import Force, NoPlugins, Out, Plugins, Quiet, TrustModel, interruptible, say, whole
from fooldeap.errors import InputError


def audit(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="MODEL",
            help="A shipped model, a .keras, .onnx, .pt or .pt2 file, module:function, or a YAML file.",
        ),
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Argument(metavar="KEY=VALUE", help="Keys of the classifier: classifier.input_range=[0,1]; or seed=2."),
    ] = None,
    images: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="Real images to compare with: a folder, an .npz file, or a dataset's name."),
    ] = None,
    budget: Annotated[str | None, typer.Option(metavar="N", help="Images a class and attack, as 5000 or 1e6.")] = None,
    classes: Annotated[str | None, typer.Option(metavar="LIST", help="Classes to attack, as 0-3,7.")] = None,
    out: Out = None,
    resume: Annotated[Path | None, typer.Option(metavar="DIR", help="Go on with the audit in this folder.")] = None,
    plugins: Plugins = None,
    no_plugins: NoPlugins = False,
    trust_model: TrustModel = False,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Attack a classifier of yours in several ways.

    And see on one page what it took, and whether a threshold would have told.
    """
    from fooldeap.audit.session import AuditFolder
    from fooldeap.audit.session import audit as carry_out
    from fooldeap.audit.settings import numbers_in

    if resume is None and model is None:
        raise InputError("name the model: fooldeap audit mnist_cnn")
    if resume is not None and any(each is not None for each in (model, images, budget, classes, out)):
        raise InputError("--resume DIR goes alone: the folder holds its settings")
    if force and resume is None:
        raise InputError("--force: got no --resume DIR, which it is for; leave it out")
    finished = resume is not None and AuditFolder(resume).finished
    with interruptible():
        folder = carry_out(
            model,
            *(overrides or ()),
            images=images,
            budget=None if budget is None else whole("--budget", budget),
            classes=None if classes is None else numbers_in(classes),
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
        see = f"see {page}" if page.is_file() else f"its page is made anew by: fooldeap report {folder}"
        say(f"{folder}: is finished already; {see}")
    elif not quiet:
        say(f"\n{page}")
