"""Statistics of one run: the log, the best images, and the progress that stop criteria test.

Everything except ``seconds`` is computed from the answers only, so a replay of the journal gives bit-identical
statistics.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from fooldeap.configuration.stopping import Stop
from fooldeap.engine import snapshots, stored_snapshots
from fooldeap.engine.evaluation import Batch
from fooldeap.engine.fronts import Front
from fooldeap.engine.kept import KeptImages
from fooldeap.engine.run_files import RunFiles
from fooldeap.engine.stored_logs import StoredLog
from fooldeap.engine.stored_snapshots import PictureFile, StoredSnapshot, StoredSnapshots
from fooldeap.plugin import Array, Images, Predictions, Reply
from fooldeap.results import SOFTMAX, FoolingImage, LogRow, RunInfo, RunResult, Snapshot

DIVERSITY_PIXELS = 64
MILESTONES = (0.5, 0.9, 0.99)  # confidences below the goal, ascending
NO_STATISTICS: Mapping[str, Sequence[float]] = {}


@dataclass
class _Best:
    """The best image for one target so far. Images that reached the goal rank above all others.

    With several objectives, the first one decides. Between images that reached the goal, the second one decides.
    """

    reached: bool = False
    merit: float = -math.inf  # the value by which images are compared
    fitness: float = -math.inf  # the first objective
    image: Any = None  # uint8 (h, w, c), once an image was shown; targets may share it
    logits: Any = None  # float32 (classes,)
    picture: int | None = None  # the number of the image in the file of pictures, once it is there
    evaluations_to_goal: int | None = None
    milestones: list[int] = field(default_factory=list)  # evaluations until each of the reached `MILESTONES`
    improved: int = 0  # the generation of the last better fitness
    snapshots: list[Snapshot] = field(default_factory=list)
    stored: list[StoredSnapshot] = field(default_factory=list)  # instead of `snapshots`
    front: Front = field(default_factory=Front)  # stays empty if there is one objective


class RunStatistics:
    """The statistics of one run: its `fooldeap.configuration.stopping.Progress`.

    Log and snapshots are written to ``files``. If it is None, they are kept in memory.
    """

    def __init__(
        self,
        info: RunInfo,
        stop: Stop,
        clock: Callable[[], float],
        confidence_kind: str = SOFTMAX,
        files: RunFiles | None = None,
        keep: int = 1,
    ) -> None:
        self._kept = {target: KeptImages(keep) for target in info.targets} if keep > 1 else {}
        self.info, self.stop, self._clock, self.confidence_kind = info, stop, clock, confidence_kind
        self._files = files
        self.evaluations = 0
        self.generation = -1
        self._logs: dict[int, list[LogRow]] = {target: [] for target in info.targets}
        self._best = {target: _Best() for target in info.targets}
        self.batches_without_new = 0
        self._diversity = 0.0
        # By target: a lower fitness and a lower confidence than these cannot change anything.
        self._merits = np.full(len(info.targets), -math.inf)
        self._levels = np.full(len(info.targets), self._next_level(_Best()))

    @property
    def left(self) -> int | None:
        """The remaining evaluations of the budget, or None without a budget."""
        return None if self.stop.evaluations is None else self.stop.evaluations - self.evaluations

    def look(self, images: Images) -> None:
        """Compute the statistics that need no answer, while the images are still in the processor's cache."""
        self._diversity = pixel_deviation(images)

    def enter(
        self, batch: Batch, reply: Reply, statistics: Mapping[str, Sequence[float]] = NO_STATISTICS
    ) -> Iterable[LogRow]:
        """Record one generation, and return its log rows, one for each target. With files, they are made when read.

        ``statistics`` are the values of the columns of plugins, one for each target.
        """
        self.generation += 1
        before, self.evaluations = self.evaluations, self.evaluations + len(batch.new)
        self.batches_without_new = 0 if len(batch.new) else self.batches_without_new + 1
        shown, targets = _Shown(batch, reply, before), self.info.targets
        spreads = _spreads(np.array([shown.fitness(target) for target in targets]))
        surest = np.maximum.reduce(reply.predictions.probabilities[:, list(targets)], axis=0)
        self._compare_all(shown, spreads[0], surest)
        for target in targets:
            if shown.has_front(target):
                shown.enter(target, self._best[target].front)
        for place, (target, kept) in enumerate(self._kept.items()):
            kept.add(shown, target, self._reached(target, shown, float(spreads[0][place]), float(surest[place])))
        numbers = [*spreads, surest, np.full(len(targets), self._diversity)]
        counts = self.generation, self.evaluations
        own = [{name: every[place] for name, every in statistics.items()} for place in range(len(targets))]
        rows: Iterable[LogRow] = (
            LogRow._make((self.info.seed, target, *counts, *values))
            for target, *values in zip(targets, *(column.tolist() for column in numbers), own, strict=True)
        )
        if self._files is not None:
            self._files.log.enter(self.evaluations, [*numbers, *map(np.array, statistics.values())])
        else:
            rows = list(rows)
            for row in rows:
                self._logs[row.target].append(row)
        if (snapshots if self._files is None else stored_snapshots).due(self.generation):
            self._take_snapshots()
        return rows

    @property
    def log(self) -> Iterable[LogRow]:
        """The rows of all targets, ordered by generation."""
        if self._files is not None:
            return self._files.log
        return [row for rows in zip(*self._logs.values(), strict=True) for row in rows]

    @property
    def reached(self) -> bool:
        """Whether every target has reached the goal."""
        return all(each.reached for each in self._best.values())

    @property
    def stagnant(self) -> int:
        """The number of generations since the best fitness of any target improved."""
        return self.generation - max(each.improved for each in self._best.values())

    @property
    def seconds(self) -> float:
        """The duration of the run, over all its sessions."""
        return self._clock()

    def best(self, target: int) -> Predictions | None:
        """Return the best image for a target so far, as a batch of one. Return None before the first image."""
        best = self._best[target]
        return None if best.image is None else Predictions(best.logits[None], best.image[None], self.confidence_kind)

    def results(self, stopped: str) -> list[RunResult]:
        """Return the results of all targets with at least one image."""
        self._take_snapshots()
        self.close()
        return [self._result(target, best, stopped) for target, best in self._best.items() if best.image is not None]

    def close(self) -> None:
        """Close the files of log and snapshots."""
        if self._files is not None:
            self._files.close()

    def _take_snapshots(self) -> None:
        """Store the current best images. They are replaced and never modified, so no copy is needed."""
        shown = [each for each in self._best.values() if each.image is not None]
        if self._files is not None:
            self._store_pictures(shown, self._files.pictures)
        for best in shown:
            now = (self.generation, self.evaluations, best.fitness)
            if best.picture is None and (not best.snapshots or best.snapshots[-1].generation < self.generation):
                best.snapshots.append(Snapshot(*now, best.image, best.logits, self.confidence_kind))
            elif best.picture is not None and (not best.stored or best.stored[-1].generation < self.generation):
                best.stored.append(StoredSnapshot(*now, best.picture, best.logits, self.confidence_kind))

    @staticmethod
    def _store_pictures(shown: Sequence[_Best], pictures: PictureFile) -> None:
        """Write the images that are not yet in the file, each once."""
        numbers = {id(best.image): best.picture for best in shown if best.picture is not None}
        for best in shown:
            if best.picture is None:
                if id(best.image) not in numbers:
                    numbers[id(best.image)] = pictures.add(best.image)
                best.picture = numbers[id(best.image)]

    def _compare_all(self, shown: "_Shown", fittest: Array, surest: Array) -> None:
        """Compare the images with the best ones of all targets for which an image may be better or pass a level.

        ``fittest`` and ``surest`` are the highest fitness and confidence for each target.
        """
        concerned = (fittest > self._merits) | (surest >= self._levels)
        if self.stop.score is not None:
            concerned |= fittest >= self.stop.score
        for place in np.flatnonzero(concerned).tolist():
            target = self.info.targets[place]
            best = self._best[target]
            self._compare(target, shown, float(fittest[place]), float(surest[place]))
            self._pass_milestones(target, shown, float(surest[place]))
            self._merits[place] = math.inf if best.reached else best.merit
            self._levels[place] = self._next_level(best)

    def _next_level(self, best: _Best) -> float:
        """Return the lowest confidence from which an image may change the best image or pass a milestone."""
        milestones = MILESTONES[len(best.milestones) :][:1]
        goal = [] if self.stop.confidence is None else [self.stop.confidence]
        return min([*milestones, *goal], default=math.inf)

    def _compare(self, target: int, shown: "_Shown", fittest: float, surest: float) -> None:
        best, reached = self._best[target], self._reached(target, shown, fittest, surest)
        if reached is None and (best.reached or fittest <= best.merit):
            return  # the usual case, detected early
        fitness = shown.fitness(target)
        merit = fitness if reached is None else np.where(reached, shown.second(target), -np.inf)
        row = int(merit.argmax())
        if reached is not None and best.evaluations_to_goal is None:
            best.evaluations_to_goal = shown.place(reached)
        if (reached is not None, merit[row]) > (best.reached, best.merit):
            if fitness[row] > best.fitness or best.reached:
                best.improved = self.generation
            best.reached, best.merit = reached is not None or best.reached, float(merit[row])
            best.fitness = float(fitness[row])
            best.image, best.logits, best.picture = *shown.copy_of(row), None

    def _reached(self, target: int, shown: "_Shown", fittest: float, surest: float) -> Array | None:
        """Return which images reached a goal, or None if no image did."""
        goals = ((shown.confidence, surest, self.stop.confidence), (shown.fitness, fittest, self.stop.score))
        reached = [values(target) >= goal for values, highest, goal in goals if goal is not None and highest >= goal]
        return np.logical_or.reduce(reached) if reached else None

    def _pass_milestones(self, target: int, shown: "_Shown", surest: float) -> None:
        passed = self._best[target].milestones
        while len(passed) < len(MILESTONES) and surest >= MILESTONES[len(passed)]:
            passed.append(shown.place(shown.confidence(target) >= MILESTONES[len(passed)]))

    def _result(self, target: int, best: _Best, stopped: str) -> RunResult:
        probabilities = Predictions(best.logits[None], best.image[None], self.confidence_kind).probabilities[0]
        stored = None if self._files is None else StoredSnapshots(best.stored, self._files.pictures)
        log = tuple(self._logs[target]) if self._files is None else StoredLog(self._files.log, self.info.seed, target)
        return RunResult(
            target=target,
            seed=self.info.seed,
            predicted=int(probabilities.argmax()),
            confidence=float(probabilities[target]),
            score=best.fitness,
            evaluations=self.evaluations,
            evaluations_to_goal=best.evaluations_to_goal,
            evaluations_to=dict(zip(map(str, MILESTONES), best.milestones, strict=False)),
            generations=self.generation,
            stopped=stopped,
            image=FoolingImage(best.image) if stored is None else stored.last_image,
            log=log,
            snapshots=tuple(best.snapshots) if stored is None else stored,
            front=best.front.images,
            kept=self._kept[target].images if self._kept else (),
        )


def alone(result: RunResult, shown: Predictions, fitness: float, stop: Stop) -> RunResult:
    """Return a result with the answer to its image alone. What the image reached only in its batch is removed."""
    confidences = shown.probabilities[0]
    confidence = float(confidences[result.target])
    goals = ((confidence, stop.confidence), (fitness, stop.score))
    reached = any(goal is not None and value >= goal for value, goal in goals)
    return replace(
        result,
        predicted=int(confidences.argmax()),
        confidence=confidence,
        score=fitness,
        evaluations_to_goal=result.evaluations_to_goal if reached else None,
        evaluations_to={name: count for name, count in result.evaluations_to.items() if confidence >= float(name)},
        snapshots=snapshots.with_last(result.snapshots, fitness, shown.logits[0]),
    )


@dataclass(frozen=True)
class _Shown:
    """The images of one generation, as seen by each target."""

    batch: Batch
    reply: Reply
    before: int  # images shown in earlier generations
    _copies: dict[int, tuple[Images, Array]] = field(default_factory=dict)

    def copy_of(self, row: int) -> tuple[Images, Array]:
        """Return a copy of an image and of its logits, the same for all targets."""
        if row not in self._copies:
            self._copies[row] = self.batch.images[row].copy(), self.reply.predictions.logits[row].copy()
        return self._copies[row]

    def fitness(self, target: int) -> Array:
        """Return the first objective, or the only one."""
        objectives = self.reply.of(target)
        return objectives if objectives.ndim == 1 else objectives[:, 0]

    def second(self, target: int) -> Array:
        """Return the second objective, or the only one."""
        objectives = self.reply.of(target)
        return objectives if objectives.ndim == 1 else objectives[:, :2][:, -1]

    def confidence(self, target: int) -> Array:
        return self.reply.predictions.probabilities[:, target]

    def has_front(self, target: int) -> bool:
        """Return whether there are several objectives."""
        objectives = self.reply.of(target)
        return objectives.ndim == 2 and objectives.shape[1] > 1

    def enter(self, target: int, front: Front) -> None:
        """Add the new images to a front."""
        objectives, new, predictions = self.reply.of(target), self.batch.new, self.reply.predictions
        if len(new):
            found = self.batch.images[new], predictions.logits[new]
            front.add(objectives[new], *found, self.before, predictions.confidence_kind)

    def place(self, reached: Array) -> int:
        """Return the 1-based position, in the order shown, of the first image that is True in ``reached``."""
        # An image from the cache cannot be the first, so the first one is a new image.
        return self.before + 1 + int(np.searchsorted(self.batch.new, reached.argmax()))


def _spreads(fitness: Array) -> list[Array]:
    """Return maximum, mean, minimum and standard deviation of the rows."""
    # Same results as fitness.mean(axis=1) and fitness.std(axis=1), in a third of the time.
    count = fitness.shape[1]
    mean = np.add.reduce(fitness, axis=1) / count
    std = np.sqrt(np.add.reduce(np.square(fitness - mean[:, None]), axis=1) / count)
    return [np.maximum.reduce(fitness, axis=1), mean, np.minimum.reduce(fitness, axis=1), std]


def pixel_deviation(images: Images) -> float:
    """Return the standard deviation of pixels over the images, in grey levels, averaged over about 64 pixels.

    The pixels are evenly spaced. All pixels are used if an image has fewer than 128 values.
    """
    count = len(images)
    flat = images.reshape(count, -1)
    step = max(1, flat.shape[1] // DIVERSITY_PIXELS) | 1  # odd, so that pixels do not all come from the same columns
    # Sums of integers are exact, so the result does not depend on the order of additions. float32 is the fastest type,
    # and is exact for up to 258 images.
    exact = np.float32 if count * 255**2 <= 2**24 else np.float64
    values: Array = flat[:, ::step].astype(exact)
    ones: Array = np.ones(count, exact)
    total = (ones @ values).astype(np.float64)
    squares = (ones @ np.square(values, out=values)).astype(np.float64)
    return math.fsum(np.sqrt(count * squares - total**2).tolist()) / (count * len(total))
