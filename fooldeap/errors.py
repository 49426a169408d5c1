"""What can go wrong, sorted by whose fault it is, and the "did you mean" of every message."""

import difflib
from collections.abc import Iterable

LONGEST = 400  # characters of what somebody else's error says; all of it is in its traceback


class FooldeapError(Exception):
    """Every error that fooldeap raises on purpose. The message is one line, or one line per mistake."""

    exit_code = 1


class InputError(FooldeapError, ValueError):
    """What the user handed over is wrong: what, got, expected, cure. Nothing was started."""

    exit_code = 2


class RunError(FooldeapError, RuntimeError):
    """Something failed while running. What was evaluated until then is kept."""


class PluginError(RunError):
    """A plugin broke its contract while running; the message names the plugin."""


class OvertimeError(PluginError):
    """A call of a plugin took longer than it may."""


class FileError(RunError):
    """A file could not be written or read; the message names the file, the reason and the cure."""


class Interrupted(FooldeapError):
    """Ctrl-C, on the command line. From Python it is a KeyboardInterrupt, as ever."""

    exit_code = 130


class FooldeapWarning(UserWarning):
    """Something that the user should know, and that does not stop the work."""


def raised_by(name: object, error: BaseException, where: str = "") -> PluginError:
    """Return an error of a plugin in one line."""
    text = " ".join(str(error).split())
    text = text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
    return PluginError(f"{name} raised {type(error).__name__}{where}: {text}")


class blaming:  # noqa: N801 - it is used as a statement
    """Makes every error within a ``with`` block one of the plugin of that name.

    Errors that are told to users already stay as they are. A plugin that exits is at fault as well: whoever runs it
    would take that for the end of the work. (A generator would not do: `contextlib` lets a StopIteration pass.)
    """

    def __init__(self, name: object, where: str = "") -> None:
        self._name, self._where = name, where

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception | SystemExit) and not isinstance(error, FooldeapError):
            raise raised_by(self._name, error, self._where) from error


def nearest(word: object, known: Iterable[str]) -> str | None:
    """Return the known word that is most like this one, None where none is."""
    near = difflib.get_close_matches(str(word), sorted(known), n=1, cutoff=0.55)
    return near[0] if near else None


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the nearest known word, or the list of them, or nothing."""
    names = sorted(known)
    near = nearest(word, names)
    if near:
        return f"; did you mean {near!r}?"
    return f"; known: {', '.join(names)}" if names else ""
