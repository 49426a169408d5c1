"""The log, and what fronts there are, as tables."""

import contextlib
import csv
import io
import time
from collections.abc import Iterable, Iterator

import numpy as np

from fooldeap.errors import FileError
from fooldeap.plugin import LogRow, Predictions, Reporter, Result, RunInfo, RunResult, Session, dataclass, reporter
from fooldeap.storage.files import Appended

FLUSH_SECONDS = 1.0
_FRONT = ("seed", "target", "evaluations", "predicted", "confidence")


@reporter("csv")
@dataclass
class Csv(Reporter):
    """Write ``log.csv``, a row a run, target and generation: as it comes while it runs, sorted at the end.

    Of a fitness of several objectives also ``front.csv``: a row an image that no other is better than in all of them.
    """

    def on_start(self, session: Session) -> None:
        """Open the file; of a resumed run it is written again from the journal."""
        self._folder = session.folder
        self._rows: list[LogRow] = []
        self._flushed = 0.0
        self._file = Appended(session.folder.path / "log.csv", anew=True) if session.folder else None
        self._waiting: list[tuple[object, ...]] = []
        self._write(LogRow._fields)

    def on_generation(self, run: RunInfo, row: LogRow) -> None:
        """Append a row."""
        self._rows.append(row)
        self._write(row)

    def on_finish(self, result: Result) -> None:
        """Put the rows in the order of seed, target and generation, whatever the order of their evaluation."""
        self._close()
        if self._folder is not None:
            self._folder.write("log.csv", _text([LogRow._fields, *sorted(self._rows)]))
        if self._folder is not None and result.objectives:
            front = (row for run in result for row in _front(run))
            self._folder.write("front.csv", _text([(*_FRONT, *result.objectives), *front]))

    def on_abort(self) -> None:
        """Write what is known, if that can be, and close the file."""
        with contextlib.suppress(FileError):  # what made the run end is the thing to tell
            self._flush()
        with contextlib.suppress(FileError):
            self._close()

    def _write(self, row: tuple[object, ...]) -> None:
        if self._file is not None:
            self._waiting.append(row)
            if time.monotonic() - self._flushed > FLUSH_SECONDS:
                self._flush()

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        if self._file is not None:
            self._file.append(_text(waiting).encode())
        self._flushed = time.monotonic()

    def _close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()


def _front(run: RunResult) -> Iterator[tuple[object, ...]]:
    """Yield the images on the front of a run as rows of ``front.csv``."""
    for each in run.front:
        (seen,) = Predictions(each.logits[None], each.image[None]).probabilities
        yield run.seed, run.target, each.evaluations, int(np.argmax(seen)), float(seen[run.target]), *each.objectives


def _text(rows: Iterable[tuple[object, ...]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
