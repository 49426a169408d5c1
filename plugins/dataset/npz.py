"""Images and labels in a NumPy archive."""

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fooldeap.plugin import KW_ONLY, Array, File, InputError, Split, dataclass, dataset

from ._arrays import check_size, split

_NAMES = ("x_train", "y_train", "x_test", "y_test")
_EXPORTED = ("images", "labels")


@dataset("npz")
@dataclass(frozen=True)
class Npz:
    """A ``.npz`` file at ``path`` with x_train, y_train, x_test and y_test, as Keras keeps its data.

    Or with images and labels, as ``fooldeap export`` writes them: then they are for training and for testing alike.
    Images are uint8 (n, h, w) or (n, h, w, c), labels integers (n,). Pickled arrays are refused.
    """

    _: KW_ONLY
    path: File

    def load(self) -> Split:
        """Return images uint8 (n, h, w, c) and labels (n,)."""
        where = f"dataset 'npz': {self.path!r}"
        try:
            with zipfile.ZipFile(self.path) as archive:
                members = archive.namelist()
                check_size(where, Path(self.path), sum(member.file_size for member in archive.infolist()))
            names = _EXPORTED * 2 if {f"{name}.npy" for name in _EXPORTED} <= set(members) else _NAMES
            missing = [name for name in names if f"{name}.npy" not in members]
            arrays = [] if missing else self._arrays(names)
        except InputError:
            raise
        except Exception as error:  # damage shows as whatever zipfile, zlib or numpy make of it
            said = " ".join(str(error).split()) or type(error).__name__
            raise InputError(f"{where} is no readable .npz archive ({said})") from None
        if missing:
            raise InputError(f"{where} has no array {missing[0]!r}; expected {', '.join(_NAMES)}, or images and labels")
        return split(where, *arrays)

    def _arrays(self, names: Sequence[str]) -> list[Array]:
        with np.load(self.path, allow_pickle=False) as archive:
            return [np.asarray(archive[name]) for name in names]
