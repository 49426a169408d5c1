"""The log as a table."""

import csv
import io
import time

from fooldeap.plugin import LogRow, Reporter, Result, RunInfo, Session, dataclass, reporter

FLUSH_SECONDS = 1.0


@reporter("csv")
@dataclass
class Csv(Reporter):
    """Write ``log.csv``, a row a run, target and generation: as it comes while it runs, sorted at the end."""

    def on_start(self, session: Session) -> None:
        """Open the file; of a resumed run it is written again from the journal."""
        self._folder = session.folder
        self._rows: list[LogRow] = []
        self._flushed = 0.0
        self._file = (session.folder.path / "log.csv").open("w", newline="") if session.folder else None
        self._writer = csv.writer(self._file, lineterminator="\n") if self._file else None
        self._write(LogRow._fields)

    def on_generation(self, run: RunInfo, row: LogRow) -> None:
        """Append a row."""
        self._rows.append(row)
        self._write(row)

    def on_finish(self, result: Result) -> None:
        """Put the rows in the order of seed, target and generation, whatever the order of their evaluation."""
        self.on_abort()
        if self._folder is not None:
            text = io.StringIO(newline="")
            csv.writer(text, lineterminator="\n").writerows([LogRow._fields, *sorted(self._rows)])
            self._folder.write("log.csv", text.getvalue())

    def on_abort(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
        self._file = self._writer = None

    def _write(self, row: tuple[object, ...]) -> None:
        if self._file is not None and self._writer is not None:
            self._writer.writerow(row)
            if time.monotonic() - self._flushed > FLUSH_SECONDS:
                self._file.flush()
                self._flushed = time.monotonic()
