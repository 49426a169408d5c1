"""Images and labels in a NumPy archive."""

from pathlib import Path

import numpy as np

from fooldeap.plugin import KW_ONLY, File, InputError, Split, dataclass, dataset
from fooldeap.storage import inputs, npz

from ._arrays import split

_NAMES = ("x_train", "y_train", "x_test", "y_test")
_EXPORTED = ("images", "labels")
_SAVE = "write it with numpy.savez('NAME.npz', images=images, labels=labels)"


@dataset("npz")
@dataclass(frozen=True)
class Npz:
    """A ``.npz`` file at ``path`` with x_train, y_train, x_test and y_test, as Keras keeps its data.

    Or with images and labels, as ``fooldeap export`` writes them: then training and test images are the same.
    Images are uint8 (n, h, w) or (n, h, w, c), labels integers (n,). Pickled arrays are refused.
    """

    _: KW_ONLY
    path: File

    def load(self) -> Split:
        """Return images uint8 (n, h, w, c) and labels (n,)."""
        where = f"dataset 'npz': {self.path!r}"
        try:
            with inputs.opened(Path(self.path), named=True) as file, npz.opened(file) as archive:
                names = _EXPORTED * 2 if set(_EXPORTED) <= set(archive) else _NAMES
                missing = [name for name in names if name not in archive]
                arrays = [] if missing else [np.asarray(archive[name]) for name in names]
        except InputError as error:
            raise InputError(f"dataset 'npz': {error}") from None
        except npz.TooLarge as error:
            raise InputError(f"{where} {error}") from None
        except Exception as error:  # damage can raise any error of zipfile, zlib or NumPy
            reason = " ".join(str(error).split()) or type(error).__name__
            raise InputError(f"{where} is not a readable .npz archive ({reason}); {_SAVE}") from None
        if missing:
            expected = f"expected {', '.join(_NAMES)}, or images and labels"
            raise InputError(f"{where} has no array {missing[0]!r}, {expected}; {_SAVE}")
        return split(where, *arrays)
