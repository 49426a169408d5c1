"""What the commands share: options that mean the same everywhere, and how they end."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import typer

from fooldeap import lines
from fooldeap.errors import InputError, Interrupted

Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="KEY=VALUE", help="Override keys: seed=2 mutation.rate=0.02"),
]
Plugins = Annotated[
    list[Path] | None,
    typer.Option("--plugins", metavar="PATH", help="A file or folder with plugins; may be given several times."),
]
Workers = Annotated[
    str | None,
    typer.Option(metavar="N", help="Processes that evaluate, by SCOOP; auto: one a core. Default: as in the file."),
]
Force = Annotated[
    bool,
    typer.Option("--force", help="Resume although packages, plugins or the file changed; the result says so."),
]
TrustModel = Annotated[
    bool, typer.Option("--trust-model", help="Run code that the model's file holds or names: only if you trust it.")
]
NoPlugins = Annotated[bool, typer.Option("--no-plugins", help="Refuse a file that names plugins or commands to run.")]
Out = Annotated[Path | None, typer.Option(metavar="DIR", help="The folder to write; default: runs/<name>/<number>.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show nothing but errors.")]

MOST = 1e12  # of what is counted: below it every whole number is a float


def count(workers: str | None) -> int | Literal["auto"] | None:
    """Return the number that ``--workers`` gives."""
    if workers is None and scoop_runs():
        return "auto"  # SCOOP's launcher has started them
    if workers is None or workers == "auto":
        return workers  # type: ignore[return-value]
    if not workers.isdecimal() or int(workers) < 1:
        raise InputError(f"--workers: got {workers!r}, expected a number of at least 1, or auto")
    return int(workers)


def whole(option: str, text: str) -> int:
    """Return the number that an option gives, a whole one: ``5000``, or ``1e6``."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not (1 <= number <= MOST and number.is_integer()):
        raise InputError(f"{option}: got {text[:60]!r}, expected a whole number from 1 to {MOST:g}, as 5000 or 1e6")
    return int(number)


def scoop_runs() -> bool:
    """Tell whether SCOOP's own launcher started this process: ``python -m scoop -n 4 "$(which fooldeap)" run ...``."""
    scoop = sys.modules.get("scoop")
    return scoop is not None and scoop.IS_RUNNING and scoop.MAIN_MODULE != "fooldeap"  # which is what our pool says


def say(text: str) -> None:
    """Print what may hold text from outside."""
    print(lines.printable(text))


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Make of Ctrl-C an error with a message, which says what can be gone on with."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        raise Interrupted(str(interrupt) or "interrupted") from None
