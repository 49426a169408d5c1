"""Many runs in lockstep, so that they share one forward pass; each that fails ends alone."""

import itertools
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
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
            unseen = [(run, rows) for run in asked if (rows := run.attempt(run.uncached)) is not None]
            for run, logits in (_isolated if isolate else _together)(unseen, evaluator):
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


Answered = tuple[Run, Any]  # a run, and the logits of its next images


def _together(unseen: Sequence[tuple[Run, Rows]], evaluator: Evaluator) -> Iterator[Answered]:
    """Yield the answers to the images of each run, those of one query before the next query."""
    for answers in evaluator.answers([rows for _, rows in unseen]):
        for index, logits in answers:
            yield unseen[index][0], logits


def _isolated(unseen: Sequence[tuple[Run, Rows]], evaluator: Evaluator) -> Iterator[Answered]:
    """Yield the answers as well; if the classifier fails, those of each run whose images are not the cause.

    Raises
    ------
    PluginError
        The classifier fails on other images as well, so no run is the cause; or it is too slow or too expensive to be
        asked again.
    """
    try:
        yield from _together(unseen, evaluator)
    except PluginError as error:
        if isinstance(error, OvertimeError) or evaluator.billable:
            raise
        answers = [(run, run.attempt(_alone, evaluator, rows)) for run, rows in unseen]
        if all(answer is None for _, answer in answers) and not evaluator.answers_black():
            raise
        if all(answer is not None for _, answer in answers):
            again = "asked again, run by run, it answers, and the runs go on"
            warnings.warn(f"{error}; {again}", FooldeapWarning, stacklevel=2)
        yield from ((run, answer) for run, answer in answers if answer is not None)


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
