"""Keep running after the reader of the output has exited, as in ``fooldeap run configs/mnist.yaml | head -2``."""

import contextlib
import io
import os
import stat
import sys
from pathlib import Path
from typing import Any, TextIO


def ignore_closed_pipes() -> None:
    """Discard output to a pipe whose reader has exited, so that the command still finishes its work."""
    sys.stdout, sys.stderr = _wrap(sys.stdout), _wrap(sys.stderr)


class _Pipe(io.FileIO):
    """A pipe that is replaced by the null device as soon as its reader has exited."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            with Path(os.devnull).open("wb") as null:
                os.dup2(null.fileno(), self.fileno())  # on the descriptor: C libraries and child processes use it too
            return super().write(data)


def _wrap(stream: TextIO) -> TextIO:
    """Return a stream that ignores a closed pipe; a stream that is not a pipe is returned unchanged."""
    with contextlib.suppress(AttributeError, OSError, ValueError):  # closed, or replaced by something without a file
        if stat.S_ISFIFO(os.fstat(stream.fileno()).st_mode):
            stream.flush()
            return io.TextIOWrapper(
                io.BufferedWriter(_Pipe(stream.fileno(), "wb", closefd=False)),
                encoding=stream.encoding,
                errors=stream.errors,
                line_buffering=stream is sys.stderr,
            )
    return stream
