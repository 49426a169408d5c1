"""The pictures of pages: images as data URIs, films and charts as data for ``page.js``."""

import base64
import io
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from fooldeap import formatting
from fooldeap.engine import snapshots
from fooldeap.errors import InputError
from fooldeap.plugin import Predictions
from fooldeap.report.model import Catalogue, Chart, Entry, Figure, Film, Films, Section, name_of, percent
from fooldeap.results import FoolingImage, Snapshot
from fooldeap.runs.folder import inside
from fooldeap.storage.inputs import read
from fooldeap.terminal_text import printable

T = TypeVar("T")

MOST_IMAGES = 1 << 30  # bytes; the largest size of all images of a page, decoded
MOST_BARS = 12  # classes whose probabilities are shown
THUMB = 192  # pixels along the longer side of a small image
FILM_BYTES = 2_000_000  # the largest size of all frames, before compression
FEWEST_FRAMES = 6  # shown also if they are larger than that
LARGEST_SVG = 1 << 19  # bytes; instead of a larger SVG, the PNG is embedded
CATALOGUE_BYTES = 5_000_000  # the largest size of all images of a catalogue
SIDES = (128, 112, 96, 80, 64, 48)  # pixels along the longer side of a reduced image of a catalogue
JPEG_QUALITY = 80
SAMPLE = 20  # images from which the size of a catalogue is estimated
NOTHING = "data:,"
_DIGITS = 7  # decimal places of a probability
_KINDS = {".svg": "image/svg+xml", ".png": "image/png"}


class Pictures:
    """The pictures of a page.

    Parameters
    ----------
    folder : the folder of the report
    sections : the sections of the page
    most : about the largest size of all images, decoded, in bytes
    """

    def __init__(self, folder: Path, sections: Sequence[Section] = (), most: float = MOST_IMAGES) -> None:
        self._folder, self._left = folder, most
        films = [film for each in sections for block in each.blocks if isinstance(block, Films) for film in block.films]
        self._frames = self._read_frames(films)

    def figure(self, figure: Figure) -> str | None:
        """Return a figure: its SVG if that exists and is small, otherwise its PNG; None if there is none."""
        try:
            path = inside(self._folder, figure.path)
        except InputError:
            return None
        svg = path.with_suffix(".svg")
        chosen = svg if svg.is_file() and svg.stat().st_size <= LARGEST_SVG else path
        if chosen.suffix not in _KINDS or not chosen.is_file():
            return None
        return data_uri(read(chosen), _KINDS[chosen.suffix])

    def image(self, name: str) -> str:
        """Return an image at its native size; an empty one if it is missing or the limit is reached.

        Raises
        ------
        InputError
            The file is not a PNG, or it is outside the folder.
        """
        return name if name.startswith("data:") else self._read(name, picture)

    def thumb(self, name: str) -> str:
        """Return an image as `image` does, reduced to the size of a small image."""
        return name if name.startswith("data:") else self._read(name, small_picture)

    def _read(self, name: str, encode: Any) -> str:
        pixels = self._pixels(name)
        return NOTHING if pixels is None else str(encode(pixels))

    def _pixels(self, name: str) -> NDArray[np.uint8] | None:
        """Return the image in a file; None if it is missing, if the limit is reached, or for a data URI."""
        path = self._folder if name.startswith("data:") else inside(self._folder, name)
        if self._left <= 0 or not path.is_file():
            return None
        pixels = FoolingImage.from_file(path).pixels
        self._left -= pixels.nbytes
        return pixels

    def catalogue(self, catalogue: Catalogue) -> list[dict[str, Any]]:
        """Return the data of a catalogue for ``page.js``.

        All images are lossless, or all are reduced to JPEG, so that they need at most about `CATALOGUE_BYTES`. If even
        the smallest images need more, the last entries have no image.
        """
        side, left, found = self._side(catalogue.entries), 1.2 * CATALOGUE_BYTES, []
        for entry in catalogue.entries:
            pixels = self._pixels(entry.image) if left > 0 else None
            content = b"" if pixels is None else _encoded(pixels, side)
            left -= len(content)
            kind = "image/png" if side is None else "image/jpeg"
            given = entry.image if entry.image.startswith("data:") else NOTHING
            found.append(
                {
                    "number": entry.number,
                    "name": printable(entry.name),
                    "image": data_uri(content, kind) if content else given,
                    # "./" makes it a path even if the name looks like an address.
                    "file": f"./{quote(entry.image)}" if content else "",
                    "confidence": entry.confidence,
                    "certain": percent(entry.confidence),
                    "seen": printable(entry.seen),
                    "lines": [printable(line) for line in entry.lines],
                    "cost": entry.cost,
                    "good": entry.good,
                }
            )
        return found

    def _side(self, entries: Sequence[Entry]) -> int | None:
        """Return to how many pixels the images of a catalogue are reduced, estimated from some of them."""
        sample = [each for entry in thinned(entries, SAMPLE) if (each := self._pixels(entry.image)) is not None]
        most = CATALOGUE_BYTES * len(sample) / max(1, len(entries))
        fitting = (each for each in (None, *SIDES) if sum(len(_encoded(image, each)) for image in sample) <= most)
        return next(fitting, SIDES[-1])

    def films(self, films: Sequence[Film]) -> list[dict[str, Any]]:
        """Return the data of films for ``page.js``. Films that are missing or too large are left out."""
        frames = ((film, self._frames.get((film.path, film.index))) for film in films)
        return [film_data(film, taken) for film, taken in frames if taken]

    def _read_frames(self, films: Sequence[Film]) -> dict[tuple[str, int], Sequence[Snapshot]]:
        """Return the frames of films by file and run, fewer if they are large, so that they fit in `FILM_BYTES`."""
        files: dict[str, Sequence[Sequence[Snapshot]]] = {}
        for film in films:
            path = inside(self._folder, film.path)
            if film.path not in files:
                files[film.path] = snapshots.read_file(path, film.runs) if path.is_file() else [[]] * film.runs
        frames = {(film.path, film.index): files[film.path][film.index] for film in films}
        frames = {key: taken for key, taken in frames.items() if taken}
        size = max((taken[0].image.nbytes for taken in frames.values()), default=1)
        kept = list(frames)[: max(1, FILM_BYTES // (FEWEST_FRAMES * size))]
        most = max(FEWEST_FRAMES, FILM_BYTES // (max(1, len(kept)) * size))
        return {key: thinned(frames[key], most) for key in kept}

    def chart(self, chart: Chart) -> dict[str, Any]:
        """Return the data of a chart for ``page.js``."""
        settings = {name: getattr(chart, name) for name in ("log_x", "log_y", "low", "high", "goal", "percent")}
        labels = {name: printable(getattr(chart, name)) for name in ("title", "x_label", "y_label", "goal_label")}
        values = _shares if chart.percent else _numbers
        lines = [{"label": printable(line.label), "x": _numbers(line.x), "y": values(line.y)} for line in chart.lines]
        return {**settings, **labels, "lines": lines}


def thinned(items: Sequence[T], most: int) -> Sequence[T]:
    """Return at most ``most`` items, evenly spaced; the first and the last one are kept."""
    if len(items) <= most:
        return items
    return [items[index] for index in np.unique(np.linspace(0, len(items) - 1, most).round().astype(int))]


def film_data(film: Film, taken: Sequence[Snapshot]) -> dict[str, Any]:
    """Return the data of a film for ``page.js``; its frames are one PNG, one frame below the other."""
    images, probabilities = np.stack([each.image for each in taken]), probabilities_of(taken)
    frames, height, width, channels = images.shape
    highest = probabilities.max(axis=0)
    order = sorted(range(len(highest)), key=lambda index: (index != film.target, -highest[index], index))
    shown = sorted(order[:MOST_BARS])  # the target and the classes with the highest probabilities
    return {
        "title": printable(film.title),
        "target": shown.index(film.target),
        "classes": [printable(name_of(index, film.classes)) for index in shown],
        "frames": picture(images.reshape(frames * height, width, channels)),
        "size": [width, height],
        "probabilities": [_shares(row) for row in probabilities[:, shown]],
        "seen": [printable(name_of(int(index), film.classes)) for index in probabilities.argmax(axis=1)],
        "generations": [each.generation for each in taken],
        "evaluations": [each.evaluations for each in taken],
    }


def probabilities_of(taken: Sequence[Snapshot]) -> NDArray[np.float64]:
    """Return the confidences of snapshots, float64 (snapshots, classes)."""
    images = np.stack([each.image for each in taken])
    logits = np.stack([each.logits for each in taken])
    return Predictions(logits, images, taken[0].confidence_kind).probabilities


def data_uri(content: bytes, kind: str = "image/png") -> str:
    """Return a data URI with the content of a file; ``kind`` is its media type."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def picture(image: NDArray[np.uint8]) -> str:
    """Return a data URI with an image uint8 (h, w, c) as PNG at its native size."""
    return data_uri(FoolingImage(image).png())


def small_picture(image: NDArray[np.uint8]) -> str:
    """Return a data URI with an image, reduced: each pixel is the mean of a block; incomplete blocks are cut off."""
    step = math.ceil(max(image.shape[:2]) / THUMB)
    if step == 1:
        return picture(image)
    height, width = (size // step for size in image.shape[:2])
    blocks = image[: height * step, : width * step].reshape(height, step, width, step, -1)
    return picture(blocks.mean(axis=(1, 3)).round().astype(np.uint8))


def _encoded(pixels: NDArray[np.uint8], side: int | None) -> bytes:
    """Return an image as PNG, or as JPEG whose longer side has at most ``side`` pixels."""
    from PIL import Image

    if side is None:
        return FoolingImage(pixels).png()
    image = Image.fromarray(pixels.squeeze(2) if pixels.shape[2] == 1 else pixels)
    scale, buffer = min(1.0, side / max(image.size)), io.BytesIO()
    size = max(1, round(scale * image.width)), max(1, round(scale * image.height))
    small = image.resize(size, Image.Resampling.BOX)
    (small if small.mode == "L" else small.convert("RGB")).save(buffer, "JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()


def _shares(values: Iterable[float]) -> list[float]:
    """Return shares for JSON, rounded down."""
    return [formatting.rounded_down(value, _DIGITS) for value in values]


def _numbers(values: Sequence[float]) -> list[float | None]:
    """Return numbers for JSON, with seven digits; a number that is not finite becomes None."""
    return [float(f"{value:.7g}") if math.isfinite(value) else None for value in values]
