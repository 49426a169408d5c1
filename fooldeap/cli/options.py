"""The options and helpers that several commands share."""

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from fooldeap import terminal_text
from fooldeap.errors import InputError, Interrupted

Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="KEY=VALUE", help="Override keys: seed=2 mutation.rate=0.02"),
]
Seed = Annotated[
    int | None,
    typer.Option(metavar="N", help="The seed, from which all random numbers follow; the same as the override seed=N."),
]
Plugins = Annotated[
    list[Path] | None,
    typer.Option("--plugins", metavar="PATH", help="A plugin file or a folder of plugins; may be given several times."),
]
Workers = Annotated[
    str | None,
    typer.Option(
        metavar="N",
        help="The number of processes that evaluate images; auto: one per core. Or another executor: NAME, "
        "NAME:NUMBER or NAME://HOST:PORT, such as dask://host:8786. Default: as in the file.",
    ),
]
Force = Annotated[
    bool,
    typer.Option(
        "--force",
        help="Resume although packages, plugins, the classifier or the configuration have changed; the result lists "
        "the changes.",
    ),
]
TrustModel = Annotated[
    bool,
    typer.Option("--trust-model", help="Run code that the model file contains or names; use it only if you trust it."),
]
NoPlugins = Annotated[bool, typer.Option("--no-plugins", help="Refuse a file that names plugins, or commands to run.")]
Out = Annotated[Path | None, typer.Option(metavar="DIR", help="The folder to write; default: runs/<name>/<number>.")]
Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="Show only errors, warnings, and the plugins that a file makes fooldeap run."),
]

MOST = 1e12  # the largest accepted number; below it, a float represents every whole number exactly


def with_seed(overrides: Iterable[str] | None, seed: int | None) -> list[str]:
    """Return the overrides with that of ``--seed``; raise `InputError` if they set the seed, too."""
    words = list(overrides or ())
    if seed is None:
        return words
    if again := next((word for word in words if word.startswith("seed=")), None):
        raise InputError(f"--seed: got {again!r} too, expected one of them; leave one out")
    return [*words, f"seed={seed}"]


def parse_workers(workers: str | None) -> str | None:
    """Return the value of ``--workers``; raise `InputError` if it is invalid.

    If a launcher of an executor has started this process, the default is this executor.
    """
    from fooldeap import registry
    from fooldeap.configuration import config

    if workers is None:
        executors = registry.load().all("executor")
        return next((each.name for each in executors if getattr(each.target, "is_launched", bool)()), None)
    try:
        config.executor_for(workers)
    except InputError as error:
        raise InputError(f"--{error}") from None
    return workers


def parse_whole_number(option: str, text: str) -> int:
    """Return the whole number in ``text``, such as ``5000`` or ``1e6``; raise `InputError` if there is none."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not (1 <= number <= MOST and number.is_integer()):
        raise InputError(
            f"{option}: got {text[:60]!r}, expected a whole number from 1 to {MOST:g}, such as 5000 or 1e6"
        )
    return int(number)


def print_line(text: str) -> None:
    """Print text that may contain words from outside; control characters are escaped."""
    print(terminal_text.printable(text))


@contextlib.contextmanager
def handle_interrupt() -> Iterator[None]:
    """Turn Ctrl-C into an `Interrupted` error; its message says how to resume, if the interrupt has a message."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        raise Interrupted(str(interrupt) or "interrupted") from None
