"""Real images to compare with fooling images: from a folder of pictures, an ``.npz`` file, or a dataset plugin."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fooldeap.configuration.reading import ENVIRONMENT
from fooldeap.errors import InputError
from fooldeap.images.given import check_array, load_archive, load_dataset, load_picture
from fooldeap.plugin import Images
from fooldeap.storage import inputs
from fooldeap.storage.inputs import PICTURES, pictures_in

MIN_IMAGES, MAX_IMAGES = 40, 2000
PROVENANCE = "provenance.json"  # in an exported folder


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
        loaded = load_archive(path, where, real=True) if path.is_file() else load_dataset(source, where)
        arrays = check_array(loaded, where, shape)
        images, found = arrays[_spread_indices(len(arrays))], len(arrays)
    if found < MIN_IMAGES:
        raise InputError(f"{where}: got {found} images, expected at least {MIN_IMAGES}; add more")
    return RealImages(images, source, found)


def _spread_indices(count: int) -> NDArray[np.int64]:
    return np.unique(np.linspace(0, count - 1, min(count, MAX_IMAGES)).round().astype(np.int64))


def _load_pictures(folder: Path, shape: tuple[int, int, int]) -> tuple[Images, int]:
    """Return resized pictures, and the number of pictures in the folder."""
    files, where = pictures_in(folder), f"--images {folder}"
    if not files:
        raise InputError(f"{where}: got no picture, expected files that end in {', '.join(PICTURES)}")
    folders = {folder.resolve(), *(file.resolve().parent for file in files)}
    for each in sorted(folders.union(*(inner.parents for inner in folders))):
        if _is_fooldeap_output(each):
            raise InputError(f"{where}: {each} was written by fooldeap, expected real images; name another folder")
    return np.array([load_picture(files[index], shape, "--images") for index in _spread_indices(len(files))]), len(
        files
    )


def _is_fooldeap_output(folder: Path) -> bool:
    """Return whether a folder was written by a command such as run, compare, audit or export."""
    notes = [folder / name for name in (ENVIRONMENT, PROVENANCE) if (folder / name).is_file()]
    return any(b'"fooldeap' in inputs.read(note) for note in notes)
