"""The cost of gradient ascent on ten classes, relative to the same steps in one bare batch.

    python benchmarks/gradients.py [--repeats 9] [--json FILE]

The classifier is EfficientNet-Lite0 in PyTorch, for which tools/imagenet_models.py must have written
``models/efficientnet_lite0.pt``. A bare step computes logits and gradients of ten images in one batch, without anything
else. Both sides are measured in turn, by the processor time of one thread.
"""

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from _measure import Figure, options, ratio, repeated, report

from fooldeap.configuration import config
from fooldeap.lazy_tensorflow import limit_threads
from fooldeap.runs.environment import current_environment
from fooldeap.runs.experiment_session import ExperimentSession
from fooldeap.runs.run_folder import RunFolder

MODEL = Path(__file__).parent.parent / "models/efficientnet_lite0.pt"
CLASSES = list(range(0, 1000, 100))
STEPS = 10


def main() -> int:
    arguments = options(__doc__).parse_args()
    limit_threads(1)
    scaling = {"mean": [127] * 3, "std": [128] * 3}
    classifier = {"name": "torch", "model": str(MODEL), "shape": [224, 224, 3], "outputs": "logits", **scaling}
    experiment = config.load(
        {
            "classifier": classifier,
            "targets": CLASSES,
            "genome": "pixels",
            "algorithm": {"name": "gradient_ascent", "step": 1.0},
            "stop": {"confidence": None, "evaluations": STEPS},
            "reporters": ["csv"],
        }
    )
    bare = Bare()

    def repeat() -> dict[str, float]:
        with ExperimentSession(experiment) as prepared, tempfile.TemporaryDirectory() as folder:
            made = RunFolder.create(experiment, Path(folder) / "run")
            start = time.process_time()
            prepared.run(made)
            middle = time.process_time()
            for _ in range(STEPS):
                bare.step()
            return {"loop": middle - start, "bare": time.process_time() - middle}

    measured, discarded = repeated(repeat, arguments.repeats)
    figure = Figure("loop / bare steps, ten classes", ratio(measured, "loop", "bare"), most=2)
    return report([figure], [f"{discarded} repeats discarded"], arguments.json, environment=current_environment())


class Bare:
    """The model alone, and ten images."""

    def __init__(self) -> None:
        import torch

        self._torch: Any = torch
        self._model = torch.jit.load(MODEL).eval()
        pixels = np.random.default_rng(0).integers(0, 256, (len(CLASSES), 3, 224, 224)).astype(np.float32)
        self._images, self._targets = torch.from_numpy(pixels), torch.tensor(CLASSES)[:, None]

    def step(self) -> None:
        """Compute the logits and the gradients of log p(target)."""
        images = self._images.clone().requires_grad_()
        logits = self._model((images - 127) / 128)
        log_p = self._torch.log_softmax(logits, 1).gather(1, self._targets).sum()
        self._torch.autograd.grad(log_p, images)
        logits.detach().numpy()


if __name__ == "__main__":
    sys.exit(main())
