"""The best distinct images of a run for one target, for the key ``keep``."""

from typing import Any

import numpy as np

from fooldeap.plugin import Array
from fooldeap.results import FoolingImage, KeptImage


class KeptImages:
    """At most ``most`` distinct images, the best first. Images that reached the goal rank above all others.

    Of equally good images, the one that was shown first ranks higher.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._ranks: list[tuple[bool, float]] = []
        self._images: list[tuple[bytes, KeptImage]] = []

    @property
    def images(self) -> tuple[KeptImage, ...]:
        """The images."""
        return tuple(image for _, image in self._images)

    def add(self, shown: Any, target: int, reached: Array | None) -> None:
        """Compare the images of a generation, a `fooldeap.engine.run_statistics.Shown`, with the kept ones."""
        fitness = shown.fitness(target)
        reached = np.zeros(len(fitness), bool) if reached is None else reached
        merit = np.where(reached, shown.second(target), fitness)
        known = {digest for digest, _ in self._images}
        for row in np.lexsort((-merit, ~reached)).tolist():
            rank, digest = (bool(reached[row]), float(merit[row])), shown.batch.digests[row]
            if len(self._ranks) == self.most and rank <= self._ranks[-1]:
                return
            if digest not in known:
                known.add(digest)
                place = sum(each >= rank for each in self._ranks)
                self._ranks[place:] = [rank, *self._ranks[place:]][: self.most - place]
                kept = digest, _kept(shown, target, row, float(fitness[row]))
                self._images[place:] = [kept, *self._images[place:]][: self.most - place]


def _kept(shown: Any, target: int, row: int, fitness: float) -> KeptImage:
    probabilities = shown.reply.predictions.probabilities[row]
    image, _ = shown.copy_of(row)
    return KeptImage(
        image=FoolingImage(image),
        predicted=int(probabilities.argmax()),
        confidence=float(probabilities[target]),
        score=fitness,
        evaluations=shown.before + 1 + int(np.searchsorted(shown.batch.new, row)),
    )
