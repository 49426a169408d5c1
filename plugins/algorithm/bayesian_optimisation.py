"""Bayesian optimisation of all targets in one run, which needs few queries."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fooldeap.plugin import Annotated, Evolution, Ge, Gt, Images, InputError, Lt, Rng, Toolbox, algorithm

from .._blas import libraries, single_thread
from ._vectors import Space

Floats = NDArray[np.float64]

DEFAULT_CONFIDENCE = 0.9999  # confidence, if the run has no goal of its own
MAX_IMAGES = 1000  # number of latest images in the model, whose cost is cubic in this number
NOISE = 1e-4  # variance of the noise, as a share of the variance of the logits
STARTS = 4  # ascents per target that start at its best images; as many start at random points
STEPS = 40  # steps of an ascent
FIRST_STEP = 0.075  # length of an ascent's first step: root mean square, in standard deviations of a gene
MOMENTUM = 0.8
CONTRAST = 64  # grey levels by which a gene must change an image to measure its effect
MAX_VALUES = 50_000_000  # largest size of the matrix with one image per gene
MAX_PIXELS = 2352  # largest number of pixel values, of all channels, of an image that the model sees as a whole
GRID_PIXELS = 1200  # largest number of pixel values that the model sees of a larger image


@algorithm("bayesian_optimisation", targets="all", uses=(), objectives="any")
def bayesian_optimisation(
    toolbox: Toolbox,
    rng: Rng,
    *,
    start: Annotated[int, Ge(STARTS)] = 25,
    confidence: Annotated[float, Gt(0), Lt(1)] | None = None,
    length: Annotated[float, Gt(0)] = 100.0,
) -> Evolution:
    """Predict the logits with Gaussian processes, and show the most promising image for each target.

    Bayesian optimisation (Kushner 1964; Jones, Schonlau and Welch 1998) for few queries. One run pursues all targets,
    because the logits of an image contain information on all of them. First, ``start`` random images are shown. From
    then on, Gaussian processes (Rasmussen and Williams 2006) predict the logits of any image from the images shown so
    far. Two images are similar if the root mean square of their differences is less than ``length`` grey levels. In
    each generation, the run shows for each unreached target the image with the highest predicted probability of
    reaching ``confidence``. Gradient ascent on the model finds this image, so the classifier need not have gradients.
    The default of ``confidence`` is the goal ``stop.confidence`` or, without a goal, 0.9999. The genome must be an
    array, and the image must be a linear function of it before clipping, as with ``dct``. Of an image with more than
    2352 values, the model sees a regular grid of pixels.
    """
    space = _ImageSpace(toolbox)
    blas = libraries()
    confidence = confidence or toolbox.goal.get("confidence", DEFAULT_CONFIDENCE)
    goal = math.log(confidence / (1 - confidence))
    genomes = toolbox.sample(start)
    reply = yield genomes
    points, logits = space.points(genomes), reply.predictions.logits
    reached = np.any(reply.predictions.probabilities >= confidence, axis=0)
    while True:
        targets = [target for target in toolbox.targets if not reached[target]] or toolbox.targets
        with single_thread(blas):
            found = _find_likeliest(space, _Model(space.images(points), logits, length), points, logits, targets, goal)
        genomes = space.genomes(found)
        reply = yield genomes
        points = np.concatenate([points, space.points(genomes)])[-MAX_IMAGES:]
        logits = np.concatenate([logits, reply.predictions.logits])[-MAX_IMAGES:]
        reached |= np.any(reply.predictions.probabilities >= confidence, axis=0)


def _find_likeliest(
    space: "_ImageSpace",
    model: "_Model",
    points: Floats,
    logits: NDArray[np.floating],
    targets: Sequence[int],
    goal: float,
) -> Floats:
    """Return for each target the point with the highest probability of log-odds above the goal.

    The points are float64 (len(targets), d).
    """
    starts = []
    for target in targets:
        odds, _ = _log_odds(logits, np.full(len(logits), target))
        starts += [points[np.argsort(-odds, kind="stable")[:STARTS]], space.random(STARTS)]
    climbing, aims = np.concatenate(starts), np.repeat(targets, 2 * STARTS)
    velocity = np.zeros_like(climbing)
    for step in range(STEPS):
        images = space.images(climbing)
        _, slopes = model.excess(images, aims, goal)
        velocity = MOMENTUM * velocity + (1 - MOMENTUM) * _normalise(space.slopes(images, slopes))
        climbing += FIRST_STEP * (1 - step / STEPS) * space.spread * _normalise(velocity)
    excess, _ = model.excess(space.images(climbing), aims, goal)
    best = excess.reshape(len(targets), -1).argmax(axis=1)
    found: Floats = climbing[np.arange(len(targets)) * 2 * STARTS + best]
    return found


def _normalise(vectors: Floats) -> Floats:
    """Scale vectors (n, d) to a root mean square of 1."""
    unit: Floats = vectors / np.maximum(np.sqrt(np.mean(vectors**2, axis=1, keepdims=True)), np.finfo(np.float64).tiny)
    return unit


def _log_odds(logits: NDArray[np.floating], aims: NDArray[np.intp]) -> tuple[Floats, Floats]:
    """Return the log-odds log p / (1 - p), (n,), and their gradients by the logits, (n, classes).

    ``aims`` is the class of each row.
    """
    from scipy.special import logsumexp  # imported late, here and below, so that listing plugins does not import scipy

    rows, others = np.arange(len(logits)), logits.astype(np.float64)
    others[rows, aims] = -np.inf
    against = logsumexp(others, axis=1)
    slopes = -np.exp(others - against[:, None])
    slopes[rows, aims] = 1
    return logits[rows, aims] - against, slopes


class _Model:
    """Gaussian processes that predict the logits, one per class.

    The covariance of two images is exp(-d**2 / 2), where d is their distance.

    Parameters
    ----------
    images : float64 (n, pixels), in grey levels
    logits : (n, classes)
    length : root mean square of the differences in grey levels between two images with d = 1
    """

    def __init__(self, images: Floats, logits: NDArray[np.floating], length: float) -> None:
        from scipy.linalg import cho_factor, cho_solve

        self.images, self.scale = images, 1 / (length**2 * images.shape[1])
        self.squares: Floats = (images**2).sum(axis=1)
        self.factor = cho_factor(self.covariance(images) + NOISE * np.eye(len(images)), lower=True)
        self.mean = logits.mean(axis=0, dtype=np.float64)
        self.weights: Floats = cho_solve(self.factor, logits - self.mean)
        # Maximum likelihood estimate, the same for all classes (Rasmussen and Williams 2006, section 5.4).
        self.variance = max(float(np.mean((logits - self.mean) * self.weights)), np.finfo(np.float64).tiny)

    def covariance(self, images: Floats) -> Floats:
        """Return the covariance of images (m, pixels) with the images of the model, (m, n)."""
        products = images @ self.images.T
        squares = (images**2).sum(axis=1)[:, None] + self.squares - 2 * products
        covariance: Floats = np.exp(-self.scale / 2 * squares)
        return covariance

    def excess(self, images: Floats, aims: NDArray[np.intp], goal: float) -> tuple[Floats, Floats]:
        """Return the expected excess of the log-odds over the goal, in standard deviations, with its gradients.

        The shapes are (m,) and (m, pixels). ``aims`` is the class of each image. The log-odds are linearised in the
        logits around the predicted means, so that they are normally distributed. Then a larger excess means a larger
        probability of reaching the goal. The gradients ignore how the linearisation changes; with two classes it does
        not change.
        """
        from scipy.linalg import cho_solve

        covariance = self.covariance(images)
        odds, by_logits = _log_odds(self.mean + covariance @ self.weights, aims)
        solved: Floats = cho_solve(self.factor, covariance.T).T
        doubt = np.maximum(
            1 - (covariance * solved).sum(axis=1), NOISE**2
        )  # posterior variance, as a share of self.variance
        deviation = np.sqrt(doubt * self.variance * (by_logits**2).sum(axis=1))
        excess = (odds - goal) / deviation
        by_covariance = by_logits @ self.weights.T / deviation[:, None] + (excess / doubt)[:, None] * solved
        pull = by_covariance * covariance
        return excess, self.scale * (pull @ self.images - pull.sum(axis=1)[:, None] * images)


class _ImageSpace(Space):
    """The vector space of the genomes, with the effect of each gene on the image, measured by decoding.

    Of large images, only a grid of pixels is used. These pixels are computed from the effects: decoding the whole
    image would take most of the time of a run.
    """

    def __init__(self, toolbox: Toolbox) -> None:
        super().__init__(toolbox, "bayesian_optimisation")
        self._toolbox = toolbox
        genes, shape = len(self.mean), self._decode(self.mean[None]).shape[1:]
        if genes * math.prod(shape) > MAX_VALUES:
            raise InputError(
                f"bayesian_optimisation: got {genes} genes and images of {math.prod(shape)} values, "
                f"expected a product of at most {MAX_VALUES}; use the genome 'dct'"
            )
        self._grid = _grid(shape)
        self._is_whole = self._grid.size == math.prod(shape)
        middle = np.full(genes, np.mean(toolbox.bounds or 0.0))
        centre = self._on_grid(middle[None])
        steps = np.ones(genes)
        for _ in range(64):
            changes = self._on_grid(middle + np.diag(steps)) - centre
            weak = np.abs(changes).max(axis=1) < CONTRAST
            if not weak.any():
                break
            steps[weak] *= 2
        self._effects: Floats = changes / steps[:, None]
        self._offset: Floats = centre - middle @ self._effects

    def random(self, count: int) -> Floats:
        """Sample genomes and return them as points (count, d)."""
        return self.points(self._toolbox.sample(count))

    def images(self, points: Floats) -> Floats:
        """Convert points to images, float64 (n, values), in grey levels."""
        if self._is_whole:
            return self._on_grid(points)
        images: Floats = np.clip(self._offset + self.points(self.genomes(points)) @ self._effects, 0, 255)
        return images

    def slopes(self, images: Floats, slopes: Floats) -> Floats:
        """Convert gradients by values of the image, (n, values), to gradients by genes, (n, d).

        The unit of a gene is its standard deviation.
        """
        free = (images > 0) & (images < 255)
        return (slopes * free) @ self._effects.T * self.spread

    def _on_grid(self, points: Floats) -> Floats:
        return self._decode(points).reshape(len(points), -1)[:, self._grid].astype(np.float64)

    def _decode(self, points: Floats) -> Images:
        images: Images = self._toolbox.decode(self.genomes(points))
        return images


def _grid(shape: tuple[int, int, int]) -> NDArray[np.intp]:
    """Return the places of a regular grid of pixels, with all channels, in a flat image."""
    height, width, channels = shape
    size = height * width * channels
    step = 1 if size <= MAX_PIXELS else math.ceil(math.sqrt(size / GRID_PIXELS))
    places = np.arange(size).reshape(height, width, channels)
    return places[(height - 1) % step // 2 :: step, (width - 1) % step // 2 :: step].ravel()
