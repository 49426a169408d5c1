"""Evaluation in this process."""

from fooldeap.plugin import Executor, dataclass, executor


@executor("serial")
@dataclass(frozen=True)
class Serial(Executor):
    """Evaluate all images in one process. TensorFlow uses all cores."""
