"""``fooldeap schema``."""

from typing import Annotated

import typer

from fooldeap.cli.options import Plugins


def schema(
    study: Annotated[bool, typer.Option("--study", help="Of a study file, not an experiment's.")] = False,
    training: Annotated[bool, typer.Option("--training", help="Of a training file, not an experiment's.")] = False,
    retraining: Annotated[bool, typer.Option("--retraining", help="Of a retraining file.")] = False,
    plugins: Plugins = None,
) -> None:
    """Print the JSON Schema of the YAML files, for your editor."""
    from fooldeap import registry
    from fooldeap.guidance import schema as schemas

    known = registry.load(plugins or ())
    wanted = schemas.experiment(known)
    if training:
        wanted = schemas.training(known)
    elif study:
        wanted = schemas.study(known)
    elif retraining:
        wanted = schemas.retraining(known)
    print(schemas.text(wanted), end="")
