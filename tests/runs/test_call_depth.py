"""The path from a command to the classifier is short."""

import sys
from pathlib import Path

import pytest
from helpers.experiments import ROOT

from fooldeap.cli import main

MOST_FRAMES = 9
PROJECT = (str(ROOT / "fooldeap"), str(ROOT / "plugins"))
# A classifier that writes the project's frames above its method to a file; generators count as frames.
PLUGIN = """
import sys
import numpy as np
from fooldeap.plugin import classifier, dataclass


@classifier("spy")
@dataclass
class Spy:
    \"\"\"Keep the stack of each call.\"\"\"

    input_shape, classes, digest, stacks = (8, 8, 1), 4, "spy", []

    def logits(self, images):
        self.keep("logits")
        weights = np.random.default_rng(7).normal(size=(64, 4)) * 0.002
        return np.einsum("ij,jk->ik", images.reshape(len(images), -1) - 127.5, weights).astype(np.float32)

    def gradient(self, images, targets):
        self.keep("gradient")
        return np.ones(images.shape, np.float32)

    def keep(self, method):
        frames, frame = [], sys._getframe(1)
        while frame is not None:
            frames.append((frame.f_code.co_filename, frame.f_code.co_name))
            frame = frame.f_back
        self.stacks.append((method, frames[::-1]))
"""


@pytest.fixture
def frames(tmp_path):
    """Run a gradient algorithm by the command, and return the project's frames of the last call of each method."""
    (tmp_path / "spy.py").write_text(PLUGIN)
    (tmp_path / "run.yaml").write_text(
        "{classifier: spy, algorithm: gradient_ascent, plugins: [spy.py], reporters: [csv], report: false, "
        "targets: [1], stop: {evaluations: 100, confidence: null}}"
    )
    with pytest.raises(SystemExit) as ended:
        main(["run", str(tmp_path / "run.yaml"), "--out", str(tmp_path / "run"), "--quiet"])
    assert ended.value.code == 0
    (module,) = [each for each in sys.modules.values() if getattr(each, "__file__", None) == str(tmp_path / "spy.py")]
    found = {}
    for method, stack in module.Spy.stacks:
        ours = [(file, name) for file, name in stack if file.startswith(PROJECT) or file == str(tmp_path / "spy.py")]
        command = ours.index((str(ROOT / "fooldeap/cli/run.py"), "run"))
        found[method] = [f"{Path(file).stem}.{name}" for file, name in ours[command:]]
    return found


def test_few_frames_are_above_the_classifier(frames):
    assert frames["logits"][0] == "run.run"
    assert frames["logits"][-1] == "spy.logits"
    assert len(frames["logits"][:-1]) <= MOST_FRAMES, frames["logits"]


def test_gradients_take_the_path_of_logits(frames):
    path = ["dispatcher._map", "worker_task.ask", "timeout.call"]
    assert frames["gradient"][-4:-1] == frames["logits"][-4:-1] == path
