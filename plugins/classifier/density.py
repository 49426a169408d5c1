"""A generative classifier. It models the density of images, not only the probabilities of classes."""

import hashlib
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fooldeap.plugin import KW_ONLY, Annotated, File, Gt, Images, InputError, Lt, classifier, dataclass
from fooldeap.storage.archives import Archive

from .._blas import libraries, single_thread
from ._mixture import Densities
from ._model import FromFile

BLOCK = 32  # images in a matrix product; a fixed number, so that results do not depend on the batch size


@classifier("density", suffixes=(".npz",))
@dataclass
class Density(FromFile):
    """A generative classifier: a probability density of the images of each class, and Bayes' rule.

    The ``model`` is ``mnist_density`` or an .npz file that ``tools/fit_density.py`` made. The logits are
    log p(x | c) + log p(c) over a temperature, which was fitted to images that the densities had not seen (Guo et al.
    2017), as such densities are sure of everything. With ``reject`` there is one class more, the last, for what is no
    image of any class: it has probability one half where log p(x) is at the ``reject`` quantile of these images, and
    its log-odds rise as log p(x) falls, over the same temperature.
    """

    _: KW_ONLY
    model: File = "mnist_density"
    reject: Annotated[float, Gt(0), Lt(1)] | None = None

    @property
    def classes(self) -> int:
        """The number of classes. With rejection, there is one more than densities."""
        return self._loaded.classes + (self.reject is not None)

    @property
    def rejection(self) -> int | None:
        """The class of rejected images, or None without rejection."""
        return None if self.reject is None else self._loaded.classes

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the model file and of the value of ``reject``."""
        return hashlib.sha256(self._content() + repr(self.reject).encode()).hexdigest()

    def logits(self, images: Images) -> NDArray[np.float32]:
        """Return the logits (n, classes) float32 for uint8 images (n, h, w, c)."""
        from scipy.special import logsumexp

        model = self._loaded
        joint = self._joint(images)
        logits = joint / model.temperature
        if self.reject is not None:
            threshold = np.quantile(model.held_out, self.reject)
            odds = (threshold - logsumexp(joint, axis=1, keepdims=True)) / model.temperature
            logits = np.concatenate([logits, logsumexp(logits, axis=1, keepdims=True) + odds], axis=1)
        return logits.astype(np.float32)

    def log_densities(self, images: Images) -> NDArray[np.float64]:
        """Return log p(x) up to a constant, (n,) float64, for uint8 images (n, h, w, c)."""
        from scipy.special import logsumexp

        density: NDArray[np.float64] = logsumexp(self._joint(images), axis=1)
        return density

    def _joint(self, images: Images) -> NDArray[np.float64]:
        count = len(images)
        padded = np.zeros((-(-count // BLOCK) * BLOCK, *images.shape[1:]), np.uint8)
        padded[:count] = images
        with single_thread(libraries()):
            blocks = [self._loaded.joint(block) for block in padded.reshape(-1, BLOCK, *images.shape[1:])]
        return np.concatenate([np.empty((0, self._loaded.classes)), *blocks])[:count]

    @cached_property
    def _loaded(self) -> Densities:
        try:
            archive = Archive(self._content())
            return Densities.of({name: archive.array(name) for name in Densities._fields})
        except InputError:
            raise
        except Exception as error:  # damage can raise any error of NumPy
            raise InputError(
                f"{self._where} is no file of densities ({error}); make one: python tools/fit_density.py --out NAME.npz"
            ) from None
