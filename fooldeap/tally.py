"""Keeps count for one run: the log, the best images, the goals, and whether it is time to stop.

Everything here follows from the answers alone, so that a replay of the journal gives the same to the bit. Only the
clock is outside, see `evolution`.
"""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fooldeap.config import Stop
from fooldeap.evaluation import Batch
from fooldeap.plugin import Array, Images, Predictions, Reply
from fooldeap.results import FoolingImage, LogRow, RunInfo, RunResult

DIVERSITY_PIXELS = 64
STALLED_AFTER = 100  # batches in a row without a new image
MILESTONES = (0.5, 0.9, 0.99)  # confidences on the way, ascending


@dataclass
class _Best:
    """The best image for one target until now; images that reached the goal come before all others.

    Of several objectives the first decides, and the second between images that reached the goal.
    """

    reached: bool = False
    merit: float = -math.inf  # by which images are compared
    fitness: float = -math.inf  # the first objective
    image: Any = None  # uint8 (h, w, c), once an image was shown
    logits: Any = None  # float32 (classes,)
    evaluations_to_goal: int | None = None
    milestones: list[int] = field(default_factory=list)  # evaluations until each of `MILESTONES` that was passed
    improved: int = 0  # the generation of the last better fitness


class Tally:
    """The books of one run."""

    def __init__(self, info: RunInfo, stop: Stop) -> None:
        self.info, self.stop = info, stop
        self.evaluations = 0
        self.generation = -1
        self.log: list[LogRow] = []
        self._best = {target: _Best() for target in info.targets}
        self._batches_without_new = 0

    @property
    def left(self) -> int | None:
        """How many evaluations the budget still has, None without a budget."""
        return None if self.stop.evaluations is None else self.stop.evaluations - self.evaluations

    def enter(self, batch: Batch, reply: Reply) -> list[LogRow]:
        """Enter one generation and return its log rows, one a target."""
        self.generation += 1
        before, self.evaluations = self.evaluations, self.evaluations + len(batch.new)
        self._batches_without_new = 0 if len(batch.new) else self._batches_without_new + 1
        diversity = pixel_deviation(batch.images)
        rows = []
        for target in self.info.targets:
            objectives = reply.of(target)
            fitness = objectives if objectives.ndim == 1 else objectives[:, 0]
            second = fitness if objectives.ndim == 1 or objectives.shape[1] == 1 else objectives[:, 1]
            confidence = reply.predictions.probabilities[:, target]
            self._compare(target, batch, reply.predictions, fitness, second, confidence, before)
            highest = float(confidence.max())
            self._pass_milestones(self._best[target].milestones, batch, confidence, highest, before)
            row = LogRow(
                seed=self.info.seed,
                target=target,
                generation=self.generation,
                evaluations=self.evaluations,
                **_spread(fitness),
                confidence=highest,
                diversity=diversity,
            )
            rows.append(row)
        self.log.extend(rows)
        return rows

    def verdict(self) -> str | None:
        """Return why the run ends now, or None."""
        stop, best = self.stop, self._best.values()
        if stop.at_goal and stop.goal and all(each.reached for each in best):
            return "goal"
        if self.left is not None and self.left <= 0:
            return "evaluations"
        if self.generation >= stop.generations:
            return "generations"
        if self._batches_without_new >= STALLED_AFTER:
            return "stalled"
        if stop.stagnation and self.generation - max(each.improved for each in best) >= stop.stagnation:
            return "stagnation"
        return None

    def results(self, stopped: str) -> list[RunResult]:
        """Return the result of each target that an image was shown for."""
        return [self._result(target, best, stopped) for target, best in self._best.items() if best.image is not None]

    def _compare(
        self,
        target: int,
        batch: Batch,
        predictions: Predictions,
        fitness: Array,
        second: Array,
        confidence: Array,
        before: int,
    ) -> None:
        best, reached = self._best[target], self._reached(fitness, confidence)
        merit = fitness if reached is None else np.where(reached, second, -np.inf)
        row = int(merit.argmax())
        if reached is not None and best.evaluations_to_goal is None:
            best.evaluations_to_goal = _place(batch, reached, before)
        if (reached is not None, merit[row]) > (best.reached, best.merit):
            if fitness[row] > best.fitness or best.reached:
                best.improved = self.generation
            best.reached, best.merit = reached is not None or best.reached, float(merit[row])
            best.fitness = float(fitness[row])
            best.image, best.logits = batch.images[row].copy(), predictions.logits[row].copy()

    def _pass_milestones(self, passed: list[int], batch: Batch, confidence: Array, highest: float, before: int) -> None:
        while len(passed) < len(MILESTONES) and highest >= MILESTONES[len(passed)]:
            passed.append(_place(batch, confidence >= MILESTONES[len(passed)], before))

    def _reached(self, fitness: Array, confidence: Array) -> Array | None:
        """Return which images reached a goal, None where none did: which is nearly always, and told at once."""
        goals = ((confidence, self.stop.confidence), (fitness, self.stop.score))
        reached = [values >= goal for values, goal in goals if goal is not None and values.max() >= goal]
        return np.logical_or.reduce(reached) if reached else None

    def _result(self, target: int, best: _Best, stopped: str) -> RunResult:
        probabilities = Predictions(best.logits[None], best.image[None]).probabilities[0]
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
            image=FoolingImage(best.image),
            log=tuple(row for row in self.log if row.target == target),
        )


def _place(batch: Batch, reached: Array, before: int) -> int:
    """Return the 1-based place, in the order shown, of the first image that reached something."""
    # An image from memory cannot be the first, so the first one that did is a new one.
    return before + 1 + int(np.searchsorted(batch.new, reached.argmax()))


def _spread(fitness: Array) -> dict[str, float]:
    # As fitness.mean() and fitness.std() do it, in a third of their time.
    mean = np.add.reduce(fitness) / len(fitness)
    std = math.sqrt(np.add.reduce(np.square(fitness - mean)) / len(fitness))
    return {"best": float(fitness.max()), "mean": float(mean), "worst": float(fitness.min()), "std": std}


def pixel_deviation(images: Images) -> float:
    """Return the standard deviation of a pixel over the images, in grey levels, averaged over some 64 pixels.

    They are spread evenly; of images of fewer than 128 values all are taken.
    """
    count = len(images)
    flat = images.reshape(count, -1)
    step = max(1, flat.shape[1] // DIVERSITY_PIXELS) | 1  # odd, so as not to stay in the same columns
    # Sums of integers are exact, so the figure does not depend on the order in which a machine adds them up; float32
    # holds those of 258 images, and is the fastest.
    exact = np.float32 if count * 255**2 <= 2**24 else np.float64
    values: Array = flat[:, ::step].astype(exact)
    ones: Array = np.ones(count, exact)
    total = (ones @ values).astype(np.float64)
    squares = (ones @ np.square(values, out=values)).astype(np.float64)
    return math.fsum(np.sqrt(count * squares - total**2).tolist()) / (count * len(total))
