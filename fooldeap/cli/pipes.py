"""Standard output and error when nobody reads them any longer: ``fooldeap run configs/mnist.yaml | head -2``."""

import contextlib
import io
import os
import stat
import sys
from pathlib import Path
from typing import Any, TextIO


def outlive_readers() -> None:
    """Drop from now on what the reader of a pipe no longer takes, so that what was begun comes to its end."""
    sys.stdout, sys.stderr = _outliving(sys.stdout), _outliving(sys.stderr)


class _Pipe(io.FileIO):
    """A pipe that leads to nowhere once its reader is gone."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            with Path(os.devnull).open("wb") as nowhere:
                os.dup2(nowhere.fileno(), self.fileno())  # for libraries in C, and processes started later, as well
            return super().write(data)


def _outliving(stream: TextIO) -> TextIO:
    with contextlib.suppress(AttributeError, OSError, ValueError):  # closed, or not a file: somebody else's then
        if stat.S_ISFIFO(os.fstat(stream.fileno()).st_mode):
            stream.flush()
            return io.TextIOWrapper(
                io.BufferedWriter(_Pipe(stream.fileno(), "wb", closefd=False)),
                encoding=stream.encoding,
                errors=stream.errors,
                line_buffering=stream is sys.stderr,
            )
    return stream
