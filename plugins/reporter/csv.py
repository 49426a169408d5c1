"""The log as a CSV file that grows during the experiment."""

import contextlib
import time

from fooldeap.errors import FileError
from fooldeap.formatting import as_csv
from fooldeap.plugin import KW_ONLY, ExperimentInfo, LogRow, Reporter, Result, RunInfo, dataclass, reporter
from fooldeap.results import OutputFolder
from fooldeap.storage.files import Appended

FLUSH_SECONDS = 1.0


@reporter("csv")
@dataclass
class Csv(Reporter):
    """Write ``log.csv`` while the experiment runs.

    Without this reporter, the file is written at the end only. Its columns are the fields of `fooldeap.results.LogRow`,
    and the statistics of the experiment.
    The log of a large experiment, such as one with 1000 targets, is in ``log.npz`` instead. With ``large: true``,
    ``log.csv`` is also written, at the end.
    """

    _: KW_ONLY
    large: bool = False

    def on_start(self, session: ExperimentInfo) -> None:
        """Create the file. A resumed run writes it again from its journal."""
        self._flushed = 0.0
        self._folder = session.folder if session.large and self.large else None
        self._file = None if session.folder is None or session.large else _open(session.folder)
        self._waiting: list[tuple[object, ...]] = []
        self._names = LogRow.names(session.statistics)
        self._write(self._names)

    def on_generation(self, run: RunInfo, row: LogRow) -> None:
        """Append a row."""
        self._write(row.cells())

    def on_finish(self, result: Result) -> None:
        """Close the file. Write that of a large experiment, in the order of seeds and targets."""
        if self._folder is not None:
            self._file = _open(self._folder)
            self._write(self._names)
            for run in result:
                for row in run.log:
                    self._write(row.cells())
            self._flush()
        self._close()

    def on_abort(self) -> None:
        """Write the remaining rows, if possible, and close the file."""
        with contextlib.suppress(FileError):  # the error that ended the run is more important
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
            self._file.append(as_csv(waiting).encode())
        self._flushed = time.monotonic()

    def _close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()


def _open(folder: OutputFolder) -> Appended:
    return Appended(folder.path / "log.csv", anew=True)
