"""A genome without arrays: each individual is a list of grey rectangles."""

import copy
from typing import ClassVar

import numpy as np

from fooldeap.plugin import crossover, dataclass, genome, mutation


def random_rectangle(rng, height, width):
    """Return (top, left, bottom, right, grey)."""
    top, left = int(rng.integers(height)), int(rng.integers(width))
    return [top, left, int(rng.integers(top, height)) + 1, int(rng.integers(left, width)) + 1, int(rng.integers(256))]


@genome("rectangles")
@dataclass(frozen=True)
class Rectangles:
    """Lists of rectangles, painted in order on a grey background."""

    shape: tuple[int, int, int]
    dtype: ClassVar[str | None] = None
    bounds: ClassVar[tuple[float, float] | None] = None

    def sample(self, count, rng):
        return [[random_rectangle(rng, *self.shape[:2]) for _ in range(3)] for _ in range(count)]

    def decode(self, genomes):
        images = np.full((len(genomes), *self.shape), 128, np.uint8)
        for image, rectangles in zip(images, genomes, strict=True):
            for top, left, bottom, right, grey in rectangles:
                image[top:bottom, left:right] = grey
        return images

    def take(self, genomes, indices):
        return [copy.deepcopy(genomes[index]) for index in indices]


@mutation("another_rectangle", genome="rectangles")
def another_rectangle(genomes, rng):
    """Replace a rectangle of each individual, or add one."""
    for rectangles in genomes:
        new = random_rectangle(rng, 8, 8)
        if rng.random() < 0.5 or not rectangles:
            rectangles.append(new)
        else:
            rectangles[rng.integers(len(rectangles))] = new
    return genomes


@crossover("swap_tails", genome="rectangles")
def swap_tails(first, second, rng):
    """One-point crossover of the lists."""
    for one, other in zip(first, second, strict=True):
        point = int(rng.integers(min(len(one), len(other)) + 1))
        one[point:], other[point:] = other[point:], one[point:]
    return first, second
