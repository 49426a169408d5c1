"""MNIST, which ships with fooldeap."""

import hashlib
from importlib import resources

import numpy as np

from fooldeap.plugin import InputError, Split, dataclass, dataset

SHA256 = "06af5dfe73b70e3bc1c36439982b18a8d76803db9b544f6fdf838a37fbb01b64"


@dataset("mnist")
@dataclass(frozen=True)
class Mnist:
    """Handwritten digits, 28 x 28, grey: 60 000 training images and 10 000 test images.

    This is MNIST (LeCun, Cortes and Burges 1998). The checksum of the file is verified each time it is loaded.
    """

    def load(self) -> Split:
        """Return images uint8 (n, 28, 28, 1) and labels uint8 (n,)."""
        with resources.as_file(resources.files("fooldeap.data") / "mnist.npz") as path:
            if hashlib.sha256(path.read_bytes()).hexdigest() != SHA256:
                raise InputError(f"dataset 'mnist': {path} is damaged (wrong checksum); install fooldeap again")
            with np.load(path, allow_pickle=False) as arrays:
                x_train, y_train, x_test, y_test = (arrays[name] for name in ("x_train", "y_train", "x_test", "y_test"))
        return Split(x_train[..., None], y_train, x_test[..., None], y_test)
