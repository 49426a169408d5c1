"""The current best images of the runs."""

import itertools
import math
from collections.abc import Callable, Iterable

from fooldeap.formatting import percent
from fooldeap.plugin import Array, BestYet, ExperimentInfo, Predictions, RunInfo, RunResult

from ._blocks import PREFERRED_WIDTH, Mosaic, Picture, fit_grid

MAX_IMAGES = 20  # shown at a time

_Key = tuple[int, int]  # seed and target


class Gallery:
    """Collects the current images of active runs and the final images of ended ones."""

    def __init__(self, session: ExperimentInfo) -> None:
        self._goal = session.goal.get("confidence", math.inf)
        self._several = len({run.seed for run in session.runs}) > 1
        self._watched: dict[_Key, Callable[[], Predictions | None]] = {}
        self._kept: dict[_Key, Picture] = {}

    def watch(self, run: RunInfo, best: BestYet) -> None:
        """Show the images of a run from now on."""
        for target in run.targets:
            self._watched[run.seed, target] = lambda target=target: best(target)  # type: ignore[misc]

    def keep(self, result: RunResult) -> None:
        """Store the final image of a run."""
        key = result.seed, result.target
        self._watched.pop(key, None)
        self._kept[key] = self._picture(key, result.image.pixels, result.confidence, reached=result.reached)
        if len(self._kept) > MAX_IMAGES:
            del self._kept[next(iter(self._kept))]

    def prefer(self, keys: Iterable[_Key]) -> None:
        """Show the images of these active runs first."""
        self._watched = {**{key: self._watched[key] for key in keys if key in self._watched}, **self._watched}

    def clear(self) -> None:
        """Forget all images."""
        self._watched, self._kept = {}, {}

    def mosaic(self, columns: int, lines: int) -> Mosaic | None:
        """Return the images that fit into an area of a terminal. Return None if none fits, or if there are none.

        Images of active runs have priority.
        """
        pictures = self._pictures()
        if not pictures:
            return None
        height, width = next(iter(pictures.values())).image.shape[:2]
        grid = fit_grid(len(pictures), height / width, columns, lines)
        shown = sorted(itertools.islice(pictures.items(), grid.places))
        cramped = grid.width < PREFERRED_WIDTH or len(shown) < len(pictures)
        return Mosaic([picture for _, picture in shown], grid, cramped=cramped) if shown else None

    def _pictures(self) -> dict[_Key, Picture]:
        """Return the images of active runs, and then those of the runs that ended last, at most ``MAX_IMAGES``."""
        pictures = {}
        for key, look in itertools.islice(self._watched.items(), MAX_IMAGES):
            best = look()
            if best is not None:
                confidence = float(best.probabilities[0, key[1]])
                pictures[key] = self._picture(key, best.images[0], confidence, reached=confidence >= self._goal)
        ended = itertools.islice(reversed(self._kept.items()), MAX_IMAGES - len(pictures))
        return {**pictures, **dict(ended)}

    def _picture(self, key: _Key, image: Array, confidence: float, *, reached: bool) -> Picture:
        seed, target = key
        name = f"{seed}/{target}" if self._several else f"{target}"
        return Picture(image, f"{name} {percent(confidence)}", "bold green" if reached else "")
