"""What Dask's workers and its scheduler import: the task, and Dask plugins that preload and report."""

import contextlib
import functools
import os
import pickle
import threading
import time
from collections.abc import Iterator
from typing import Any

from distributed import get_worker
from distributed.diagnostics.plugin import SchedulerPlugin, WorkerPlugin

from fooldeap.engine import timeout
from fooldeap.errors import OvertimeError
from fooldeap.lazy_tensorflow import limit_threads

from ._calls import attempt, preload

FLUSH_SECONDS = 1.0  # seconds in which a message reaches the scheduler before the worker ends
_lock = threading.Lock()  # a worker of a user may have several threads, but a classifier may not be thread-safe
_hanging = ""  # the message about a classifier that hangs in this process
ends_if_hanging = False  # set in processes that fooldeap has started


def run(topic: str, function: bytes, items: bytes) -> Any:
    """Return the results of a function over some items, or a `Failure`.

    All values are pickles, so that the scheduler does not load them.
    """

    def results() -> bytes:
        with _alone(get_worker(), topic):
            call = pickle.loads(function)
            return pickle.dumps([call(item) for item in pickle.loads(items)])

    return attempt(results)


@contextlib.contextmanager
def _alone(worker: Any, topic: str) -> Iterator[None]:
    """Wait until no other thread uses a classifier. Report a classifier that hangs in the block to the client."""
    global _hanging
    while not _lock.acquire(timeout=1.0):
        if _hanging:
            raise OvertimeError(_hanging)
    _hanging, timeout.last_resort = "", functools.partial(_report_hanging, worker, topic)
    try:
        yield
    finally:
        timeout.last_resort = None
        _lock.release()


def _report_hanging(worker: Any, topic: str, message: str) -> None:
    """Tell the client that the classifier hangs. Without this, Dask would try the task again."""
    global _hanging
    _hanging = f"{message} (on {os.uname().nodename}, process {os.getpid()})"
    worker.log_event(topic, {"hangs": _hanging})
    if ends_if_hanging:
        time.sleep(FLUSH_SECONDS)
        os._exit(1)


class Preload(WorkerPlugin):  # type: ignore[misc]
    """Makes each worker load the experiment before its first task.

    ``threads`` is the number of threads of a model; None: the number of the worker's threads.
    """

    def __init__(self, topic: str, work: bytes, threads: int | None) -> None:
        self._topic, self._work, self._threads = topic, work, threads

    def setup(self, worker: Any) -> None:
        """Begin to load. Tasks wait until this has ended."""
        limit_threads(self._threads or worker.state.nthreads)
        threading.Thread(target=self._load, args=(worker,), name="fooldeap-preload", daemon=True).start()

    def _load(self, worker: Any) -> None:
        with contextlib.suppress(OvertimeError), _alone(worker, self._topic):
            preload(self._work)
        worker.log_event(self._topic, {"loaded": worker.address})


class ReportRepeats(SchedulerPlugin):  # type: ignore[misc]
    """Reports each task that Dask assigns to a second worker, because the first one was lost."""

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._scheduler: Any = None

    async def start(self, scheduler: Any) -> None:
        """Remember the scheduler."""
        self._scheduler = scheduler

    def transition(self, key: Any, start: str, finish: str, *args: Any, **kwargs: Any) -> None:
        """Handle a task that leaves a worker, or whose result is lost, although the client still waits for it."""
        lost = start in ("processing", "memory") and finish not in ("memory", "erred", "forgotten")
        if lost and str(key).startswith(self._topic) and self._scheduler.tasks[key].who_wants:
            self._scheduler.log_event(self._topic, {"again": key})
