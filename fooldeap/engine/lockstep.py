"""Advance many runs in lockstep, so that they share forward passes. A run that fails does not stop the others."""

import itertools
import warnings
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Any

from fooldeap.engine.evaluation import Evaluator, Rows
from fooldeap.engine.evolution import Run
from fooldeap.errors import FileError, FooldeapWarning, OvertimeError, PluginError


def drive(
    runs: Iterable[Run],
    evaluator: Evaluator,
    width: int,
    on_batch: Callable[[], None] = lambda: None,
    *,
    isolate: bool = False,
) -> Generator[Run, None, None]:
    """Advance runs together, at most ``width`` at a time, and yield each run when it ends.

    ``runs`` is a queue. When a run ends, the next one starts, so that batches stay full. A run that fails ends alone,
    see `Run.failure`. With ``isolate``, a run whose images make the classifier fail also ends alone.
    """
    waiting, active = iter(runs), list[Run]()
    try:
        while True:
            active += itertools.islice(waiting, width - len(active))
            if not active:
                return
            # All runs take a step before the next step starts: this uses the processor's caches better.
            asked = [run for run in active if run.attempt(run.ask)]
            unseen = [(run, rows) for run in asked if (rows := run.attempt(run.uncached)) is not None]
            for query in evaluator.split(unseen):
                try:
                    answers: Sequence[Any] = evaluator.logits([rows for _, rows in query])
                except PluginError as error:
                    if not isolate:
                        raise
                    answers = _ask_one_by_one(query, evaluator, error)
                for (run, _), logits in zip(query, answers, strict=True):
                    if logits is not None:
                        run.attempt(run.store, logits)
            for step in (Run.tell, Run.finish_generation):
                for run in asked:
                    if not run.stopped:
                        run.attempt(step, run)
            on_batch()
            ended, active = [run for run in active if run.stopped], [run for run in active if not run.stopped]
            yield from ended
    finally:
        _close(active)


def _ask_one_by_one(query: Sequence[tuple[Run, Rows]], evaluator: Evaluator, error: PluginError) -> list[Any]:
    """Return the answers to a query that failed. The answer is None for a run whose images cause the failure.

    Raises
    ------
    PluginError
        The classifier also fails on other images, so no run is the cause. Or it is too slow or too expensive to be
        asked again.
    """
    if isinstance(error, OvertimeError) or evaluator.billable:
        raise error
    found = [run.attempt(evaluator.logits, [rows]) for run, rows in query]
    if not any(found) and not evaluator.answers_black():
        raise error
    if all(found):
        again = "asked again, run by run, it answers, and the runs go on"
        warnings.warn(f"{error}; {again}", FooldeapWarning, stacklevel=2)
    return [answers and answers[0] for answers in found]


def _close(runs: Iterable[Run]) -> None:
    """Close all runs, even if the journal of one run cannot be written."""
    failure = None
    for run in runs:
        try:
            run.close()
        except FileError as error:
            failure = failure or error
    if failure is not None:
        raise failure
