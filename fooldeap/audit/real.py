"""Real images to hold fooling ones against: from a folder of pictures, an archive of arrays, or a dataset plugin."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fooldeap import registry
from fooldeap.configuration.choices import Choice, loaded
from fooldeap.configuration.moved import ENVIRONMENT
from fooldeap.errors import FooldeapError, InputError, did_you_mean
from fooldeap.parameters import REQUIRED
from fooldeap.plugin import Images
from fooldeap.storage import inputs, npz
from fooldeap.storage.pictures import MOST_BYTES, decoded

FEWEST, MOST = 40, 2000
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
PROVENANCE = "provenance.json"  # of an exported folder
NAMES = ("x_test", "images", "x", "x_train")  # of arrays in an archive, the first that is there


@dataclass(frozen=True)
class RealImages:
    """Real images uint8 (n, h, w, c), where they are from, and of how many they were taken."""

    images: Images
    source: str
    found: int

    @property
    def digest(self) -> str:
        """The SHA-256 of the images in a row."""
        return hashlib.sha256(np.ascontiguousarray(self.images).tobytes()).hexdigest()

    def data(self) -> dict[str, Any]:
        """Return what identifies them, as plain data."""
        return {"source": self.source, "found": self.found, "taken": len(self.images), "sha256": self.digest}


def load(source: str, shape: tuple[int, int, int]) -> RealImages:
    """Return real images of a shape (h, w, c), at most 2000, evenly spread over what is there.

    ``source`` is a folder of pictures, which are brought to the size; an ``.npz`` file; or the name of a dataset.

    Raises
    ------
    InputError
        There are fewer than 40, they are of another shape, or fooldeap evolved them.
    """
    path, where = Path(source), f"--images {source}"
    if path.is_dir():
        images, found = _pictures(path, shape)
    else:
        arrays = _checked(_arrays(path) if path.is_file() else _dataset(source), where, shape)
        images, found = arrays[_spread(len(arrays))], len(arrays)
    if found < FEWEST:
        raise InputError(f"{where}: holds {found} images, expected at least {FEWEST}")
    return RealImages(images, source, found)


def _checked(images: Any, where: str, shape: tuple[int, int, int]) -> Images:
    """Return an array as images, grey ones with an axis of channels; refuse what is none, with the cure."""
    images = images[..., None] if images.ndim == 3 else images
    if images.dtype == np.uint8 and images.shape[1:] == shape:
        return images  # type: ignore[no-any-return]
    got = f"{where}: holds {images.dtype} {images.shape}, expected uint8 (n, {', '.join(map(str, shape))})"
    if images.shape[1:] != shape:
        raise InputError(f"{got}; bring them to that size, or name a folder of pictures, which are brought to it")
    if images.dtype.kind == "f" and images.size and 0 <= images.min() <= images.max() <= 1:
        raise InputError(f"{got}, from 0 to 255; these are from 0 to 1: save numpy.rint(255 * images).astype('uint8')")
    raise InputError(f"{got}, from 0 to 255; save them so, with .astype('uint8')")


def _spread(count: int) -> NDArray[np.int64]:
    return np.unique(np.linspace(0, count - 1, min(count, MOST)).round().astype(np.int64))


def _pictures(folder: Path, shape: tuple[int, int, int]) -> tuple[Images, int]:
    """Return pictures brought to a size, and of how many they were taken."""
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in PICTURES and file.is_file())
    if not files:
        raise InputError(f"--images {folder}: holds no picture, expected files that end in {', '.join(PICTURES)}")
    places = {folder.resolve(), *(file.resolve().parent for file in files)}
    for place in sorted(places.union(*(each.parents for each in places))):
        if _is_ours(place):
            raise InputError(f"--images {folder}: {place} is of fooldeap, whose images are no real ones; name others")
    return np.array([_picture(files[index], shape) for index in _spread(len(files))]), len(files)


def _is_ours(folder: Path) -> bool:
    """Tell whether a folder was made by a run, a study, an audit and the like, or by an export."""
    notes = [folder / name for name in (ENVIRONMENT, PROVENANCE) if (folder / name).is_file()]
    return any(b'"fooldeap' in inputs.read(note) for note in notes)


def _picture(file: Path, shape: tuple[int, int, int]) -> Images:
    from PIL import Image

    height, width, channels = shape
    try:
        picture = decoded(inputs.read(file, MOST_BYTES, named=True), ("PNG", "JPEG", "BMP", "WEBP"))
    except ValueError as error:
        raise InputError(f"--images: {file} is no readable picture ({error}); remove it") from None
    picture = _in_bytes(picture).convert("L" if channels == 1 else "RGB")
    if picture.size != (width, height):
        picture = picture.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(picture, np.uint8).reshape(shape)


def _in_bytes(picture: Any) -> Any:
    """Return a picture of 16 bits a pixel in 8, which Pillow would cut off at 255 instead."""
    from PIL import Image

    if not picture.mode.startswith("I"):
        return picture
    return Image.fromarray((np.asarray(picture, np.float64) / 257).round().clip(0, 255).astype(np.uint8))


def _arrays(path: Path) -> Images:
    where = f"--images {path}"
    try:
        with inputs.opened(path, named=True) as file, npz.opened(file) as arrays:
            if "provenance" in arrays:
                raise InputError(f"{where}: was exported by fooldeap, whose images are no real ones; name others")
            name = next((name for name in NAMES if name in arrays), None)
            found: Any = None if name is None else np.asarray(arrays[name])
    except InputError:
        raise
    except npz.TooLarge as error:
        raise InputError(f"{where} {error}") from None
    except Exception as error:  # damage shows as whatever zipfile, zlib or numpy make of it
        cure = "make one by numpy.savez('real.npz', images=array)"
        raise InputError(
            f"{where}: is no folder and no readable .npz archive ({type(error).__name__}); {cure}"
        ) from None
    if found is None:
        raise InputError(f"{where}: has none of the arrays {', '.join(NAMES)}; name one so")
    images: Images = found
    return images


def _dataset(name: str) -> Images:
    known = registry.load()
    names = [plugin.name for plugin in known.all("dataset")]
    if name not in names:
        cure = "name a folder of pictures or an .npz file"
        raise InputError(f"--images {name}: is no folder, file or dataset; {cure}{did_you_mean(name, names)}")
    plugin = known.get("dataset", name)
    missing = [key for key, each in plugin.parameters.items() if each.default is REQUIRED]
    if missing:
        cure = "name a folder of pictures or an .npz file in its place"
        raise InputError(f"--images {name}: that dataset needs {missing[0]!r}, which cannot be said here; {cure}")
    try:
        return loaded(Choice(plugin, {})).test_images
    except FooldeapError as error:
        raise InputError(f"--images {name}: {error}") from None
