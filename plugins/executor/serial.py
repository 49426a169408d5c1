"""Evaluation in this process."""

from fooldeap.plugin import Executor, dataclass, executor


@executor("serial")
@dataclass(frozen=True)
class Serial(Executor):
    """Evaluate in this process, one chunk after the other. TensorFlow uses all cores."""
