"""What a run tells while it goes and leaves when it ends."""

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from fooldeap.errors import InputError
from fooldeap.formatting import percent
from fooldeap.storage.inputs import read
from fooldeap.storage.pictures import MOST_BYTES, decoded


class RunInfo(NamedTuple):
    """Which run: its seed, its targets (one, or several that are pursued jointly), and of which variant of a study."""

    seed: int
    targets: tuple[int, ...]
    variant: str = ""

    @property
    def label(self) -> str:
        """A name that is fit for a file: ``seed1-target3``, ``seed1-targets0-9``, ``roulette/seed1-target3``."""
        return f"{self.variant}/{self._own_label}" if self.variant else self._own_label

    @property
    def _own_label(self) -> str:
        first, last = self.targets[0], self.targets[-1]
        if len(self.targets) == 1:
            return f"seed{self.seed}-target{first}"
        if self.targets == tuple(range(first, last + 1)):
            return f"seed{self.seed}-targets{first}-{last}"
        return f"seed{self.seed}-targets{'_'.join(map(str, self.targets))}"

    @property
    def journal(self) -> str:
        """The name of the file of its journal."""
        return f"{self.label}.journal"


class LogRow(NamedTuple):
    """One generation of a run, for one target.

    ``best``, ``mean``, ``worst`` and ``std`` (population standard deviation) are of the fitness, ``confidence`` is the
    highest softmax probability of the target, ``evaluations`` counts distinct images until then, ``diversity`` is the
    standard deviation of a pixel over the population in grey levels, averaged over some 64 pixels.
    """

    seed: int
    target: int
    generation: int
    evaluations: int
    best: float
    mean: float
    worst: float
    std: float
    confidence: float
    diversity: float


@dataclass(frozen=True)
class FoolingImage:
    """An image uint8 (h, w, c) that numpy takes as an array and a notebook shows."""

    pixels: NDArray[np.uint8]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self.pixels, dtype=dtype, copy=True if copy is None else copy)

    def _repr_png_(self) -> bytes:
        return self.png(scale=max(1, 224 // self.pixels.shape[0]))

    @classmethod
    def from_png(cls, content: bytes) -> "FoolingImage":
        """Return the image that a PNG holds; `ValueError` where it is none, see `fooldeap.storage.pictures`."""
        pixels = np.asarray(decoded(content, ("PNG",)))
        if pixels.dtype != np.uint8:
            raise ValueError(f"it is a PNG of {pixels.dtype}, expected 8 bits a channel")
        return cls(pixels if pixels.ndim == 3 else pixels[:, :, None])

    @classmethod
    def from_file(cls, path: Path) -> "FoolingImage":
        """Return the image in a PNG file; `InputError` names the file where it holds none."""
        content = read(path, MOST_BYTES)
        try:
            return cls.from_png(content)
        except ValueError as error:
            raise InputError(f"{path}: {error}; restore it from a copy") from None

    def png(self, scale: int = 1) -> bytes:
        """Return the image as PNG, each pixel ``scale`` x ``scale`` large."""
        from PIL import Image

        pixels = self.pixels.repeat(scale, axis=0).repeat(scale, axis=1)
        buffer = io.BytesIO()
        Image.fromarray(pixels.squeeze(2) if pixels.shape[2] == 1 else pixels).save(buffer, "PNG")
        return buffer.getvalue()


class Snapshot(NamedTuple):
    """The best image of a run until the end of a generation: uint8 (h, w, c), its fitness, its logits float32."""

    generation: int
    evaluations: int
    score: float
    image: NDArray[np.uint8]
    logits: NDArray[np.float32]


class FrontImage(NamedTuple):
    """An image that none was better than in all objectives: its 1-based place among those shown, and its objectives.

    ``image`` is uint8 (h, w, c), ``logits`` float32 (classes,); in every objective larger is better.
    """

    evaluations: int
    objectives: tuple[float, ...]
    image: NDArray[np.uint8]
    logits: NDArray[np.float32]


@dataclass(frozen=True)
class RunResult:
    """How far one target of one run came: its best image and the way there.

    The best image is the fittest of those that reached the goal, or of all where none did; of equals, the first shown.
    By a fitness of several objectives, those that reached the goal are compared by the second, all others by the first.
    ``score`` is its fitness, ``evaluations_to_goal`` the 1-based place of the first image that reached the goal, in
    the order shown, or None; ``evaluations_to`` those of the first images at 50, 90 and 99 % confidence, as far as the
    run came: ``{"0.5": 812, "0.9": 1204}``. ``snapshots`` are the best images on the way, see
    `fooldeap.engine.snapshots`. ``front`` is the front of a fitness of several objectives, see
    `fooldeap.engine.fronts`; of one it is empty.
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
    log: tuple[LogRow, ...] = field(repr=False)
    snapshots: tuple[Snapshot, ...] = field(default=(), repr=False)
    front: tuple[FrontImage, ...] = field(default=(), repr=False)

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
            logbook.record(**row._asdict())
        return logbook


@dataclass(frozen=True)
class Result:
    """What an experiment gives: a `RunResult` for each target and seed, and the whole in figures.

    ``evaluations`` counts each image once, also where one run pursued several targets; ``seconds`` is the evolution
    alone. ``failures`` are the runs that failed, by label, each with why: what they had found is among the results.
    ``names`` are those of the classes, where the classifier says them, ``objectives`` those of the objectives, where
    there are fronts.
    ``result[3]`` is target 3; of several seeds, ``result[3, 2]`` is target 3 of seed 2.
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

    def __getitem__(self, key: int | tuple[int, int]) -> RunResult:
        target, *seed = key if isinstance(key, tuple) else (key,)
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

    def image_name(self, run: RunResult) -> str:
        """Return where the image of a run stands: ``images/3.png``, or below its seed where there are several."""
        several = len({other.seed for other in self.runs}) > 1
        return f"images/{f'seed-{run.seed}/' if several else ''}{run.target}.png"

    def data(self) -> dict[str, Any]:
        """Return what ``result.json`` holds."""
        return {
            "name": self.name,
            "seed": self.seed,
            "goal": self.goal,
            "evaluations": self.evaluations,
            "seconds": round(self.seconds, 3),
            "runs": [{**self._scalars(run), "image": self.image_name(run)} for run in self.runs],
            **({"failures": self.failures} if self.failures else {}),
            **({"names": list(self.names)} if self.names else {}),
            **({"objectives": list(self.objectives)} if self.objectives else {}),
        }

    def markdown(self) -> str:
        """Return the table ``target | predicted | confidence | score | evaluations``."""
        several = len({run.seed for run in self.runs}) > 1
        head = ["seed"] * several + ["target", "predicted", "confidence", "score", "evaluations"]
        lines = [head, ["---:"] * len(head)]
        lines += [[str(run.seed)] * several + self.cells(run) for run in self.runs]
        return "".join(f"| {' | '.join(line)} |\n" for line in lines)

    def cells(self, run: RunResult) -> list[str]:
        """Return a run as the cells of the table; evaluations are those to the goal, where there is one."""
        missed = f"not reached in {run.evaluations}" if self.goal else f"{run.evaluations}"
        missed = f"failed after {run.evaluations}" if run.stopped == "failed" else missed
        spent = f"{run.evaluations_to_goal}" if run.reached else missed
        return [
            str(run.target),
            str(run.predicted),
            percent(run.confidence),
            f"{run.score:.4g}",
            spent,
        ]

    @staticmethod
    def _scalars(run: RunResult) -> dict[str, Any]:
        names = RunResult.__dataclass_fields__
        return {name: getattr(run, name) for name in names if name not in ("image", "log", "snapshots", "front")}


class OutputFolder(Protocol):
    """Where files go."""

    @property
    def path(self) -> Path:
        """The folder itself."""

    def write(self, name: str, content: bytes | str) -> Path:
        """Write a file below the folder: whole, or not at all."""


@dataclass(frozen=True)
class ExperimentInfo:
    """What reporters are told at the start: the experiment, its runs, and the folder to write to (or None)."""

    name: str
    runs: tuple[RunInfo, ...]
    goal: dict[str, float]
    budget: int | None
    configuration: dict[str, Any]
    folder: OutputFolder | None
    resumed: bool = False
