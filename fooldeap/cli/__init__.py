"""The command line. Each command has its own module.

Exit codes: 0 success, 1 failure while running, 2 invalid input, 130 interrupted.
"""

import errno
import os
import sys
import warnings
from typing import Annotated, Any

import typer

from fooldeap import __version__, terminal_text
from fooldeap.cli import plugins
from fooldeap.cli.audit import audit
from fooldeap.cli.compare import compare
from fooldeap.cli.doctor import doctor
from fooldeap.cli.export import export
from fooldeap.cli.init import init
from fooldeap.cli.options import scoop_runs
from fooldeap.cli.pipes import ignore_closed_pipes
from fooldeap.cli.report import report
from fooldeap.cli.retrain import retrain
from fooldeap.cli.run import run
from fooldeap.cli.schema import schema
from fooldeap.cli.train import train
from fooldeap.cli.verify import verify
from fooldeap.engine import timeout
from fooldeap.errors import FooldeapError, FooldeapWarning, InputError, Interrupted, RunError

app = typer.Typer(
    name="fooldeap",
    help="Evolve images that fool an image classifier: a person sees noise, a network is certain to see a '3'.",
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
# The help lists the commands in this order.
COMMANDS = (run, compare, retrain, report, audit, train, schema, verify, export, init, doctor)
for command in COMMANDS:
    app.command()(command)
app.add_typer(plugins.app, name="plugins")

# Some versions of Typer contain their own copy of click, others use the installed one. This is the class in both cases.
ClickException: Any = typer.BadParameter.__mro__[2]


def _print_version(requested: bool) -> None:
    if requested:
        print(f"fooldeap {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    _print_help(context)


@plugins.app.callback()
def _print_help(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit."""
    ignore_closed_pipes()
    warnings.showwarning = _show_warning  # type: ignore[assignment]
    timeout.last_resort = _exit_at_once
    try:
        code = app(arguments, standalone_mode=False) or 0
        if code == Interrupted.exit_code:  # some versions of Typer return this code and print nothing
            raise Interrupted("interrupted")
    except FooldeapError as error:
        code = _fail(str(error), error.exit_code)
    except ClickException as error:
        code = _fail(error.format_message(), error.exit_code)
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        code = _fail(f"{error.filename}: the file name is too long", InputError.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        code = _fail("interrupted", Interrupted.exit_code)
    if code or not scoop_runs():  # under SCOOP's launcher, the root process must return instead of exiting
        sys.exit(code)


def _fail(message: str, code: int) -> int:
    terminal_text.tell(message)
    return code


def _exit_at_once(message: str) -> None:
    os._exit(_fail(f"{message}; you can resume the folder of the run", RunError.exit_code))


def _show_warning(message: Warning | str, category: type[Warning], *place: Any) -> None:
    # fooldeap's own warnings are for the user. Warnings of libraries are for developers and are not shown.
    if issubclass(category, FooldeapWarning):
        terminal_text.tell(f"warning: {message}")
