"""The command ``fooldeap train``."""

from pathlib import Path
from typing import Annotated

import typer

from fooldeap.cli.options import NoPlugins, Overrides, Plugins, Quiet, print_line
from fooldeap.errors import Interrupted


def train(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="The classifier, a YAML file.")],
    overrides: Overrides = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The model file to write; default: <name>.keras.")
    ] = None,
    plugins: Plugins = None,
    no_plugins: NoPlugins = False,
    quiet: Quiet = False,
) -> None:
    """Train the classifier that a YAML file describes."""
    from fooldeap.training.train import train as train_classifier

    try:
        trained = train_classifier(
            config, overrides or (), out, progress=not quiet, plugins=plugins or (), no_plugins=no_plugins
        )
    except KeyboardInterrupt:
        raise Interrupted("interrupted; the same command continues after the last finished epoch") from None
    if trained is None and not quiet:
        print_line(f"{out or config}: is already trained; nothing was changed")
    elif trained is not None and not quiet:
        print_line(f"{trained.model}: test accuracy {trained.test_accuracy:.4f}; model card: {trained.card}")
