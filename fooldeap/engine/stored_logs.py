"""Logs in files, for experiments whose log is too large for the memory.

While a run evolves, it appends each generation to a `LogFile` beside its journal. When the experiment ends, the log is
written to ``log.npz``. It has one array for each column of ``log.csv``, with one row per seed, target and generation.
The rows of each run are in the order of generations. Most numbers have single precision, see `_DTYPES`.
"""

import functools
import itertools
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, get_type_hints, overload

import numpy as np
from numpy.typing import NDArray

from fooldeap.contract_checks import described
from fooldeap.errors import InputError, blaming_damage
from fooldeap.plugin import Array
from fooldeap.results import LogRow, RunInfo
from fooldeap.storage import npz
from fooldeap.storage.files import Appended, writing
from fooldeap.storage.inputs import opened

FILE = "log.npz"
_NUMBERS = [name for name, kind in get_type_hints(LogRow).items() if kind is float]
_DTYPES: dict[str, type[np.generic]] = {
    **dict.fromkeys(LogRow.names(), np.int64),
    **dict.fromkeys(_NUMBERS, np.float32),
    "confidence": np.float64,  # in single precision, values near 1 would be rounded to 1
}
_ROWS = 1 << 18  # read at a time


class LogSource(Protocol):
    """Logs that are read column by column. ``statistics`` are the names of the columns of plugins."""

    statistics: tuple[str, ...]

    def column(self, name: str, seed: int, target: int) -> NDArray[Any]:
        """Return a column of the log of one target of a run."""


class StoredLog(Sequence[LogRow]):
    """The log of one target of a run. Its rows are read when they are used."""

    def __init__(self, source: LogSource, seed: int, target: int) -> None:
        self.source, self.seed, self.target = source, seed, target

    def column(self, name: str) -> NDArray[Any]:
        """Return a column."""
        return self.source.column(name, self.seed, self.target)

    def __len__(self) -> int:
        return len(self.column("generation"))

    def __iter__(self) -> Iterator[LogRow]:
        columns = (self.column(name).tolist() for name in LogRow.names(self.source.statistics))
        return (LogRow.from_cells(cells, self.source.statistics) for cells in zip(*columns, strict=True))

    def moved(self, path: Path) -> "StoredLog":
        """Return the log in a copy of the file of its run."""
        assert isinstance(self.source, LogFile)
        return StoredLog(self.source.moved(path), self.seed, self.target)

    @overload
    def __getitem__(self, index: int) -> LogRow: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[LogRow]: ...
    def __getitem__(self, index: int | slice) -> LogRow | Sequence[LogRow]:
        return tuple(self)[index]


class LogFile:
    """The log of one run in a file. It can be pickled once it is closed.

    Parameters
    ----------
    path : the file; an earlier file is replaced
    info : the run
    statistics : the names of the columns of plugins
    """

    def __init__(self, path: Path, info: RunInfo, statistics: Sequence[str] = ()) -> None:
        self.path, self.info, self.statistics = path, info, tuple(statistics)
        self._numbers = [*_NUMBERS, *statistics]
        self._dtype = np.dtype([("evaluations", "<i8"), ("numbers", "<f8", (len(self._numbers), len(info.targets)))])
        self._file: Appended | None = Appended(path, anew=True)

    def enter(self, evaluations: int, numbers: Sequence[Array]) -> None:
        """Append a generation: the columns of numbers, each with one value for each target."""
        if self._file is None:
            raise ValueError(f"{self.path}: is closed")
        record = np.zeros((), self._dtype)
        record["evaluations"], record["numbers"] = evaluations, numbers
        self._file.append(record.tobytes())

    def column(self, name: str, seed: int, target: int) -> NDArray[Any]:
        """Return a column of the log of one target."""
        place = self.info.targets.index(target)
        return np.concatenate([self._part(name, *each)[:, place] for each in self._parts()])

    def __iter__(self) -> Iterator[LogRow]:
        """Yield all rows in the order of generations."""
        for each in self._parts():
            for cells in zip(*(part.tolist() for part in self._rows(each)), strict=True):
                yield LogRow.from_cells(cells, self.statistics)

    def __len__(self) -> int:
        return self.path.stat().st_size // self._dtype.itemsize * len(self.info.targets)

    def parts(self, name: str) -> Iterator[NDArray[Any]]:
        """Yield a column of all rows, in parts."""
        for each in self._parts():
            yield self._part(name, *each).reshape(-1)

    def moved(self, path: Path) -> "LogFile":
        """Return the same log in a copy of the file."""
        copy = LogFile.__new__(LogFile)
        copy.path, copy.info, copy.statistics, copy._numbers = path, self.info, self.statistics, self._numbers
        copy._dtype, copy._file = self._dtype, None
        return copy

    def close(self) -> None:
        """Close the file. It can still be read."""
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def _parts(self) -> Iterator[tuple[int, NDArray[Any]]]:
        """Yield the number of the first generation, and the records, of each part of the file."""
        count = max(1, _ROWS // len(self.info.targets))
        with opened(self.path) as file:
            for start in itertools.count(0, count):
                records = np.frombuffer(file.read(count * self._dtype.itemsize), self._dtype)
                if not len(records):
                    return
                yield start, records

    def _rows(self, part: tuple[int, NDArray[Any]]) -> list[NDArray[Any]]:
        return [self._part(name, *part).reshape(-1) for name in LogRow.names(self.statistics)]

    def _part(self, name: str, start: int, records: NDArray[Any]) -> NDArray[Any]:
        """Return a column (generations, targets) of records."""
        if name in self._numbers:
            return np.asarray(records["numbers"][:, self._numbers.index(name)])
        shape = len(records), len(self.info.targets)
        values = {
            "seed": np.array(self.info.seed),
            "target": np.array(self.info.targets),
            "generation": start + np.arange(len(records))[:, None],
            "evaluations": records["evaluations"][:, None],
        }
        return np.broadcast_to(values[name], shape)


def write(path: Path, logs: Sequence[LogFile]) -> None:
    """Write the logs of runs to one archive, in parts."""
    length = sum(map(len, logs))
    with writing(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in LogRow.names(logs[0].statistics):
            dtype = _DTYPES.get(name, np.float64)
            archive.compresslevel = 6 if dtype is np.int64 else 1  # numbers can hardly be compressed
            parts: Iterable[Array] = (part for log in logs for part in log.parts(name))
            npz.add_column(archive, name, np.dtype(dtype), length, parts)


class LogTable:
    """The logs in an archive. A column is read when it is first used.

    Parameters
    ----------
    path : the archive
    statistics : the names of the columns of plugins
    """

    def __init__(self, path: Path, statistics: Sequence[str] = ()) -> None:
        self.path, self.statistics = path, tuple(statistics)
        self._columns: dict[str, NDArray[Any]] = {}  # the first one is the seed

    def column(self, name: str, seed: int, target: int) -> NDArray[Any]:
        """Return a column of the log of one target of a run.

        Raises
        ------
        InputError
            The archive is damaged.
        """
        order, starts = self._order
        start, end = starts.get((seed, target), (0, 0))
        return self._column(name)[order[start:end]]

    @functools.cached_property
    def _order(self) -> tuple[NDArray[np.intp], dict[tuple[int, int], tuple[int, int]]]:
        """The indices that sort the rows by seed and target, and where the rows of each pair start and end."""
        seeds, targets = self._column("seed"), self._column("target")
        order = np.lexsort((targets, seeds))  # is stable, so the order of generations is kept
        seeds, targets = seeds[order], targets[order]
        changes = np.flatnonzero((np.diff(seeds) != 0) | (np.diff(targets) != 0)) + 1
        bounds = [0, *changes.tolist(), len(order)] if len(order) else [0]
        return order, {
            (int(seeds[start]), int(targets[start])): (start, end) for start, end in itertools.pairwise(bounds)
        }

    def _column(self, name: str) -> NDArray[Any]:
        """Return a column of all logs. A column of numbers that the file does not have is NaN."""
        if name not in self._columns:
            dtype = _DTYPES.get(name, np.float64)
            with blaming_damage(self.path), opened(self.path) as file, npz.opened(file) as archive:
                if name in archive or dtype is np.int64:
                    column = archive[name]
                else:
                    column = np.full(archive["seed"].shape, np.nan, dtype)
                if column.ndim != 1 or column.dtype != dtype:
                    raise ValueError(f"its array {name} is {described(column)}, expected {np.dtype(dtype)} (n,)")
            if len(column) != len(self._columns.setdefault("seed", column)):
                raise InputError(f"{self.path}: its array {name} has another length; restore it from a copy")
            self._columns[name] = column
        return self._columns[name]
