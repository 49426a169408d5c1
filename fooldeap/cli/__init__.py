"""The command line, a module a command. Exit codes: 0 done, 1 failed while running, 2 wrong input, 130 interrupted."""

import errno
import os
import sys
import warnings
from typing import Annotated, Any

import typer

from fooldeap import __version__, lines
from fooldeap.cli import plugins
from fooldeap.cli.audit import audit
from fooldeap.cli.compare import compare
from fooldeap.cli.doctor import doctor
from fooldeap.cli.export import export
from fooldeap.cli.init import init
from fooldeap.cli.options import scoop_runs
from fooldeap.cli.pipes import outlive_readers
from fooldeap.cli.report import report
from fooldeap.cli.retrain import retrain
from fooldeap.cli.run import run
from fooldeap.cli.schema import schema
from fooldeap.cli.train import train
from fooldeap.cli.verify import verify
from fooldeap.engine import guard
from fooldeap.errors import FooldeapError, FooldeapWarning, InputError, Interrupted, RunError

app = typer.Typer(
    name="fooldeap",
    help="Evolve images that fool an image classifier: noise to a person, a certain '3' to a network.",
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
COMMANDS = (
    run,
    compare,
    retrain,
    report,
    audit,
    train,
    schema,
    verify,
    export,
    init,
    doctor,
)  # in the order of the help
for command in COMMANDS:
    app.command()(command)
app.add_typer(plugins.app, name="plugins")

# Typer brings a click of its own in some versions, and uses an installed one in others: this is its class in both.
ClickException: Any = typer.BadParameter.__mro__[2]


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"fooldeap {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    _help(context)


@plugins.app.callback()
def _help(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit."""
    outlive_readers()
    warnings.showwarning = _show_warning  # type: ignore[assignment]
    guard.last_resort = _end_at_once
    try:
        code = app(arguments, standalone_mode=False) or 0
        if code == Interrupted.exit_code:  # which some versions of Typer return without a word
            raise Interrupted("interrupted")
    except FooldeapError as error:
        code = _fail(str(error), error.exit_code)
    except ClickException as error:
        code = _fail(error.format_message(), error.exit_code)
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        code = _fail(f"{error.filename}: is too long for the name of a file", InputError.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        code = _fail("interrupted", Interrupted.exit_code)
    if code or not scoop_runs():  # whose root must not exit, but return
        sys.exit(code)


def _fail(message: str, code: int) -> int:
    lines.tell(message)
    return code


def _end_at_once(message: str) -> None:
    os._exit(_fail(f"{message}; a folder that it was run in can be resumed", RunError.exit_code))


def _show_warning(message: Warning | str, category: type[Warning], *place: Any) -> None:
    # A warning of ours is for the user; one of a library is for its developers.
    if issubclass(category, FooldeapWarning):
        lines.tell(f"warning: {message}")
