"""Run result types, and the events of a run."""

import hashlib
import importlib.util
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import Annotated, Any, NamedTuple, Protocol, get_type_hints

import numpy as np
from numpy.typing import NDArray

from fooldeap.errors import InputError
from fooldeap.formatting import class_label, level, percent
from fooldeap.storage.inputs import MOST_PICTURE, decoded, read

SOFTMAX = "softmax"
MANY_TARGETS, BEST = 20, 10  # with more targets, a summary and the best results come first
LEVELS = (0.5, 0.9, 0.99, 0.9999)  # confidences in the summary
MOST_LABEL = 190  # bytes; file systems limit names to 255 bytes, and some to fewer
CONFIDENCE_KINDS = (SOFTMAX, "sigmoid", "probability")  # see `fooldeap.contracts.log_confidences`


class RunInfo(NamedTuple):
    """Identifies a run: its seed, its targets (one, or several that are pursued jointly) and its variant in a study."""

    seed: int
    targets: tuple[int, ...]
    variant: str = ""

    @property
    def label(self) -> str:
        """A name that is valid for a file: ``seed1-target3``, ``seed1-targets0-9``, ``roulette/seed1-target3``.

        If the list of targets is too long for the name, their number and a digest stand for it:
        ``seed1-100targets-7359508de4ad460c``.
        """
        return f"{self.variant}/{self._own_label}" if self.variant else self._own_label

    @property
    def _own_label(self) -> str:
        first, last = self.targets[0], self.targets[-1]
        if len(self.targets) == 1:
            return f"seed{self.seed}-target{first}"
        if self.targets == tuple(range(first, last + 1)):
            return f"seed{self.seed}-targets{first}-{last}"
        listed = "_".join(map(str, self.targets))
        label = f"seed{self.seed}-targets{listed}"
        if len(label) <= MOST_LABEL:
            return label
        return f"seed{self.seed}-{len(self.targets)}targets-{hashlib.sha256(listed.encode()).hexdigest()[:16]}"

    @property
    def journal(self) -> str:
        """The name of its journal file."""
        return f"{self.label}.journal"


def column_of(log: "Sequence[LogRow]", name: str) -> NDArray[Any]:
    """Return a column of a log as an array."""
    read: Callable[[str], NDArray[Any]] | None = getattr(log, "column", None)
    return np.array([getattr(row, name) for row in log]) if read is None else read(name)


class Column(NamedTuple):
    """Describes a column of ``log.csv``."""

    meaning: str
    unit: str = ""


class LogRow(NamedTuple):
    """One generation of a run, for one target: a row of ``log.csv``.

    To add a column, add a field with a default here, and its value in `fooldeap.engine.run_statistics`. The plugins of
    the key ``statistics`` add columns of their own, see ``statistics``.
    """

    seed: Annotated[int, Column("the seed of the run")]
    target: Annotated[int, Column("the target class")]
    generation: Annotated[int, Column("the generation, counted from 0")]
    evaluations: Annotated[int, Column("the number of evaluations of the run so far")]
    best: Annotated[float, Column("the highest fitness of the generation", "fitness")]
    mean: Annotated[float, Column("the mean fitness of the generation", "fitness")]
    worst: Annotated[float, Column("the lowest fitness of the generation", "fitness")]
    std: Annotated[float, Column("the standard deviation of the fitness of the generation", "fitness")]
    confidence: Annotated[float, Column("the highest confidence in the target class in the generation")]
    diversity: Annotated[
        float,
        Column("how much the images of the generation differ: the standard deviation of a pixel", "grey levels"),
    ]
    statistics: Mapping[str, float] = {}

    @classmethod
    def columns(cls) -> dict[str, Column]:
        """Return the columns by name, without those of plugins."""
        hints = get_type_hints(cls, include_extras=True)
        return {name: hints[name].__metadata__[0] for name in cls.names()}

    @classmethod
    def names(cls, statistics: Iterable[str] = ()) -> tuple[str, ...]:
        """Return the names of the columns, the last ones those of plugins."""
        return (*cls._fields[:-1], *statistics)

    def cells(self) -> tuple[Any, ...]:
        """Return the values of the columns."""
        return (*self[:-1], *self.statistics.values())

    @classmethod
    def from_cells(cls, cells: Iterable[Any], statistics: Iterable[str] = ()) -> "LogRow":
        """Return the row with these values of the columns."""
        values, own = list(cells), list(statistics)
        split = len(values) - len(own)
        return cls._make((*values[:split], dict(zip(own, values[split:], strict=True))))

    @classmethod
    def from_csv(cls, rows: Iterable[Mapping[str, str]], statistics: Sequence[str] = ()) -> Iterator["LogRow"]:
        """Yield the rows of a file. It may have been written by another version.

        ``statistics`` are the names of the columns of plugins. Columns of numbers that the file does not have are NaN.
        Columns that only the file has are left out.

        Raises
        ------
        KeyError
            A column of integers is missing.
        ValueError
            A cell is no number.
        """
        kinds = get_type_hints(cls)
        for row in rows:
            cells = [
                int(row[name]) if kinds.get(name) is int else float(row.get(name, "nan"))
                for name in cls.names(statistics)
            ]
            yield cls.from_cells(cells, statistics)


@dataclass(frozen=True)
class FoolingImage:
    """An image uint8 (h, w, c). numpy accepts it as an array, and notebooks display it."""

    pixels: NDArray[np.uint8]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self.pixels, dtype=dtype, copy=True if copy is None else copy)

    def __repr__(self) -> str:
        height, width, channels = self.pixels.shape
        return f"FoolingImage({height} x {width}, {'grey' if channels == 1 else 'colour'})"

    def _repr_png_(self) -> bytes:
        return self.png(scale=max(1, 224 // self.pixels.shape[0]))

    @classmethod
    def from_png(cls, content: bytes) -> "FoolingImage":
        """Return the image in the content of a PNG file.

        Raises
        ------
        ValueError
            The content is not a valid PNG, see `fooldeap.storage.inputs`.
        """
        pixels = np.asarray(decoded(content, ("PNG",)))
        if pixels.dtype != np.uint8:
            raise ValueError(f"it is a PNG of {pixels.dtype}, expected 8 bits a channel")
        return cls(pixels if pixels.ndim == 3 else pixels[:, :, None])

    @classmethod
    def from_file(cls, path: Path) -> "FoolingImage":
        """Return the image in a PNG file.

        Raises
        ------
        InputError
            The file is not a valid PNG. The message names it.
        """
        return cls(pixels_of(read(path, MOST_PICTURE), path))

    def png(self, scale: int = 1) -> bytes:
        """Return the image as PNG, each pixel ``scale`` x ``scale`` large."""
        from PIL import Image

        pixels = self.pixels.repeat(scale, axis=0).repeat(scale, axis=1)
        buffer = io.BytesIO()
        Image.fromarray(pixels.squeeze(2) if pixels.shape[2] == 1 else pixels).save(buffer, "PNG")
        return buffer.getvalue()


def pixels_of(content: bytes, path: Path) -> NDArray[np.uint8]:
    """Return the image in the content of a PNG file. An error names the file."""
    try:
        return FoolingImage.from_png(content).pixels
    except ValueError as error:
        raise InputError(f"{path}: {error}; restore it from a copy") from None


class Snapshot(NamedTuple):
    """The best image of a run at the end of a generation: uint8 (h, w, c), fitness, and logits float32 (classes,).

    ``confidence_kind`` says how its confidence follows from the logits, see `fooldeap.contracts.log_confidences`.
    """

    generation: int
    evaluations: int
    score: float
    image: NDArray[np.uint8]
    logits: NDArray[np.float32]
    confidence_kind: str = SOFTMAX


class FrontImage(NamedTuple):
    """An image on a Pareto front. ``evaluations`` is its 1-based position among the shown images.

    ``objectives`` are its objectives; larger is better. ``image`` is uint8 (h, w, c), ``logits`` float32 (classes,).
    ``confidence_kind`` is as in `Snapshot`.
    """

    evaluations: int
    objectives: tuple[float, ...]
    image: NDArray[np.uint8]
    logits: NDArray[np.float32]
    confidence_kind: str = SOFTMAX


class KeptImage(NamedTuple):
    """One of the best distinct images of a run. ``evaluations`` is its 1-based position among the shown images."""

    image: FoolingImage
    predicted: int
    confidence: float
    score: float
    evaluations: int

    def scalars(self) -> dict[str, Any]:
        """Return everything except the image."""
        return {name: value for name, value in self._asdict().items() if name != "image"}


@dataclass(frozen=True)
class RunResult:
    """The result of one target of one run: its best image and how it evolved.

    The best image is the fittest image that reached the goal, or the fittest of all images if none reached it. Of equal
    images, the first is taken. With several objectives, images that reached the goal are compared by the second one,
    and all others by the first.

    ``score`` is the fitness of the best image. ``evaluations_to_goal`` is the 1-based position of the first image that
    reached the goal, in the order shown, or None. ``evaluations_to`` has the positions of the first images at 50, 90
    and 99 % confidence, if reached: ``{"0.5": 812, "0.9": 1204}``. ``snapshots`` are earlier best images, see
    `fooldeap.engine.snapshots`. ``front`` is the Pareto front, see `fooldeap.engine.fronts`; it is empty with one
    objective. ``kept`` are the best distinct images, the best one first, if the key ``keep`` is larger than 1.
    """

    target: int
    seed: int
    predicted: int
    confidence: float
    score: float
    evaluations: int
    evaluations_to_goal: int | None
    evaluations_to: dict[str, int]
    generations: int
    stopped: str
    image: FoolingImage = field(repr=False)
    log: Sequence[LogRow] = field(repr=False)
    snapshots: Sequence[Snapshot] = field(default=(), repr=False)
    front: tuple[FrontImage, ...] = field(default=(), repr=False)
    kept: tuple[KeptImage, ...] = field(default=(), repr=False)

    @property
    def reached(self) -> bool:
        """Whether an image reached the goal."""
        return self.evaluations_to_goal is not None

    @cached_property
    def logbook(self) -> Any:
        """The log as a ``deap.tools.Logbook``."""
        from deap import tools

        logbook = tools.Logbook()
        for row in self.log:
            logbook.record(**dict(zip(row.names(row.statistics), row.cells(), strict=True)))
        return logbook


@dataclass(frozen=True)
class Result:
    """The result of an experiment: a `RunResult` for each target and seed, and totals.

    ``evaluations`` counts each image once, even if one run pursued several targets. ``seconds`` is the time of the
    evolution only. ``failures`` are the reasons of failed runs by label; their results so far are included in ``runs``.
    ``names`` are the names of the classes, if the classifier has them. ``objectives`` are the names of the objectives,
    if there are fronts, and ``statistics`` those of the columns of plugins in the logs. ``result[3]`` is the result of
    target 3, and ``result["happy"]`` that of the class with this name; with several seeds, ``result[3, 2]`` is that of
    seed 2.
    """

    name: str
    seed: int
    goal: dict[str, float]
    evaluations: int
    seconds: float
    runs: tuple[RunResult, ...]
    folder: Path | None = None
    failures: dict[str, str] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    objectives: tuple[str, ...] = ()
    statistics: tuple[str, ...] = ()

    def __getitem__(self, key: int | str | tuple[int | str, int]) -> RunResult:
        target, *seed = key if isinstance(key, tuple) else (key,)
        if isinstance(target, str) and target in self.names:
            if self.names.count(target) > 1:
                raise KeyError(f"several classes have the name {target!r}; use a number")
            target = self.names.index(target)
        found = [run for run in self.runs if run.target == target and seed in ([], [run.seed])]
        if len(found) == 1:
            return found[0]
        if found:
            raise KeyError(f"target {target} has the seeds {[run.seed for run in found]}; name one: [{target}, SEED]")
        there = sorted({run.target for run in self.runs}), sorted({run.seed for run in self.runs})
        raise KeyError(f"got {key!r}; there are the targets {there[0]} and the seeds {there[1]}")

    def __iter__(self) -> Iterator[RunResult]:
        return iter(self.runs)

    def __len__(self) -> int:
        return len(self.runs)

    def _repr_html_(self) -> str | None:
        """Return the table, the images and a curve for notebooks. The reports are an application, and may be absent."""
        if importlib.util.find_spec("fooldeap.report") is None:
            return None
        html: str = importlib.import_module("fooldeap.report.notebook").result_html(self)
        return html

    def to_pandas(self) -> Any:
        """Return a ``pandas.DataFrame`` with a row for each target and seed, without images and logs."""
        rows = [self._scalars(run) for run in self.runs]
        shares = {share for row in rows for share in row["evaluations_to"]}
        names = {share: f"evaluations_to_{100 * float(share):g}" for share in sorted(shares, key=float)}
        for row in rows:
            found = row.pop("evaluations_to")
            row |= {name: found.get(share) for share, name in names.items()}
        return as_frame(rows)

    def image_name(self, run: RunResult, rank: int = 1) -> str:
        """Return the relative path of a run's image: ``images/3.png``; with several seeds ``images/seed-2/3.png``.

        The second best image of a run that keeps several is ``images/3-2.png``.
        """
        name = f"{run.target}" if rank == 1 else f"{run.target}-{rank}"
        return f"images/{f'seed-{run.seed}/' if self._several_seeds else ''}{name}.png"

    def _kept(self, run: RunResult) -> dict[str, Any]:
        """Return the kept images for ``result.json``."""
        kept = [{**each.scalars(), "image": self.image_name(run, rank)} for rank, each in enumerate(run.kept, 1)]
        return {"kept": kept} if kept else {}

    def data(self) -> dict[str, Any]:
        """Return the content of ``result.json``."""
        return {
            "name": self.name,
            "seed": self.seed,
            "goal": self.goal,
            "evaluations": self.evaluations,
            "seconds": round(self.seconds, 3),
            "runs": [{**self._scalars(run), "image": self.image_name(run), **self._kept(run)} for run in self.runs],
            **({"failures": self.failures} if self.failures else {}),
            **({"names": list(self.names)} if self.names else {}),
            **({"objectives": list(self.objectives)} if self.objectives else {}),
            **({"statistics": list(self.statistics)} if self.statistics else {}),
        }

    @property
    def has_many_targets(self) -> bool:
        """Whether there are more than 20 targets, so that reports begin with a summary."""
        return len({run.target for run in self.runs}) > MANY_TARGETS

    def best(self, count: int = BEST) -> list[RunResult]:
        """Return the runs with the highest confidence, the most confident one first."""
        return sorted(self.runs, key=lambda run: -run.confidence)[:count]

    def summary(self) -> dict[str, str]:
        """Return the number of classes, median and mean of the confidence, and how many classes reached each level."""
        confidences = [run.confidence for run in self.runs]
        reached = {each: len({run.target for run in self.runs if run.confidence >= each}) for each in LEVELS}
        return {
            "classes": str(len({run.target for run in self.runs})),
            "median confidence": percent(float(np.median(confidences))),
            "mean confidence": percent(fmean(confidences)),
            **{f"classes at {level(each)}": str(count) for each, count in reached.items()},
        }

    def markdown(self, *, brief: bool = False) -> str:
        """Return the table ``target | predicted | confidence in target | score | evaluations``.

        With more than 20 targets, a summary and a table of the best ten come first. If ``brief``, they are all.
        """
        if not self.has_many_targets:
            return self._table(self.runs)
        summary = self.summary()
        parts = [_markdown(list(summary), [list(summary.values())])]
        parts.append(f"The {BEST} images with the highest confidence:\n\n{self._table(self.best())}")
        if not brief:
            parts.append(f"All images:\n\n{self._table(self.runs)}")
        return "\n".join(parts)

    def _table(self, runs: Iterable[RunResult]) -> str:
        return _markdown(self.header, map(self.cells, runs))

    @property
    def header(self) -> list[str]:
        """The header of the table. There is a column for the seed if there are several."""
        return ["seed"] * self._several_seeds + ["target", "predicted", "confidence in target", "score", "evaluations"]

    @cached_property
    def _several_seeds(self) -> bool:
        return len({run.seed for run in self.runs}) > 1

    def cells(self, run: RunResult) -> list[str]:
        """Return the table's cells for a run. If there is a goal, the last cell has the evaluations to the goal."""
        missed = f"not reached in {run.evaluations}" if self.goal else f"{run.evaluations}"
        missed = f"failed after {run.evaluations}" if run.stopped == "failed" else missed
        spent = f"{run.evaluations_to_goal}" if run.reached else missed
        return [
            *[str(run.seed)] * self._several_seeds,
            class_label(run.target, self.names),
            class_label(run.predicted, self.names),
            percent(run.confidence),
            f"{run.score:.4g}",
            spent,
        ]

    @staticmethod
    def _scalars(run: RunResult) -> dict[str, Any]:
        names = RunResult.__dataclass_fields__
        return {
            name: getattr(run, name) for name in names if name not in ("image", "log", "snapshots", "front", "kept")
        }


def as_frame(rows: Iterable[Mapping[str, Any]]) -> Any:
    """Return rows as a ``pandas.DataFrame``.

    Raises
    ------
    InputError
        pandas is not installed.
    """
    try:
        import pandas
    except ImportError:
        raise InputError("to_pandas needs pandas; install it: pip install 'fooldeap[pandas]'") from None
    return pandas.DataFrame(list(rows))


def _markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown. All columns are aligned to the right."""
    return "".join(f"| {' | '.join(line)} |\n" for line in [header, ["---:"] * len(header), *rows])


class OutputFolder(Protocol):
    """A folder for output files."""

    @property
    def path(self) -> Path:
        """The path of the folder."""

    def write(self, name: str, content: bytes | str) -> Path:
        """Write a file below the folder atomically."""


class Cost(NamedTuple):
    """An estimate of the cost of an experiment.

    Attributes
    ----------
    evaluations : about the largest number of evaluations of all runs
    rate : images per second of the classifier alone; 0 if it is unknown
    memory : bytes of the images that are kept at the same time
    """

    evaluations: int
    rate: float
    memory: int


@dataclass(frozen=True)
class ExperimentInfo:
    """The information that reporters get at the start: the experiment, its runs, and the output folder (or None).

    ``accuracy`` is that of the classifier on the test images of the dataset, or None without a dataset.
    ``names`` are the names of the classes, if it has them. ``cost`` is an estimate. ``large`` says that the
    folder gets the log as ``log.npz``. ``statistics`` are the names of the columns of plugins in the log.
    """

    name: str
    runs: tuple[RunInfo, ...]
    goal: dict[str, float]
    budget: int | None
    configuration: dict[str, Any]
    folder: OutputFolder | None
    resumed: bool = False
    accuracy: float | None = None
    names: tuple[str, ...] = ()
    cost: Cost | None = None
    large: bool = False
    statistics: tuple[str, ...] = ()
