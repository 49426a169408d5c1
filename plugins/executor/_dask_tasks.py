"""What Dask's workers and its scheduler import: the task, and Dask plugins that preload and report."""

import contextlib
import functools
import os
import pickle
import threading
import time
from typing import Any

from distributed import get_worker
from distributed.diagnostics.plugin import SchedulerPlugin, WorkerPlugin

from fooldeap.engine import timeout
from fooldeap.lazy_tensorflow import limit_threads

from ._calls import Failure

FLUSH_SECONDS = 1.0  # seconds in which a message reaches the scheduler before the worker ends
_lock = threading.Lock()  # a worker of a user may have several threads, but a classifier may not be thread-safe
ends_if_hanging = False  # set in processes that fooldeap has started


def run(topic: str, function: bytes, items: bytes) -> bytes:
    """Return the results of a function over some items. The last one is a `Failure` if it failed.

    All values are pickles, so that the scheduler does not load them.
    """
    outcomes: list[Any] = []
    with _lock:
        timeout.last_resort = functools.partial(_report_hanging, get_worker(), topic)
        try:
            call = pickle.loads(function)
            for item in pickle.loads(items):
                outcomes.append(call(item))
            return pickle.dumps(outcomes)
        except BaseException as error:
            return pickle.dumps([*outcomes, Failure.from_error(error)])
        finally:
            timeout.last_resort = None


def _report_hanging(worker: Any, topic: str, message: str) -> None:
    """Tell the client that the classifier hangs. Without this, Dask would try the task again."""
    worker.log_event(topic, {"hangs": f"{message} (on {os.uname().nodename}, process {os.getpid()})"})
    if ends_if_hanging:
        time.sleep(FLUSH_SECONDS)
        os._exit(1)


class Preload(WorkerPlugin):  # type: ignore[misc]
    """Makes each worker load the experiment before its first task.

    ``threads`` is the number of threads of a model; None: the number of the worker's threads.
    """

    def __init__(self, work: bytes, threads: int | None) -> None:
        self._work, self._threads = work, threads

    def setup(self, worker: Any) -> None:
        """Begin to load. Tasks wait until this has ended."""
        limit_threads(self._threads or worker.state.nthreads)
        threading.Thread(target=self._load, name="fooldeap-preload", daemon=True).start()

    def _load(self) -> None:
        with _lock, contextlib.suppress(Exception):  # the first task will raise the same error
            work = pickle.loads(self._work)
            if work is not None:
                _ = work.probe


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
