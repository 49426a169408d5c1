"""Images and labels in a NumPy archive."""

import zipfile
from typing import Any

import numpy as np

from fooldeap.plugin import KW_ONLY, Array, File, InputError, Split, dataclass, dataset

from ._arrays import split


@dataset("npz")
@dataclass(frozen=True)
class Npz:
    """A ``.npz`` file at ``path`` with x_train, y_train, x_test and y_test, as Keras keeps its data.

    Images are uint8 (n, h, w) or (n, h, w, c), labels integers (n,). Pickled arrays are refused.
    """

    _: KW_ONLY
    path: File

    def load(self) -> Split:
        """Return images uint8 (n, h, w, c) and labels (n,)."""
        where = f"dataset 'npz': {self.path!r}"
        try:
            with np.load(self.path, allow_pickle=False) as archive:
                arrays = [self._array(archive, name, where) for name in ("x_train", "y_train", "x_test", "y_test")]
        except (OSError, ValueError, TypeError, AttributeError, zipfile.BadZipFile) as error:
            raise InputError(f"{where} is no readable .npz archive ({error})") from None
        return split(where, *arrays)

    @staticmethod
    def _array(archive: Any, name: str, where: str) -> Array:
        if name not in archive:
            raise InputError(f"{where} has no array {name!r}; expected x_train, y_train, x_test and y_test")
        array: Array = archive[name]
        return array
