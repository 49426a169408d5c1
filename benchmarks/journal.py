"""Cost of the journal: the share of the main job's time in journal and digest calls, and the bytes per evaluation.

python benchmarks/journal.py [--repeats 9] [--json FILE]
"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from _measure import Figure, Spread, options, repeated, report

from fooldeap.configuration import config
from fooldeap.engine import evaluation
from fooldeap.engine.evaluation import Batch
from fooldeap.runs.environment import current_environment
from fooldeap.runs.experiment_session import ExperimentSession
from fooldeap.runs.run_folder import RunFolder
from fooldeap.storage.journal import Journal

CONFIG = Path(__file__).parent.parent / "configs" / "mnist.yaml"
MOST = 0.03


def main() -> int:
    arguments = options(__doc__).parse_args()
    with ExperimentSession(config.load(CONFIG, ["reporters=[csv]"])) as prepared:
        measured, discarded = repeated(lambda: run(prepared), arguments.repeats)
    shares = [recording / total for recording, total in zip(measured["recording"], measured["total"], strict=True)]
    figures = [
        Figure("time in journal and digest calls / the run", Spread.of(shares), most=MOST),
        Figure("journal, bytes per evaluation", Spread.of(measured["bytes"])),
    ]
    return report(figures, [f"{discarded} repeats discarded"], arguments.json, environment=current_environment())


def run(prepared: ExperimentSession) -> dict[str, float]:
    """Run the main job; return the seconds in the calls and of the run, and the bytes per evaluation."""
    with tempfile.TemporaryDirectory() as name, timed_calls() as clock:
        folder = RunFolder.create(prepared.experiment, Path(name) / "run")
        result = prepared.run(folder)
        written = sum(path.stat().st_size for path in folder.journals.glob("*.journal"))
    return {"recording": clock[0], "total": result.seconds, "bytes": written / result.evaluations}


@contextmanager
def timed_calls() -> Iterator[list[float]]:
    """Add up the seconds in journal and digest calls while the context is active."""
    clock = [0.0]

    def timed(function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*arguments: Any) -> Any:
            start = time.perf_counter()
            try:
                return function(*arguments)
            finally:
                clock[0] += time.perf_counter() - start

        return wrapper

    originals = [
        (Journal, "write_answer", Journal.write_answer),
        (Journal, "next_answer", Journal.next_answer),
        (Journal, "close", Journal.close),
        (Batch, "digest", Batch.digest),
        (evaluation, "_digests", evaluation._digests),
    ]
    for owner, name, original in originals:
        setattr(owner, name, property(timed(original.fget)) if isinstance(original, property) else timed(original))
    try:
        yield clock
    finally:
        for owner, name, original in originals:
            setattr(owner, name, original)


if __name__ == "__main__":
    sys.exit(main())
