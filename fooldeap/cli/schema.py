"""The command ``fooldeap schema``."""

from typing import Annotated

import typer

from fooldeap.cli.options import Plugins


def schema(
    study: Annotated[bool, typer.Option("--study", help="Print the schema of study files.")] = False,
    training: Annotated[bool, typer.Option("--training", help="Print the schema of training files.")] = False,
    retraining: Annotated[bool, typer.Option("--retraining", help="Print the schema of retraining files.")] = False,
    plugins: Plugins = None,
) -> None:
    """Print the JSON Schema of the YAML files, for your editor.

    Without an option, it prints the schema of experiment files.
    """
    from fooldeap import registry
    from fooldeap.help import schema as schemas

    known = registry.load(plugins or ())
    content = schemas.experiment(known)
    if training:
        content = schemas.training(known)
    elif study:
        content = schemas.study(known)
    elif retraining:
        content = schemas.retraining(known)
    print(schemas.text(content), end="")
