"""Real images to compare with fooling images: from a folder of pictures, an ``.npz`` file, or a dataset plugin."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fooldeap import registry
from fooldeap.configuration.choices import Choice, loaded
from fooldeap.configuration.reading import ENVIRONMENT
from fooldeap.errors import FooldeapError, InputError, did_you_mean
from fooldeap.parameters import REQUIRED
from fooldeap.plugin import Images
from fooldeap.storage import inputs, npz
from fooldeap.storage.inputs import MOST_PICTURE, decoded

MIN_IMAGES, MAX_IMAGES = 40, 2000
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
PROVENANCE = "provenance.json"  # in an exported folder
ARRAYS = ("x_test", "images", "x", "x_train")  # names of arrays in an archive; the first one that exists is used


@dataclass(frozen=True)
class RealImages:
    """Real images.

    Attributes
    ----------
    images : uint8 (n, h, w, c)
    source : the folder, file or dataset
    found : number of images in the source, at least n
    """

    images: Images
    source: str
    found: int

    @property
    def digest(self) -> str:
        """The SHA-256 of all pixels in order."""
        return hashlib.sha256(np.ascontiguousarray(self.images).tobytes()).hexdigest()

    def data(self) -> dict[str, Any]:
        """Return source, counts and digest as plain data."""
        return {"source": self.source, "found": self.found, "taken": len(self.images), "sha256": self.digest}


def load(source: str, shape: tuple[int, int, int]) -> RealImages:
    """Load at most 2000 real images of a shape (h, w, c), evenly spread over the source.

    ``source`` is a folder of pictures, which are resized; an ``.npz`` file; or the name of a dataset.

    Raises
    ------
    InputError
        The source has fewer than 40 images, images of another shape, or images that fooldeap evolved.
    """
    path, where = Path(source), f"--images {source}"
    if path.is_dir():
        images, found = _load_pictures(path, shape)
    else:
        arrays = _check_array(_load_archive(path) if path.is_file() else _load_dataset(source), where, shape)
        images, found = arrays[_spread_indices(len(arrays))], len(arrays)
    if found < MIN_IMAGES:
        raise InputError(f"{where}: got {found} images, expected at least {MIN_IMAGES}; add more")
    return RealImages(images, source, found)


def _check_array(images: Any, where: str, shape: tuple[int, int, int]) -> Images:
    """Return an array as images (n, h, w, c); grey images (n, h, w) get an axis of channels."""
    images = images[..., None] if images.ndim == 3 else images
    if images.dtype == np.uint8 and images.shape[1:] == shape:
        return images  # type: ignore[no-any-return]
    got = f"{where}: got {images.dtype} {images.shape}, expected uint8 (n, {', '.join(map(str, shape))})"
    if images.shape[1:] != shape:
        raise InputError(f"{got}; resize the images, or give a folder of pictures, which fooldeap resizes itself")
    if images.dtype.kind == "f" and images.size and 0 <= images.min() <= images.max() <= 1:
        raise InputError(f"{got}; the values lie in 0..1: save numpy.rint(255 * images).astype('uint8')")
    raise InputError(f"{got} in 0..255; save the array with .astype('uint8')")


def _spread_indices(count: int) -> NDArray[np.int64]:
    return np.unique(np.linspace(0, count - 1, min(count, MAX_IMAGES)).round().astype(np.int64))


def _load_pictures(folder: Path, shape: tuple[int, int, int]) -> tuple[Images, int]:
    """Return resized pictures, and the number of pictures in the folder."""
    files = sorted(file for file in folder.rglob("*") if _is_picture(file, folder))
    if not files:
        raise InputError(f"--images {folder}: got no picture, expected files that end in {', '.join(SUFFIXES)}")
    folders = {folder.resolve(), *(file.resolve().parent for file in files)}
    for each in sorted(folders.union(*(inner.parents for inner in folders))):
        if _is_fooldeap_output(each):
            raise InputError(
                f"--images {folder}: {each} was written by fooldeap, expected real images; name another folder"
            )
    return np.array([_load_picture(files[index], shape) for index in _spread_indices(len(files))]), len(files)


def _is_picture(file: Path, folder: Path) -> bool:
    """Return whether a file is a picture. Hidden files, such as ``._x.png`` of macOS, are not."""
    hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
    return file.suffix.lower() in SUFFIXES and not hidden and file.is_file()


def _is_fooldeap_output(folder: Path) -> bool:
    """Return whether a folder was written by a command such as run, compare, audit or export."""
    notes = [folder / name for name in (ENVIRONMENT, PROVENANCE) if (folder / name).is_file()]
    return any(b'"fooldeap' in inputs.read(note) for note in notes)


def _load_picture(file: Path, shape: tuple[int, int, int]) -> Images:
    from PIL import Image

    height, width, channels = shape
    try:
        picture = decoded(inputs.read(file, MOST_PICTURE, named=True), ("PNG", "JPEG", "BMP", "WEBP"))
    except ValueError as error:
        raise InputError(f"--images: {file}: cannot read this picture ({error}); remove it") from None
    picture = _to_8_bits(picture).convert("L" if channels == 1 else "RGB")
    if picture.size != (width, height):
        picture = picture.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(picture, np.uint8).reshape(shape)


def _to_8_bits(picture: Any) -> Any:
    """Scale a picture with 16 bits per pixel to 8 bits; Pillow would clip its values at 255."""
    from PIL import Image

    if not picture.mode.startswith("I"):
        return picture
    return Image.fromarray((np.asarray(picture, np.float64) / 257).round().clip(0, 255).astype(np.uint8))


def _load_archive(path: Path) -> Images:
    where = f"--images {path}"
    try:
        with inputs.opened(path, named=True) as file, npz.opened(file) as arrays:
            if "provenance" in arrays:
                raise InputError(f"{where}: was exported by fooldeap, expected real images; name another file")
            name = next((name for name in ARRAYS if name in arrays), None)
            found: Any = None if name is None else np.asarray(arrays[name])
    except InputError:
        raise
    except npz.TooLarge as error:
        raise InputError(f"{where} {error}") from None
    except Exception as error:  # damaged files make zipfile, zlib and numpy raise many types of errors
        cure = "write one with numpy.savez('real.npz', images=array)"
        raise InputError(f"{where}: expected a folder or an .npz file ({type(error).__name__}); {cure}") from None
    if found is None:
        raise InputError(f"{where}: expected an array with one of the names {', '.join(ARRAYS)}; rename the array")
    images: Images = found
    return images


def _load_dataset(name: str) -> Images:
    known = registry.load()
    names = [plugin.name for plugin in known.all("dataset")]
    if name not in names:
        cure = "name a folder of pictures or an .npz file"
        raise InputError(f"--images {name}: expected a folder, a file or a dataset; {cure}{did_you_mean(name, names)}")
    plugin = known.get("dataset", name)
    missing = [key for key, each in plugin.parameters.items() if each.default is REQUIRED]
    if missing:
        cure = "name a folder of pictures or an .npz file instead"
        raise InputError(f"--images {name}: this dataset needs {missing[0]!r}, which cannot be set here; {cure}")
    try:
        return loaded(Choice(plugin, {})).test_images
    except FooldeapError as error:
        raise InputError(f"--images {name}: {error}") from None
