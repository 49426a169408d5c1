"""The best images of the runs, as they are now."""

import itertools
import math
from collections.abc import Callable

from fooldeap.numerals import percent
from fooldeap.plugin import Array, BestYet, Predictions, RunInfo, RunResult, Session

from ._blocks import EASY, Mosaic, Picture, fitted

MOST = 20  # images that are shown at a time

_Key = tuple[int, int]  # seed and target


class Gallery:
    """Looks at the runs under way, and keeps the images of those that ended."""

    def __init__(self, session: Session) -> None:
        self._goal = session.goal.get("confidence", math.inf)
        self._several = len({run.seed for run in session.runs}) > 1
        self._watched: dict[_Key, Callable[[], Predictions | None]] = {}
        self._kept: dict[_Key, Picture] = {}

    def watch(self, run: RunInfo, best: BestYet) -> None:
        """Begin to look at a run."""
        for target in run.targets:
            self._watched[run.seed, target] = lambda target=target: best(target)  # type: ignore[misc]

    def keep(self, result: RunResult) -> None:
        """Take the image that a run ended with."""
        key = result.seed, result.target
        self._watched.pop(key, None)
        self._kept[key] = self._picture(key, result.image.pixels, result.confidence, reached=result.reached)
        if len(self._kept) > MOST:
            del self._kept[next(iter(self._kept))]

    def mosaic(self, columns: int, lines: int) -> Mosaic | None:
        """Return the images that a room has place for, None where there is none: those under way before others."""
        pictures = self._pictures()
        if not pictures:
            return None
        height, width = next(iter(pictures.values())).image.shape[:2]
        grid = fitted(len(pictures), height / width, columns, lines)
        shown = sorted(itertools.islice(pictures.items(), grid.places))
        cramped = grid.width < EASY or len(shown) < len(pictures)
        return Mosaic([picture for _, picture in shown], grid, cramped=cramped) if shown else None

    def _pictures(self) -> dict[_Key, Picture]:
        """Look at those under way, and at those that ended last, as far as there are places."""
        pictures = {}
        for key, look in itertools.islice(self._watched.items(), MOST):
            seen = look()
            if seen is not None:
                confidence = float(seen.probabilities[0, key[1]])
                pictures[key] = self._picture(key, seen.images[0], confidence, reached=confidence >= self._goal)
        ended = itertools.islice(reversed(self._kept.items()), MOST - len(pictures))
        return {**pictures, **dict(ended)}

    def _picture(self, key: _Key, image: Array, confidence: float, *, reached: bool) -> Picture:
        seed, target = key
        name = f"{seed}/{target}" if self._several else f"{target}"
        return Picture(image, f"{name} {percent(confidence)}", "bold green" if reached else "")
