"""Real images to hold fooling ones against: from a folder of pictures, an archive of arrays, or a dataset plugin."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fooldeap import registry
from fooldeap.errors import InputError
from fooldeap.plugin import Images

FEWEST, MOST = 40, 2000
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
NAMES = ("x_test", "images", "x", "x_train")  # of arrays in an archive, the first that is there
MOST_UNPACKED, MOST_EXPANSION = 1 << 30, 100  # bytes, or so many times the file's own size


def load(source: str, shape: tuple[int, int, int]) -> Images:
    """Return real images uint8 (n, h, w, c) of a shape, at most 2000, evenly spread over what is there.

    ``source`` is a folder of pictures, which are brought to the size; an ``.npz`` file; or the name of a dataset.

    Raises
    ------
    InputError
        There are fewer than 40, or they are of another shape.
    """
    path = Path(source)
    if path.is_dir():
        images = _pictures(path, shape)
    elif path.is_file():
        images = _arrays(path)
    else:
        images = _dataset(source)
    if images.ndim == 3:
        images = images[..., None]
    where = f"--images {source}"
    if images.dtype != np.uint8 or images.shape[1:] != shape:
        raise InputError(
            f"{where}: holds {images.dtype} {images.shape}, expected uint8 (n, {', '.join(map(str, shape))})"
        )
    if len(images) < FEWEST:
        raise InputError(f"{where}: holds {len(images)} images, expected at least {FEWEST}")
    return images[_spread(len(images))]


def _spread(count: int) -> NDArray[np.int64]:
    return np.unique(np.linspace(0, count - 1, min(count, MOST)).round().astype(np.int64))


def _pictures(folder: Path, shape: tuple[int, int, int]) -> Images:
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in PICTURES and file.is_file())
    if not files:
        raise InputError(f"--images {folder}: holds no picture, expected files that end in {', '.join(PICTURES)}")
    return np.array([_picture(files[index], shape) for index in _spread(len(files))])


def _picture(file: Path, shape: tuple[int, int, int]) -> Images:
    from PIL import Image

    height, width, channels = shape
    try:
        with Image.open(file, formats=["PNG", "JPEG", "BMP", "WEBP"]) as opened:
            picture = _in_bytes(opened).convert("L" if channels == 1 else "RGB")
            if picture.size != (width, height):
                picture = picture.resize((width, height), Image.Resampling.BILINEAR)
            pixels = np.asarray(picture, np.uint8)
    except Exception as error:  # damage shows as whatever the readers make of it
        raise InputError(f"--images: {file} is no readable picture ({type(error).__name__}); remove it") from None
    return pixels.reshape(shape)


def _in_bytes(picture: Any) -> Any:
    """Return a picture of 16 bits a pixel in 8, which Pillow would cut off at 255 instead."""
    from PIL import Image

    if not picture.mode.startswith("I"):
        return picture
    return Image.fromarray((np.asarray(picture, np.float64) / 257).round().clip(0, 255).astype(np.uint8))


def _arrays(path: Path) -> Images:
    where = f"--images {path}"
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
        if unpacked > max(MOST_UNPACKED, MOST_EXPANSION * path.stat().st_size):
            raise InputError(f"{where} would unpack to {unpacked:,} bytes, far more than it is; do not use this file")
        with np.load(path, allow_pickle=False) as arrays:
            name = next((name for name in NAMES if name in arrays), None)
            found: Any = None if name is None else np.asarray(arrays[name])
    except InputError:
        raise
    except Exception as error:  # damage shows as whatever zipfile, zlib or numpy make of it
        raise InputError(f"{where}: is no folder and no readable .npz archive ({type(error).__name__})") from None
    if found is None:
        raise InputError(f"{where}: has none of the arrays {', '.join(NAMES)}; name one so")
    images: Images = found
    return images


def _dataset(name: str) -> Images:
    try:
        plugin = registry.load().get("dataset", name)
        return plugin.build({}).load().test_images  # type: ignore[no-any-return]
    except (InputError, TypeError):
        raise InputError(
            f"--images {name}: is no folder, file or dataset; name a folder of pictures or an .npz file"
        ) from None
