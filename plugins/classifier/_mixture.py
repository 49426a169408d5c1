"""Class-conditional densities: mixtures of normal distributions over principal components."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fooldeap.plugin import Images, Rng, Split

Floats = NDArray[np.float64]

ROUNDS = 40
HELD_OUT = 5000  # training images for the calibration; the densities are fitted to the others
FLOOR = 0.06  # the least variance, as a share of the mean variance of the data


class Densities(NamedTuple):
    """A density of images for each class. All images have the same shape.

    The density of the first principal components is a mixture of normal distributions. Each class has its own mixture.
    All other directions have the same normal noise in every class (probabilistic principal components, Tipping and
    Bishop 1999).
    """

    shape: tuple[int, int, int]
    mean: Floats  # (pixels,), from 0 to 1
    directions: Floats  # (pixels, components)
    noise: float  # variance
    priors: Floats  # (classes,), logarithms
    roots: Floats  # (classes, parts, components, components)
    shifts: Floats  # (classes, parts, components)
    offsets: Floats  # (classes, parts)
    temperature: float
    held_out: Floats  # log p(x) of the images for the calibration, sorted

    @classmethod
    def of(cls, arrays: Mapping[str, Any]) -> "Densities":
        """Return the densities in the arrays of a file.

        Raises
        ------
        KeyError
            An array is missing.
        ValueError
            The shapes of the arrays do not fit together.
        """
        read = {name: np.asarray(arrays[name], np.float64) for name in cls._fields if name != "shape"}
        height, width, channels = (int(length) for length in arrays["shape"])
        _check_sizes(height * width * channels, read)
        noise, temperature = float(read.pop("noise")), float(read.pop("temperature"))
        return cls((height, width, channels), noise=noise, temperature=temperature, **read)

    @property
    def classes(self) -> int:
        """How many classes there are."""
        return len(self.priors)

    def joint(self, images: Images) -> Floats:
        """Return log p(x, c) up to a constant, (n, classes), for uint8 images."""
        from scipy.special import logsumexp  # imported late, here and below, so that listing the plugins is fast

        points = flat(images) - self.mean
        projected = points @ self.directions
        rest = np.square(points).sum(axis=1) - np.square(projected).sum(axis=1)
        mixtures = map(Mixture, self.roots, self.shifts, self.offsets)
        own = np.stack([logsumexp(mixture.parts(projected), axis=1) for mixture in mixtures], axis=1)
        joint: Floats = own + self.priors - rest[:, None] / (2 * self.noise)
        return joint


def _check_sizes(pixels: int, arrays: Mapping[str, Floats]) -> None:
    """Raise ValueError if the shapes of the arrays do not fit together."""
    components, offsets = arrays["directions"].shape[1:], arrays["offsets"].shape
    expected = {
        "mean": (pixels,),
        "directions": (pixels, *components),
        "priors": offsets[:1],
        "shifts": (*offsets, *components),
        "roots": (*offsets, *components, *components),
    }
    for name, shape in expected.items():
        if arrays[name].shape != shape:
            raise ValueError(f"{name} is {arrays[name].shape}, expected {shape}")


def fit(data: Split, components: int, parts: int, rng: Rng) -> Densities:
    """Fit densities to all training images except the last 5000, and the temperature to these 5000."""
    from scipy.special import logsumexp

    images, labels = data.train_images[:-HELD_OUT], data.train_labels[:-HELD_OUT]
    points = flat(images)
    mean = points.mean(axis=0)
    variances, directions = np.linalg.eigh(np.cov(points, rowvar=False))
    directions = directions[:, : -components - 1 : -1]
    projected = (points - mean) @ directions
    own = [labels == label for label in range(int(labels.max()) + 1)]
    mixtures = [fitted(projected[each], parts, rng) for each in own]
    height, width, channels = images.shape[1:]
    roots, shifts, offsets = map(np.array, zip(*mixtures, strict=True))
    made = Densities(
        (height, width, channels),
        mean,
        directions,
        noise=float(variances[:-components].mean()),
        priors=np.log([each.mean() for each in own]),
        roots=roots,
        shifts=shifts,
        offsets=offsets,
        temperature=1.0,
        held_out=np.empty(0),
    )
    made = Densities.of({**made._asdict(), **{name: np.float32(getattr(made, name)) for name in ROUNDED}})
    joint = made.joint(data.train_images[-HELD_OUT:])
    temperature = _temperature(joint, data.train_labels[-HELD_OUT:])
    return made._replace(temperature=temperature, held_out=np.sort(logsumexp(joint, axis=1)))


ROUNDED = ("mean", "directions", "roots", "shifts")  # to float32, as they are stored in a file


def flat(images: Images) -> Floats:
    """Return uint8 images as points (n, pixels) float64, from 0 to 1."""
    return images.reshape(len(images), -1) / 255.0


def _temperature(joint: Floats, labels: NDArray[Any]) -> float:
    """Return the temperature that maximises the likelihood of the labels."""
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    def loss(log_temperature: float) -> float:
        scaled = log_softmax(joint / np.exp(log_temperature), axis=1)
        return -float(scaled[np.arange(len(labels)), labels].mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-3, 8), method="bounded").x))


class Mixture(NamedTuple):
    """A mixture of k normal distributions in d dimensions.

    The log-density of part i at z is ``offsets[i] - |z @ roots[i] - shifts[i]|^2 / 2``. It includes the weight.
    """

    roots: Floats  # (k, d, d), a root of each precision matrix
    shifts: Floats  # (k, d), the means in these coordinates
    offsets: Floats  # (k,)

    def parts(self, points: Floats) -> Floats:
        """Return the log-densities (n, k) of the parts at points (n, d). They include the weights."""
        whitened = points @ self.roots - self.shifts[:, None]
        densities: Floats = self.offsets - np.sum(np.square(whitened), axis=2).T / 2
        return densities


def fitted(points: Floats, count: int, rng: Rng) -> Mixture:
    """Fit a mixture of ``count`` parts to points (n, d) with the EM algorithm (Dempster, Laird and Rubin 1977)."""
    from scipy.special import logsumexp

    floor = FLOOR * points.var(axis=0).mean() * np.eye(points.shape[1])
    near = _nearest(points, points[rng.choice(len(points), count, replace=False)])
    shares = np.eye(count)[near]
    for _ in range(ROUNDS):
        mixture = _maximised(points, shares, floor)
        parts = mixture.parts(points)
        shares = np.exp(parts - logsumexp(parts, axis=1, keepdims=True))
    return mixture


def _nearest(points: Floats, centres: Floats) -> NDArray[np.intp]:
    distances = np.square(centres).sum(axis=1) - 2 * points @ centres.T
    nearest: NDArray[np.intp] = distances.argmin(axis=1)
    return nearest


def _maximised(points: Floats, shares: Floats, floor: Floats) -> Mixture:
    """Return the mixture of maximum likelihood, given the shares (n, k) of the parts in each point."""
    totals = shares.sum(axis=0) + 1e-9
    means = shares.T @ points / totals[:, None]
    covariances = [
        (points * share[:, None]).T @ points / total - np.outer(mean, mean) + floor
        for share, total, mean in zip(shares.T, totals, means, strict=True)
    ]
    roots = np.linalg.inv(np.linalg.cholesky(covariances)).transpose(0, 2, 1)
    volumes = np.log(np.diagonal(roots, axis1=1, axis2=2)).sum(axis=1)
    offsets = np.log(totals / totals.sum()) + volumes - points.shape[1] / 2 * np.log(2 * np.pi)
    return Mixture(roots, np.einsum("kd,kde->ke", means, roots), offsets)
