"""The lowest frequencies of an image, with step sizes for self-adaptation."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from fooldeap.plugin import KW_ONLY, Annotated, Gt, Images, Rng, dataclass, genome

from .dct import Dct


@genome("dct_self_adaptive")
@dataclass(frozen=True)
class DctSelfAdaptive(Dct):
    """The low frequencies of an image, each with its own inherited step size for mutation.

    The coefficients are those of ``dct``, with the same ``size``, ``sigma``, ``decay`` and ``start``. The second half
    of the genome has the natural logarithms of the step sizes, which the mutation ``self_adaptive`` changes and uses
    (Schwefel 1977). They do not change the image. All step sizes start at ``step`` grey levels. Their logarithms are
    real numbers without bounds, like the coefficients. So every crossover recombines them, and other mutations treat
    them like other genes.
    """

    _: KW_ONLY
    step: Annotated[float, Gt(0)] = 200.0
    dtype: ClassVar[str] = "float64"
    bounds: ClassVar[None] = None

    def sample(self, count: int, rng: Rng) -> NDArray[np.float64]:
        """Return coefficients and logarithms of step sizes, float64 (count, 2, channels, size, size)."""
        return self._with_steps(super().sample(count, rng))

    def decode(self, genomes: NDArray[np.float64]) -> Images:
        """Return images uint8 (n, h, w, c)."""
        return super().decode(genomes[:, 0])

    def encode(self, images: Images) -> NDArray[np.float64]:
        """Return coefficients and logarithms of step sizes, float64 (n, 2, channels, size, size)."""
        return self._with_steps(super().encode(images))

    def _with_steps(self, coefficients: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.stack([coefficients, np.full_like(coefficients, np.log(self.step))], axis=1)
