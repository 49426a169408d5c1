"""Bayesian optimisation of all targets together, for the fewest queries."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fooldeap.plugin import Annotated, Evolution, Ge, Gt, InputError, Lt, Rng, Toolbox, algorithm

from .._blas import libraries, single_thread
from ._vectors import Space

Floats = NDArray[np.float64]

USUAL = 0.9999  # confidence, where the run has none for its goal
MEMORY = 1000  # images that the model knows, the latest: its cost grows with their cube
NOISE = 1e-4  # variance of what the model leaves unexplained, as a share of that of the logits
STARTS = 4  # climbs for each target that begin at its best images, and as many that begin at random
STEPS = 40  # of a climb
STRIDE = 0.075  # of a climb's first step: in standard deviations of a gene, root mean square
MOMENTUM = 0.8
CONTRAST = 64  # grey levels that an image must change, to tell how it depends on a gene
VALUES = 50_000_000  # of a table with an image for each gene, at most


@algorithm("bayesian_optimisation", targets="all", uses=())
def bayesian_optimisation(
    toolbox: Toolbox,
    rng: Rng,
    *,
    start: Annotated[int, Ge(STARTS)] = 25,
    confidence: Annotated[float, Gt(0), Lt(1)] | None = None,
    length: Annotated[float, Gt(0)] = 100.0,
) -> Evolution:
    """Show, for each target, the image that is likeliest to reach it by all that was seen until now.

    Bayesian optimisation (Kushner 1964; Jones, Schonlau and Welch 1998), with the fewest queries in mind: one run
    pursues all targets, since the logits of an image tell about all of them. First come ``start`` images at random.
    Then Gaussian processes (Rasmussen and Williams 2006) predict the logits of any image from those of the images
    shown; images are alike where they differ by less than ``length`` grey levels, root mean square. For each target
    that has no image of ``confidence`` yet (null: that of ``stop.confidence``, or 0.9999 where there is none), the
    image with the highest probability of it is shown next; gradient ascent finds it, on the model: of the classifier,
    logits are all it takes. For genomes that are arrays, and images that are linear in them before they are clipped,
    as of ``dct``.
    """
    space = _Waves(toolbox)
    blas = libraries()
    confidence = confidence or toolbox.goal.get("confidence", USUAL)
    goal = math.log(confidence / (1 - confidence))
    genomes = toolbox.sample(start)
    reply = yield genomes
    points, logits = space.points(genomes), reply.predictions.logits
    reached = np.any(reply.predictions.probabilities >= confidence, axis=0)
    while True:
        targets = [target for target in toolbox.targets if not reached[target]] or toolbox.targets
        with single_thread(blas):
            found = _likeliest(space, _Model(space.images(points), logits, length), points, logits, targets, goal)
        genomes = space.genomes(found)
        reply = yield genomes
        points = np.concatenate([points, space.points(genomes)])[-MEMORY:]
        logits = np.concatenate([logits, reply.predictions.logits])[-MEMORY:]
        reached |= np.any(reply.predictions.probabilities >= confidence, axis=0)


def _likeliest(
    space: "_Waves",
    model: "_Model",
    points: Floats,
    logits: NDArray[np.floating],
    targets: Sequence[int],
    goal: float,
) -> Floats:
    """Return for each target the point, (len(targets), d), with the highest probability of log-odds above the goal."""
    starts = []
    for target in targets:
        odds, _ = _log_odds(logits, np.full(len(logits), target))
        starts += [points[np.argsort(-odds, kind="stable")[:STARTS]], space.random(STARTS)]
    climbs, aims = np.concatenate(starts), np.repeat(targets, 2 * STARTS)
    velocity = np.zeros_like(climbs)
    for step in range(STEPS):
        images = space.images(climbs)
        _, slopes = model.promise(images, aims, goal)
        velocity = MOMENTUM * velocity + (1 - MOMENTUM) * _unit(space.slopes(images, slopes))
        climbs += STRIDE * (1 - step / STEPS) * space.spread * _unit(velocity)
    promise, _ = model.promise(space.images(climbs), aims, goal)
    best = promise.reshape(len(targets), -1).argmax(axis=1)
    found: Floats = climbs[np.arange(len(targets)) * 2 * STARTS + best]
    return found


def _unit(vectors: Floats) -> Floats:
    """Return vectors (n, d) scaled to a root mean square of 1."""
    unit: Floats = vectors / np.maximum(np.sqrt(np.mean(vectors**2, axis=1, keepdims=True)), np.finfo(np.float64).tiny)
    return unit


def _log_odds(logits: NDArray[np.floating], aims: NDArray[np.intp]) -> tuple[Floats, Floats]:
    """Return log p / (1 - p) of the class in ``aims`` of each row, (n,), and its slopes by the logits (n, classes)."""
    from scipy.special import logsumexp  # here and below: a list of plugins does not wait for scipy

    rows, others = np.arange(len(logits)), logits.astype(np.float64)
    others[rows, aims] = -np.inf
    against = logsumexp(others, axis=1)
    slopes = -np.exp(others - against[:, None])
    slopes[rows, aims] = 1
    return logits[rows, aims] - against, slopes


class _Model:
    """Gaussian processes that predict logits, one a class, with the covariance exp(-d**2 / 2) of two images.

    Parameters
    ----------
    images : float64 (n, pixels), in grey levels
    logits : (n, classes)
    length : root mean square of the grey levels between two images where d is 1
    """

    def __init__(self, images: Floats, logits: NDArray[np.floating], length: float) -> None:
        from scipy.linalg import cho_factor, cho_solve

        self.images, self.scale = images, 1 / (length**2 * images.shape[1])
        self.factor = cho_factor(self.covariance(images) + NOISE * np.eye(len(images)), lower=True)
        self.mean = logits.mean(axis=0, dtype=np.float64)
        self.weights: Floats = cho_solve(self.factor, logits - self.mean)
        # That of greatest likelihood (Rasmussen and Williams 2006, section 5.4), the same for all classes.
        self.variance = max(float(np.mean((logits - self.mean) * self.weights)), np.finfo(np.float64).tiny)

    def covariance(self, images: Floats) -> Floats:
        """Return the covariance of images (m, pixels) with those that the model knows, (m, n)."""
        products = images @ self.images.T
        squares = (images**2).sum(axis=1)[:, None] + (self.images**2).sum(axis=1) - 2 * products
        covariance: Floats = np.exp(-self.scale / 2 * squares)
        return covariance

    def promise(self, images: Floats, aims: NDArray[np.intp], goal: float) -> tuple[Floats, Floats]:
        """Return by how many standard deviations images are thought to pass the goal, (m,), and slopes (m, pixels).

        The log-odds of each image's class in ``aims`` are taken to be linear in the logits around their means, and so
        normally distributed: the larger the number, the larger the probability. The slopes leave out that this line
        changes, which of two classes it does not.
        """
        from scipy.linalg import cho_solve

        covariance = self.covariance(images)
        odds, by_logits = _log_odds(self.mean + covariance @ self.weights, aims)
        solved: Floats = cho_solve(self.factor, covariance.T).T
        doubt = np.maximum(1 - (covariance * solved).sum(axis=1), NOISE**2)  # variance, as a share of self.variance
        deviation = np.sqrt(doubt * self.variance * (by_logits**2).sum(axis=1))
        promise = (odds - goal) / deviation
        by_covariance = by_logits @ self.weights.T / deviation[:, None] + (promise / doubt)[:, None] * solved
        pull = by_covariance * covariance
        return promise, self.scale * (pull @ self.images - pull.sum(axis=1)[:, None] * images)


class _Waves(Space):
    """The space of genomes, and how images depend on each gene: measured, by decoding."""

    def __init__(self, toolbox: Toolbox) -> None:
        super().__init__(toolbox, "bayesian_optimisation")
        self._toolbox = toolbox
        genes, pixels = len(self.mean), self.images(self.mean[None]).size
        if genes * pixels > VALUES:
            raise InputError(
                f"bayesian_optimisation holds an image for each gene, got {genes} genes of {pixels} values, "
                f"expected at most {VALUES} in all; use the genome 'dct'"
            )
        middle = np.full(genes, np.mean(toolbox.bounds or 0.0))
        steps = np.ones(genes)
        for _ in range(64):
            changes = self.images(middle + np.diag(steps)) - self.images(middle[None])
            faint = np.abs(changes).max(axis=1) < CONTRAST
            if not faint.any():
                break
            steps[faint] *= 2
        self._waves: Floats = changes / steps[:, None]

    def random(self, count: int) -> Floats:
        """Return points (count, d) as genomes are sampled."""
        return self.points(self._toolbox.sample(count))

    def images(self, points: Floats) -> Floats:
        """Return points as images, float64 (n, pixels), in grey levels."""
        images: Floats = self._toolbox.decode(self.genomes(points)).reshape(len(points), -1).astype(np.float64)
        return images

    def slopes(self, images: Floats, slopes: Floats) -> Floats:
        """Return slopes by the standard deviation of each gene (n, d) for those by the images' pixels."""
        free = (images > 0) & (images < 255)
        return (slopes * free) @ self._waves.T * self.spread
