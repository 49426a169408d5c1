"""What can go wrong, sorted by whose fault it is, and the "did you mean" of every message."""

import difflib
from collections.abc import Iterable


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


class FileError(RunError):
    """A file could not be written or read; the message names the file, the reason and the cure."""


class Interrupted(FooldeapError):
    """Ctrl-C, on the command line. From Python it is a KeyboardInterrupt, as ever."""

    exit_code = 130


class FooldeapWarning(UserWarning):
    """Something that the user should know, and that does not stop the work."""


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the nearest known word, or the list of them, or nothing."""
    names = sorted(known)
    near = difflib.get_close_matches(str(word), names, n=1, cutoff=0.55)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; known: {', '.join(names)}" if names else ""
