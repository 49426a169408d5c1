"""A dataset of two classes that a small network learns in a second."""

import numpy as np

from fooldeap.plugin import Split, dataclass, dataset


@dataset("stripes")
@dataclass(frozen=True)
class Stripes:
    """Noise with a stripe: across, or down."""

    def load(self):
        rng = np.random.default_rng(0)
        images = rng.integers(0, 128, (120, 8, 8, 1), dtype=np.uint8)
        labels = rng.integers(0, 2, 120).astype(np.uint8)
        images[labels == 0, 4] = 255
        images[labels == 1, :, 4] = 255
        return Split(images[:80], labels[:80], images[80:], labels[80:])
