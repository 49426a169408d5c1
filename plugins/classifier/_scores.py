"""Functions that all classifiers share: scaling of pixels, checks of scores, and names of classes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray

from fooldeap.contract_checks import described
from fooldeap.plugin import Array, Ge, Images, InputError
from fooldeap.storage.inputs import read_text

Side = Annotated[int, Ge(1)]
InputRange = tuple[Literal[0], Literal[255]] | tuple[Literal[0], Literal[1]] | tuple[Literal[-1], Literal[1]]
Outputs = Literal["auto", "logits", "probabilities", "sigmoid"]

FLOOR = 1e-30
"""The lower limit of probabilities before their logarithm is taken, for models that return only probabilities."""

NEARLY = 0.1  # rows of 0..1 that sum to 1 within this tolerance may be coarse probabilities

PROBES = 64
MOST_NUMBERS = 1 << 24  # numbers in an image: 2364 x 2364 in colour
MOST_BATCH = 1 << 28  # numbers in a batch of fixed size
NUMBERS = "biuf"  # kinds of dtypes
LONGEST_NAME = 80  # characters in the name of a class
PIXELS = "set 'input_range' or 'preprocessing' to the pixels that it was trained on, such as 'input_range: [0, 1]'"
WRAP = "'Other inputs and outputs' in docs/classifiers.md"


def probes(shape: tuple[int, int, int]) -> Images:
    """Return probe images, uint8 (64, h, w, c): a black one, a white one, and random ones. They are always the same."""
    images = np.random.default_rng(0).integers(0, 256, (PROBES, *shape), dtype=np.uint8)
    images[0], images[1] = 0, 255
    return images


def check_size(shape: tuple[int, int, int], batch: int | None, where: str) -> None:
    """Refuse images and batches of fixed size that are too large.

    Raises
    ------
    InputError
        An image has more than `MOST_NUMBERS` numbers, or a batch has more than `MOST_BATCH`.
    """
    numbers = math.prod(shape)
    if numbers > MOST_NUMBERS:
        raise InputError(
            f"{where} takes images of {shape}, {numbers:,} numbers each, expected at most {MOST_NUMBERS:,}; "
            "take a model of smaller images"
        )
    if batch is not None and batch * numbers > MOST_BATCH:
        raise InputError(
            f"{where} takes {batch:,} images of {shape} at a time, expected at most {MOST_BATCH // numbers:,}; "
            "export it for smaller batches, or for batches of any size"
        )


@dataclass(frozen=True)
class Scaling:
    """The map from grey levels to the input of a model: pixels * ``scale`` + ``offset``, both float32 (c,).

    With ``reverse``, the channels are reversed first, so that the model gets BGR.
    """

    scale: NDArray[np.float32]
    offset: NDArray[np.float32]
    reverse: bool = False

    @classmethod
    def of(
        cls,
        input_range: tuple[int, int],
        mean: Sequence[float] | None,
        std: Sequence[float] | None,
        channels: int,
        where: str,
        order: str = "rgb",
    ) -> "Scaling":
        """Return the scaling to ``input_range`` with ``mean`` subtracted, divided by ``std``.

        ``mean`` and ``std`` have one number for each channel, in the ``order`` of the model's channels.

        Raises
        ------
        InputError
            The count of numbers differs from the number of channels, or a standard deviation is not positive.
        """
        for name, values in (("mean", mean), ("std", std)):
            if values is not None and len(values) != channels:
                same = len(set(values)) == 1
                cure = f"say '{name}: {[values[0]] * channels}'" if same else f"give {channels}"
                raise InputError(
                    f"{where}: {name} has {len(values)} numbers, expected {channels}, one a channel; {cure}"
                )
        if order == "bgr" and channels != 3:
            cure = leave_out(["channels"])
            raise InputError(f"{where}: got 'channels: bgr' for images of {channels} channel, expected 3; {cure}")
        if std is not None and min(std) <= 0:
            least = f"{where}: std has {min(std):g}, expected numbers > 0"
            raise InputError(f"{least}; say 'std: [{', '.join(['1' if each <= 0 else f'{each:g}' for each in std])}]'")
        low, high = input_range
        cls._check_range(low, high, mean, std, where)
        means, stds = np.array(mean or [0.0] * channels), np.array(std or [1.0] * channels)
        return cls(
            ((high - low) / 255 / stds).astype(np.float32), ((low - means) / stds).astype(np.float32), order == "bgr"
        )

    @staticmethod
    def _check_range(
        low: int, high: int, mean: Sequence[float] | None, std: Sequence[float] | None, where: str
    ) -> None:
        """Refuse a mean or standard deviation of pixels in another range than the input range."""
        outside = [value for value in mean or () if not low <= value <= high]
        fits = "[0, 255]" if high <= 1 else "[0, 1]"
        if outside:
            raise InputError(
                f"{where}: got the mean {outside[0]:g} of pixels in 'input_range: [{low}, {high}]'; "
                f"give the range to which the mean belongs, such as 'input_range: {fits}'"
            )
        if std is not None and high > 1 and max(std) < 1 and max(mean or (0,)) <= 1:
            raise InputError(
                f"{where}: got standard deviations below 1 of pixels in 'input_range: [{low}, {high}]'; "
                f"give the range to which they belong, such as 'input_range: {fits}'"
            )

    @property
    def changes_nothing(self) -> bool:
        """Whether the scaling is the identity."""
        return bool((self.scale == 1).all() and (self.offset == 0).all()) and not self.reverse

    def equals(self, other: "Scaling") -> bool:
        """Return whether both scalings are the same."""
        same = np.array_equal(self.scale, other.scale) and np.array_equal(self.offset, other.offset)
        return same and self.reverse == other.reverse

    def __call__(self, images: Images) -> NDArray[np.float32]:
        """Return scaled images (n, h, w, c), float32."""
        pixels = images[..., ::-1] if self.reverse else images
        scaled: NDArray[np.float32] = pixels.astype(np.float32) * self.scale + self.offset
        return scaled


def as_scores(found: object, expected: tuple[int, int], where: str) -> NDArray[np.float32]:
    """Return the output of a model as scores (n, classes), float32.

    Raises
    ------
    InputError
        The output is not an array of real numbers of the shape ``expected``, (n, classes).
    """
    try:
        scores = np.asarray(found)
    except Exception:  # rows of different lengths; tensors that some packages cannot copy from their device
        scores = np.empty((), object)
    if scores.ndim > 2 and scores.shape[:1] == expected[:1] and [n for n in scores.shape[1:] if n > 1] == [expected[1]]:
        scores = scores.reshape(expected)  # axes of size 1 do not count, as of (n, 1, 1, classes)
    if scores.shape != expected or scores.dtype.kind not in NUMBERS:
        raise InputError(
            f"{where} gives {_got(found, scores)} for {expected[0]} images, expected floats {expected}, the logits or "
            f"probabilities of an image in a row; {_cure(scores, expected)}"
        )
    with np.errstate(over="ignore"):  # later checks report infinite scores
        return scores.astype(np.float32, copy=False)


def _got(found: object, scores: Array) -> str:
    if scores.dtype.kind == "U":
        return f"text {scores.shape}"
    if scores.ndim or found is None:
        return "None" if found is None else described(scores)
    return "rows of several lengths" if isinstance(found, list | tuple) else described(found)


def _cure(scores: Array, expected: tuple[int, int]) -> str:
    count, classes = expected
    if scores.dtype.kind not in NUMBERS:
        return "return an array of real numbers, as np.array(rows, np.float32)"
    if scores.shape in ((count,), (count, 1)):
        return "of one score an image make two: np.stack([1 - p, p], axis=1)"
    if scores.shape == (classes, count):
        return "transpose it"
    if scores.ndim == 2 and len(scores) == count:
        return f"say 'classes: {scores.shape[1]}', or return as many scores as there are classes"
    return "return a row for each image of the batch (n, height, width, channels)"


def class_count(shape: Sequence[int | None], where: str) -> int:
    """Return the number of classes of an output. ``shape`` is that for one image; axes of size 1 do not count.

    Raises
    ------
    InputError
        The output is not one score for each of at least two classes.
    """
    sizes = [size for size in shape if size != 1]
    if not sizes and len(shape):
        raise InputError(
            f"{where} gives one score for each image, expected one for each of at least 2 classes; make two of it, "
            f"1 - p and p, see {WRAP}"
        )
    if len(sizes) != 1 or not sizes[0]:
        shown = tuple("?" if size is None else size for size in shape)
        raise InputError(
            f"{where} gives outputs of shape {shown} for each image, expected one score for each class, (classes,); "
            f"save it without what follows the scores, or wrap it, see {WRAP}"
        )
    return sizes[0]


def check_rows(rows: int, images: int, shape: tuple[int, ...], where: str) -> None:
    """Refuse a model that does not return one row for each image: it takes other images."""
    if rows != images:
        raise InputError(
            f"{where} gives {rows} rows for {images} images of {shape}, expected a row for each; see whether 'shape' "
            "is that of its images, and whether its input has an axis for the images of a batch, as (n, height, width, "
            "channels) has; export it with this axis"
        )


def check_removed(gap: float, kind: str, tolerance: float, where: str) -> None:
    """Refuse a model whose output differs from the confidences from its logits by more than ``tolerance``."""
    if not gap <= tolerance:
        raise InputError(
            f"{where} gives other probabilities than {kind} of its logits, by {gap:.2g}, expected at most "
            f"{tolerance:g}; say 'outputs: {'sigmoid' if kind == 'sigmoid' else 'probabilities'}'"
        )


def are_probabilities(scores: Array) -> bool:
    """Return whether every row of ``scores`` (n, classes) sums to 1 and no number is negative."""
    return bool((scores >= 0).all() and np.allclose(scores.sum(axis=1), 1, atol=1e-2))


def confidence_kind(scores: Array, outputs: Outputs, where: str, pixels: str = PIXELS) -> str:
    """Return how confidences follow from a model's output, see `fooldeap.contracts.log_confidences`.

    ``scores`` (n, classes) are the output for probe images. ``pixels`` says how the user changes the pixels. If the
    result is ``probability``, the logits are the `logarithms` of the output. In all other cases they are the output.

    Raises
    ------
    InputError
        The output does not agree with ``outputs``, it is not finite, or its kind is ambiguous.
    """
    check_larger_is_likelier(scores, where)
    if not np.isfinite(scores).all():
        raise InputError(f"{where} gives NaN or infinity on random images, expected finite numbers; {pixels}")
    shares = are_probabilities(scores)
    if shares and np.isin(scores, (0, 1)).all():
        raise InputError(
            f"{where} gives only 0 and 1, as labels do, expected the score of each class; return the scores before "
            f"argmax; if they are rounded probabilities, {pixels}"
        )
    if not shares and _sums_over_images(scores):
        raise InputError(
            f"{where} gives outputs that sum to 1 over the images of a batch, expected a sum over the classes; its "
            "softmax is over the wrong axis: correct it to 'dim=1' (PyTorch) or 'axis=-1' (Keras, ONNX)"
        )
    unit = bool((scores >= 0).all() and (scores <= 1 + NEARLY).all())
    nearly = bool((scores >= 0).all() and np.allclose(scores.sum(axis=1), 1, atol=NEARLY))
    if outputs == "logits" and shares:
        raise InputError(f"{where} gives probabilities (they sum to 1), not 'outputs: logits'; use 'outputs: auto'")
    if outputs == "probabilities" and not (unit and nearly):
        raise InputError(f"{where} does not give probabilities: {choices(scores)}")
    if outputs == "auto" and not shares and (unit or nearly or _constant_sum(scores)):
        raise InputError(f"{where}: {choices(scores)}")
    if outputs == "sigmoid" and not unit:
        return "sigmoid"
    return "probability" if outputs in ("probabilities", "sigmoid") or (outputs == "auto" and shares) else "softmax"


def are_log_probabilities(scores: Array) -> bool:
    """Return whether the numbers are logarithms of probabilities, as of a log-softmax: their softmax is exact."""
    return bool((scores <= 0).all() and np.allclose(np.exp(scores).sum(axis=1), 1, atol=1e-3))


def check_larger_is_likelier(scores: Array, where: str) -> None:
    """Refuse negative log-probabilities, where the smallest number means the likeliest class, and odds, p / (1 - p).

    Both are recognised by the sum of their probabilities, which is 1 for every image.

    Raises
    ------
    InputError
        The output is one of these.
    """
    exact = scores.astype(np.float64)
    with np.errstate(invalid="ignore"):  # of infinity, which stands for a probability of 0 or of 1
        if exact.min() < -1e-3 or np.ptp(exact, axis=0).max() < NEARLY:
            return
        shares = np.where(np.isposinf(exact), 1, exact / (1 + exact))
    if np.allclose(np.exp(-exact).sum(axis=1), 1, atol=1e-2):
        raise InputError(
            f"{where} gives negative log-probabilities (exp(-output) sums to 1): the likeliest class has the smallest "
            "number, expected the largest; negate them: return -output from the model or a function"
        )
    if np.allclose(shares.sum(axis=1), 1, atol=1e-2):
        raise InputError(
            f"{where} gives odds, p / (1 - p) of each probability p (output / (1 + output) sums to 1), expected logits "
            "or probabilities; return output / (1 + output) from the model or a function"
        )


def _sums_over_images(scores: Array) -> bool:
    """Return whether the numbers of each class sum to the same whole number, that of the batches of probe images.

    In batches of one image, every number is 1.
    """
    if (scores == 1).all():
        return True
    sums = scores.sum(axis=0)
    whole, varied = round(float(sums[0])), np.ptp(scores, axis=0).any()
    return bool((scores >= 0).all() and varied and whole >= 1 and np.allclose(sums, whole, atol=1e-3))


def _constant_sum(scores: Array) -> float | None:
    """Return the sum of every row if all sums are equal, no number is negative and some are above 1, else None."""
    sums = scores.sum(axis=1)
    if scores.min() < 0 or scores.max() <= 1 + NEARLY or np.ptp(sums) > 1e-2 * sums.mean():
        return None
    return float(sums.mean())


def choices(scores: Array) -> str:
    """Return the range of a model's output for probe images, and the values of ``outputs`` to choose from."""
    total = _constant_sum(scores)
    if total is not None:
        return (
            f"its output sums to {total:.4g} for every image, as probabilities times {total:.4g} do; divide the output "
            f"by {total:.4g} in the model or in a function; if these are the scores before softmax, say "
            "'outputs: logits'"
        )
    rounded = np.allclose(scores.sum(axis=1), 1, atol=NEARLY) and scores.min() >= 0
    return (
        f"its output lies between {scores.min():.3g} and {scores.max():.3g} and does not sum to 1; "
        "if these are the scores before softmax, say 'outputs: logits'; if each number is the probability of its "
        "class, say 'outputs: sigmoid'"
        + ("; if they are a rounded softmax, 'outputs: probabilities'" if rounded else "")
    )


def logarithms(probabilities: Array) -> NDArray[np.float32]:
    """Return log p, float32. Probabilities below `FLOOR` are raised to `FLOOR`.

    Raises
    ------
    ValueError
        A number is no probability.
    """
    if probabilities.size and not (probabilities.min() >= -NEARLY and probabilities.max() <= 1 + NEARLY):
        low, high = probabilities.min(), probabilities.max()
        raise ValueError(
            f"got outputs between {low:.3g} and {high:.3g}, expected probabilities from 0 to 1; divide percentages by "
            "100, or say what else the 'outputs' are"
        )
    logs: NDArray[np.float32] = np.log(np.maximum(probabilities.astype(np.float32), np.float32(FLOOR)))
    return logs


def check_integers(dtype: str, keys: Sequence[str], where: str) -> None:
    """Refuse keys that change the pixels of a model that takes integers: they would be rounded."""
    if "int" in dtype and keys:
        bgr = f"; if it takes BGR, call it from a function with images[..., ::-1], see {WRAP}"
        cure = leave_out(keys) + (bgr if "channels" in keys else "")
        raise InputError(f"{where} takes {dtype} pixels, got {', '.join(keys)}; {cure}")


def shape_key(sides: Sequence[int | None]) -> str:
    """Return the key ``shape`` with the known sides of (height, width, channels)."""
    names = ("height", "width", "channels")
    return f"'shape: [{', '.join(str(side or name) for side, name in zip(sides, names, strict=True))}]'"


def flat_shapes(numbers: int | None) -> str:
    """Return the key ``shape`` for images with so many numbers, with an example for square images."""
    sides = {channels: math.isqrt((numbers or 0) // channels) for channels in (1, 3)}
    square = [f"'shape: [{side}, {side}, {c}]'" for c, side in sides.items() if numbers and side * side * c == numbers]
    product = f", so that height x width x channels is {numbers}" if numbers else ""
    return f"{shape_key((None, None, None))}{product}{''.join(f'; of square ones, {each}' for each in square)}"


def leave_out(keys: Sequence[str]) -> str:
    """Return the request to remove keys."""
    return f"leave {' and '.join(map(repr, keys))} out"


def batched_by(images: Array, size: int) -> tuple[list[Array], int]:
    """Return images in batches of exactly ``size``, and the number of images. Black images fill up the last batch."""
    count = len(images)
    padded = np.zeros((-(-count // size) * size, *images.shape[1:]), images.dtype)
    padded[:count] = images
    return [padded[start : start + size] for start in range(0, len(padded), size)], count


def names_in(file: str | None, classes: int, where: str) -> tuple[str, ...] | None:
    """Return the names of the classes in a text file, or None without a file.

    Each line is a name. The lines are in the order of the classes.

    Raises
    ------
    InputError
        The file cannot be read, the number of lines differs from the number of classes, or a line is empty.
    """
    if file is None:
        return None
    try:
        text = read_text(Path(file), named=True)
    except InputError as error:
        raise InputError(f"{where}: class_names: {error}") from None
    names = tuple(line.strip() for line in text.removesuffix("\n").split("\n"))
    if len(names) != classes or not all(names):
        got = f"{len(names)} lines" if len(names) != classes else "an empty line"
        raise InputError(f"{where}: class_names {file!r} has {got}, expected a name for each of {classes} classes")
    return tuple(name[:LONGEST_NAME] for name in names)
