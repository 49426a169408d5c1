"""Error types by cause, and the "did you mean" hint of messages."""

import contextlib
import difflib
from collections.abc import Iterable, Iterator

from fooldeap.terminal_text import printable

LONGEST = 400  # characters of another library's error message; the traceback has the full message


class FooldeapError(Exception):
    """Base class of all errors that fooldeap raises. The message has one line, or one line for each mistake.

    It may contain words from files of others, so control characters are escaped.
    """

    exit_code = 1

    def __str__(self) -> str:
        return printable(super().__str__())


class InputError(FooldeapError, ValueError):
    """The user's input is wrong. The message says what, got, expected and cure. No work was started."""

    exit_code = 2


class RunError(FooldeapError, RuntimeError):
    """A failure during a run. All evaluations so far are kept."""


class PluginError(RunError):
    """A plugin broke its contract during a run. The message names the plugin."""


class OvertimeError(PluginError):
    """A call of a plugin exceeded its time limit."""


class FileError(RunError):
    """A file could not be written or read. The message names the file, the reason and the cure."""


class Interrupted(FooldeapError):
    """Ctrl-C on the command line. Python code gets a KeyboardInterrupt instead."""

    exit_code = 130


class FooldeapWarning(UserWarning):
    """A problem that the user should know, and that does not stop the work."""


def raised_by(name: object, error: BaseException, where: str = "") -> PluginError:
    """Return a plugin's error as a `PluginError` with one line."""
    text = " ".join(str(error).split())
    text = text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
    return PluginError(f"{name} raised {type(error).__name__}{where}" + (f": {text}" if text else ""))


class blaming:  # noqa: N801 - it is used as a statement
    """A context manager that attributes every error in its block to a plugin.

    Errors of fooldeap are unchanged. SystemExit is also attributed to the plugin, because it would end the work
    silently. (A generator with `contextlib` would not work: it passes on a StopIteration.)
    """

    def __init__(self, name: object, where: str = "") -> None:
        self._name, self._where = name, where

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception | SystemExit) and not isinstance(error, FooldeapError):
            raise raised_by(self._name, error, self._where) from error


@contextlib.contextmanager
def blaming_damage(path: object, cure: str = "restore it from a copy") -> Iterator[None]:
    """Attribute every error in the block to a damaged file or folder. Files of others can cause any error.

    Raises
    ------
    InputError
        Instead of any error that is not one of fooldeap.
    """
    try:
        yield
    except FooldeapError:
        raise
    except Exception as error:
        text = " ".join(str(error).split())[:LONGEST]
        raise InputError(f"{path}: is damaged ({type(error).__name__}: {text}); {cure}") from error


def nearest(word: object, known: Iterable[str]) -> str | None:
    """Return the most similar known word, or None if none is similar."""
    near = difflib.get_close_matches(str(word), sorted(known), n=1, cutoff=0.55)
    return near[0] if near else None


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the nearest known word, or a list of all known words, or an empty string."""
    names = sorted(known)
    near = nearest(word, names)
    if near:
        return f"; did you mean {near!r}?"
    return f"; known: {', '.join(names)}" if names else ""
