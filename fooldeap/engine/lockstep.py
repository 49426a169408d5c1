"""Many runs in lockstep, so that they share one forward pass; each that fails ends alone."""

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
    """Advance runs together, at most ``width`` at a time, each from its start to its end, and yield each then.

    ``runs`` is a queue: the next one starts as soon as another ends, so that late batches stay full. A run that fails
    ends alone, see `Run.failure`; with ``isolate`` so does one with images that the classifier fails on.
    """
    waiting, active = iter(runs), list[Run]()
    try:
        while True:
            active += itertools.islice(waiting, width - len(active))
            if not active:
                return
            # Each step is taken by all runs before the next: what the processor has just run, it runs faster.
            asked = [run for run in active if run.attempt(run.ask)]
            unseen = [(run, rows) for run in asked if (rows := run.attempt(run.unseen)) is not None]
            answers = (_isolated if isolate else _together)(unseen, evaluator)
            for (run, _), logits in zip(unseen, answers, strict=True):
                if logits is not None:
                    run.attempt(run.tell, logits)
            for run in asked:
                if not run.stopped:
                    run.attempt(run.settle)
            on_batch()
            ended, active = [run for run in active if run.stopped], [run for run in active if not run.stopped]
            yield from ended
    finally:
        _close(active)


def _together(unseen: Sequence[tuple[Run, Rows]], evaluator: Evaluator) -> Sequence[Any]:
    """Return the answers to the images of each run."""
    return evaluator.logits([rows for _, rows in unseen])


def _isolated(unseen: Sequence[tuple[Run, Rows]], evaluator: Evaluator) -> Sequence[Any]:
    """Return the answers as well; where the classifier fails, None for each run whose images are the cause.

    Raises
    ------
    PluginError
        It fails on other images as well, and so it is no run's fault; or it is too slow or too dear to be asked again.
    """
    try:
        return _together(unseen, evaluator)
    except PluginError as error:
        if isinstance(error, OvertimeError) or evaluator.billable:
            raise
        answers = [run.attempt(_alone, evaluator, rows) for run, rows in unseen]
        if all(answer is None for answer in answers) and not evaluator.answers_black():
            raise
        if all(answer is not None for answer in answers):
            again = "asked again, run by run, it answers, and the runs go on"
            warnings.warn(f"{error}; {again}", FooldeapWarning, stacklevel=2)
        return answers


def _alone(evaluator: Evaluator, rows: Rows) -> Any:
    (answer,) = evaluator.logits([rows])
    return answer


def _close(runs: Iterable[Run]) -> None:
    """Close all runs, also where the journal of one cannot be written to its end."""
    failure = None
    for run in runs:
        try:
            run.close()
        except FileError as error:
            failure = failure or error
    if failure is not None:
        raise failure
