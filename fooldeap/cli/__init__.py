"""The command line. Commands are entry points of the group ``fooldeap.commands``, see `fooldeap.extensions`.

Exit codes: 0 success, 1 failure while running, 2 invalid input, 130 interrupted.
"""

import errno
import os
import sys
import warnings
from typing import Annotated, Any

import typer

from fooldeap import __version__, extensions, lazy_tensorflow, terminal_text
from fooldeap.cli.pipes import ignore_closed_pipes
from fooldeap.engine import timeout
from fooldeap.errors import FooldeapError, FooldeapWarning, InputError, Interrupted, RunError

# Some versions of Typer contain their own copy of click, others use the installed one. This is the class in both cases.
ClickException: Any = typer.BadParameter.__mro__[2]


def _print_version(requested: bool) -> None:
    if requested:
        print(f"fooldeap {__version__}")
        raise typer.Exit


def _main(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())


def application() -> typer.Typer:
    """Return the application with the commands of all installed packages."""
    app = typer.Typer(
        name="fooldeap",
        help="Evolve images that fool an image classifier: a person sees noise, a network is certain to see a '3'.",
        callback=_main,
        invoke_without_command=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for name, command in extensions.load("fooldeap.commands"):
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name)(command)
    return app


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit."""
    ignore_closed_pipes()
    warnings.showwarning = _show_warning  # type: ignore[assignment]
    timeout.last_resort = _exit_at_once
    lazy_tensorflow.import_keras_without("pandas", "matplotlib")
    try:
        code = application()(arguments, standalone_mode=False) or 0
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
