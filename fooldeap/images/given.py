"""Images that the user gives: a folder of pictures, an ``.npz`` file, a dataset, or a folder of fooldeap."""

from pathlib import Path
from typing import Any

import numpy as np

from fooldeap import extensions, registry
from fooldeap.configuration.choices import Choice, loaded
from fooldeap.errors import FooldeapError, InputError, did_you_mean
from fooldeap.parameters import REQUIRED
from fooldeap.plugin import Images
from fooldeap.storage import inputs, npz
from fooldeap.storage.inputs import MOST_PICTURE, PICTURES, decoded, pictures_in

ARRAYS = ("x_test", "images", "x", "x_train")  # names of arrays in an archive; the first one that exists is used
PROVENANCE = "provenance"  # an array in an archive that fooldeap exported
MOST_START = 1000  # images from which runs start
_SHEET = "contact_sheet"


def load_start(source: str, shape: tuple[int, int, int]) -> Images:
    """Return the images from which runs start, uint8 (n, h, w, c): at most the first 1000 of the source.

    ``source`` is a folder of pictures, which are resized, in the order of their names; an ``.npz`` file; the name of a
    dataset, whose test images are taken; or the finished folder of a run, study, audit or sweep, the images with the
    highest confidence first.

    Raises
    ------
    InputError
        There is no such source, or it has no images of this shape.
    """
    path, where = Path(source), f"start: {source}"
    if not path.is_dir():
        images = load_archive(path, where) if path.is_file() else load_dataset(source, where)
        found = check_array(images, where, shape)[:MOST_START]
    elif (evolved := _evolved_in(path)) is not None:
        shapes = {image.shape for image in evolved} - {shape}
        if shapes:
            raise InputError(f"{where}: got images {shapes.pop()}, expected the shape of the classifier, {shape}")
        found = np.array(evolved[:MOST_START])
    else:
        files = [file for file in pictures_in(path) if not file.name.startswith(_SHEET)]
        found = np.array([load_picture(file, shape, where) for file in files[:MOST_START]])
    if not len(found):
        raise InputError(f"{where}: got no image, expected files that end in {', '.join(PICTURES)}, or other images")
    return found


def _evolved_in(folder: Path) -> list[Images] | None:
    """Return the images in a folder of fooldeap, the most confident first; None if it is another folder."""
    for _, kind in extensions.load("fooldeap.folders"):
        if (folder / kind.folder.FILE).is_file():
            images: list[Images] = kind().best_images(folder)
            return images
    return None


def check_array(images: Any, where: str, shape: tuple[int, int, int]) -> Images:
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


def load_picture(file: Path, shape: tuple[int, int, int], where: str) -> Images:
    """Return a picture, converted to grey or colour and resized to a shape (h, w, c)."""
    from PIL import Image

    height, width, channels = shape
    try:
        picture = decoded(inputs.read(file, MOST_PICTURE, named=True), ("PNG", "JPEG", "BMP", "WEBP"))
    except ValueError as error:
        raise InputError(f"{where}: {file}: cannot read this picture ({error}); remove it") from None
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


def load_archive(path: Path, where: str, *, real: bool = False) -> Images:
    """Return the images in an ``.npz`` file. ``real``: refuse an archive that fooldeap exported."""
    try:
        with inputs.opened(path, named=True) as file, npz.opened(file) as arrays:
            if real and PROVENANCE in arrays:
                raise InputError(f"{where}: was exported by fooldeap, expected real images; name another file")
            name = next((name for name in ARRAYS if name in arrays), None)
            found: Any = None if name is None else np.asarray(arrays[name])
    except InputError:
        raise
    except npz.TooLarge as error:
        raise InputError(f"{where} {error}") from None
    except Exception as error:  # damaged files make zipfile, zlib and numpy raise many types of errors
        cure = f"write one with numpy.savez('{'real' if real else 'start'}.npz', images=array)"
        raise InputError(f"{where}: expected a folder or an .npz file ({type(error).__name__}); {cure}") from None
    if found is None:
        raise InputError(f"{where}: expected an array with one of the names {', '.join(ARRAYS)}; rename the array")
    images: Images = found
    return images


def load_dataset(name: str, where: str) -> Images:
    """Return the test images of a dataset."""
    known = registry.load()
    names = [plugin.name for plugin in known.all("dataset")]
    if name not in names:
        cure = "name a folder of pictures or an .npz file"
        raise InputError(f"{where}: expected a folder, a file or a dataset; {cure}{did_you_mean(name, names)}")
    plugin = known.get("dataset", name)
    missing = [key for key, each in plugin.parameters.items() if each.default is REQUIRED]
    if missing:
        cure = "name a folder of pictures or an .npz file instead"
        raise InputError(f"{where}: this dataset needs {missing[0]!r}, which cannot be set here; {cure}")
    try:
        return loaded(Choice(plugin, {})).test_images
    except FooldeapError as error:
        raise InputError(f"{where}: {error}") from None
