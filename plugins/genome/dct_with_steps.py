"""The lowest frequencies of an image, and how fast each of them changes."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from fooldeap.plugin import KW_ONLY, Annotated, Gt, Images, Rng, dataclass, genome

from .dct import Dct


@genome("dct_with_steps")
@dataclass(frozen=True)
class DctWithSteps(Dct):
    """The lowest cosine coefficients of an image, each with a step size of its own, which is inherited.

    As ``dct``, whose ``size``, ``sigma`` and ``decay`` it has, but a genome is twice as long: behind the coefficients
    stand the natural logarithms of their step sizes, which the mutation ``self_adaptive`` changes and uses (Schwefel
    1977). In the image they do not show. The step sizes begin at ``step``, in grey levels. Their logarithms are real
    numbers without bounds, as the coefficients are, so every crossover recombines them too; to other mutations they are
    genes like any others.
    """

    _: KW_ONLY
    step: Annotated[float, Gt(0)] = 200.0
    dtype: ClassVar[str] = "float64"
    bounds: ClassVar[None] = None

    def sample(self, count: int, rng: Rng) -> NDArray[np.float64]:
        """Return coefficients and logarithms of step sizes, float64 (count, 2, channels, size, size)."""
        coefficients = super().sample(count, rng)
        return np.stack([coefficients, np.full_like(coefficients, np.log(self.step))], axis=1)

    def decode(self, genomes: NDArray[np.float64]) -> Images:
        """Return images uint8 (n, h, w, c)."""
        return super().decode(genomes[:, 0])
