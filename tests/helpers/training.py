"""A small training, and a dataset that its network learns in a second."""

import numpy as np

from fooldeap.plugin import Split, dataclass, dataset

CONFIG = """
name: tiny
seed: 3
dataset: stripes
layers:
  - Conv2D: {filters: 4, kernel_size: [3, 3], activation: relu}
  - BatchNormalization
  - Flatten
  - Dropout: {rate: 0.25}
  - Dense: {units: 2, activation: softmax}
epochs: 3
batch_size: 32
learning_rate: 0.01
validation: 64
shift: 1
"""


@dataset("stripes")
@dataclass(frozen=True)
class Stripes:
    """Noise with a horizontal or a vertical stripe."""

    def load(self):
        rng = np.random.default_rng(0)
        images = rng.integers(0, 128, (400, 8, 8, 1), dtype=np.uint8)
        labels = rng.integers(0, 2, 400).astype(np.uint8)
        images[labels == 0, 4] = 255
        images[labels == 1, :, 4] = 255
        return Split(images[:300], labels[:300], images[300:], labels[300:])
