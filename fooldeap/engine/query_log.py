"""The query log, ``queries.csv``: the number of images shown to the classifier, recorded before each query.

Each row belongs to one session and one process. It is rewritten in place before the images of a query are shown, with
these images counted as ``uncertain``. The file is therefore correct after any exit, also after SIGKILL: the classifier
has seen at least ``shown`` images and at most ``uncertain`` more. When a session ends, its rows are merged into one.
"""

import contextlib
from dataclasses import dataclass, fields
from itertools import groupby
from pathlib import Path
from typing import Self

from fooldeap.errors import InputError
from fooldeap.storage.files import Appended, write_whole
from fooldeap.storage.inputs import read
from fooldeap.storage.sums import with_checksum, without_checksum

_WIDTH = 12  # digits of a count, so that a row can be rewritten in place
_MOST = 10**_WIDTH - 1


@dataclass
class Queries:
    """Numbers of images: those that algorithms asked about, by source of the answer, and all others that were shown.

    Attributes
    ----------
    cache : answered by the run's cache: the image was in this batch or in the previous one
    journal : answered by the journal of an earlier session
    classifier : answered by the classifier
    gradients : shown once more for the gradient
    padding : black images that fill up batches
    probes : shown to calibrate the classifier or to measure its accuracy
    lost : shown by a worker that was lost
    uncertain : images of queries that did not return because the process was killed, interrupted or failed
    """

    cache: int = 0
    journal: int = 0
    classifier: int = 0
    gradients: int = 0
    padding: int = 0
    probes: int = 0
    lost: int = 0
    uncertain: int = 0

    @property
    def asked(self) -> int:
        """Number of images that the algorithms asked about."""
        return self.cache + self.journal + self.classifier

    @property
    def shown(self) -> int:
        """Number of images that the classifier has answered. It may have seen ``uncertain`` more."""
        return self.classifier + self.gradients + self.padding + self.probes + self.lost

    def add(self, other: "Queries") -> None:
        """Add the counts of another process or session."""
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))


_COUNTS = tuple(field.name for field in fields(Queries))
_HEAD = ",".join(["session", "asked", *_COUNTS[:-1], "shown", _COUNTS[-1], "crc32"]) + "\n"


class QueryLog:
    """``queries.csv``, open for one session. Use it in a ``with`` block.

    Parameters
    ----------
    path : the file; a session is appended

    Raises
    ------
    InputError
        The file is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        sessions = _merged(_read(path))
        self.session = max((session for session, _ in sessions), default=0) + 1
        write_whole(path, _text(sessions))
        self._own = self.add_row()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def add_row(self) -> "Row":
        """Add a row to this session, for another process that queries the classifier."""
        with contextlib.closing(Appended(self.path)) as file:
            place = file.size
            file.append(_line(self.session, Queries()))
        return Row(self.path, self.session, place)

    def write(self, queries: Queries) -> None:
        """Record the counts of this process."""
        self._own.write(queries)

    def close(self) -> None:
        """Merge the rows of this session into one, and close the file."""
        self._own.close()
        write_whole(self.path, _text(_merged(_read(self.path))))


class Row:
    """The row of one process, rewritten in place. It can be pickled: each process opens the file separately."""

    def __init__(self, path: Path, session: int, place: int) -> None:
        self.path, self.session, self.place = path.resolve(), session, place
        self._file: Appended | None = None

    def __reduce__(self) -> tuple[type["Row"], tuple[Path, int, int]]:
        return Row, (self.path, self.session, self.place)

    def read(self) -> Queries:
        """Return the recorded counts."""
        raw = self._opened().read(len(_line(self.session, Queries())), self.place)
        found = _row_in(raw.decode(errors="replace"))
        if found is None:
            raise InputError(f"{self.path}: is damaged; restore it from a copy")
        return found[1]

    def write(self, queries: Queries) -> None:
        """Replace the recorded counts."""
        self._opened().overwrite(_line(self.session, queries), self.place)

    def close(self) -> None:
        """Close the file."""
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def _opened(self) -> Appended:
        if self._file is None:
            self._file = Appended(self.path)
        return self._file


def _read(path: Path) -> list[tuple[int, Queries]]:
    return parsed(read(path), path) if path.exists() else []


def parsed(content: bytes, path: Path) -> list[tuple[int, Queries]]:
    """Return session and counts of each row. An incomplete last row, left by a power cut, is skipped.

    Raises
    ------
    InputError
        The content is damaged. The message names ``path``.
    """
    lines = content.decode(errors="replace").splitlines(keepends=True)
    rows = [_row_in(line) for line in lines]
    for number, (line, row) in enumerate(zip(lines, rows, strict=True), 1):
        undamaged = line == _HEAD if number == 1 else row is not None or number == len(lines)
        if not undamaged:
            raise InputError(f"{path}:{number}: is damaged; restore it from a copy, or remove it and lose the counts")
    return [row for row in rows if row is not None]


def _merged(rows: list[tuple[int, Queries]]) -> list[tuple[int, Queries]]:
    """Return one row for each session."""
    found = []
    for session, group in groupby(sorted(rows, key=lambda row: row[0]), key=lambda row: row[0]):
        total = Queries()
        for _, queries in group:
            total.add(queries)
        found.append((session, total))
    return found


def _text(rows: list[tuple[int, Queries]]) -> bytes:
    return _HEAD.encode() + b"".join(_line(session, queries) for session, queries in rows)


def _line(session: int, queries: Queries) -> bytes:
    counts = [getattr(queries, name) for name in _COUNTS]
    numbers = [session, queries.asked, *counts[:-1], queries.shown, counts[-1]]
    return with_checksum(",".join(f"{min(number, _MOST):{_WIDTH}d}" for number in numbers))


def _row_in(line: str) -> tuple[int, Queries] | None:
    """Return session and counts of a row, or None if the line is not an undamaged row."""
    row = without_checksum(line)
    if row is None:
        return None
    try:
        session, _, *counts, _, uncertain = map(int, row.split(","))
        return session, Queries(**dict(zip(_COUNTS, [*counts, uncertain], strict=True)))
    except (ValueError, TypeError):
        return None
