"""The connection to Dask's scheduler: it sends tasks, and returns their results in order."""

import asyncio
import itertools
import math
import pickle
import queue
import secrets
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from distributed import Client, KilledWorker

from fooldeap.errors import FooldeapError, OvertimeError, RunError

from ._calls import in_order
from ._dask_tasks import Preload, ReportRepeats, run

CONNECT_SECONDS = 10.0
BUNDLED_SECONDS = 0.25  # items that take less time are sent together, one task for each worker


def connect(address: Any, security: Any = None) -> Any:
    """Return a client of a scheduler or a cluster, or raise `RunError` if it cannot be reached."""
    try:
        with warnings.catch_warnings(), ThreadPoolExecutor(1) as pool:
            warnings.simplefilter("ignore")  # about other versions of packages on other machines
            client = pool.submit(Client, address, security=security, timeout=CONNECT_SECONDS, set_as_default=False)
            try:
                return client.result()
            except KeyboardInterrupt:  # only this thread: the client is complete, and can be closed
                client.result().close()
                raise
    except (OSError, ValueError, RuntimeError) as error:
        text = " ".join(str(error).split())
        raise RunError(f"the Dask scheduler {address} cannot be reached ({text}); start it: dask scheduler") from error


class Connection:
    """Maps functions with a client of Dask. ``check_cluster`` raises an error if the cluster cannot continue."""

    def __init__(
        self, client: Any, work: bytes, threads: int | None, wait_seconds: float, check_cluster: Callable[[], None]
    ) -> None:
        self.sent_again = 0
        self._failure: FooldeapError | None = None  # reported by a worker
        self.dashboard = str(client.dashboard_link)
        self._client, self._wait_seconds, self._check_cluster = client, wait_seconds, check_cluster
        self._topic = f"fooldeap-{secrets.token_hex(8)}"
        self._numbers = itertools.count()
        self._sizes: dict[str, int] = {}  # number of items of each unfinished task
        self._seconds: dict[str, float] = {}  # seconds for an item, by the name of the function
        self._loaded: set[str] = set()  # workers that have loaded the experiment
        self._results: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._had_workers = time.monotonic()
        client.subscribe_topic(self._topic, self._handle_message)
        self._register("the Dask scheduler", ReportRepeats(self._topic))
        self._register("a Dask worker", Preload(self._topic, work, threads))

    @property
    def workers(self) -> list[str]:
        """The addresses of the workers that are connected."""
        try:
            return sorted(self._client.nthreads())
        except Exception as error:
            raise self._lost() from error

    def wait(self, count: int, *, loaded: bool = False) -> None:
        """Wait until as many workers are connected, or have ``loaded`` the experiment."""
        while sum(not loaded or each in self._loaded for each in self.workers) < count:
            self._check(1 if loaded else count)
            time.sleep(0.05)

    def map(self, function: Callable[..., Any], items: Sequence[Any], workers: int) -> Iterator[Any]:
        """Yield the results of ``function`` over ``items``, in order.

        If a worker fails, its error is raised in this process.
        """
        if not items:
            return
        self._check_failure()
        name, start = getattr(function, "__name__", ""), time.monotonic()
        bundles = self._bundle(name, items, workers)
        self._results = results = queue.SimpleQueue[Any]()
        self._had_workers = time.monotonic()
        keys = [f"{self._topic}-{next(self._numbers)}" for _ in bundles]
        self._sizes = dict(zip(keys, map(len, bundles), strict=True))
        sent, packed = pickle.dumps(function), [pickle.dumps(bundle) for bundle in bundles]
        count = len(bundles)
        futures = self._client.map(run, [self._topic] * count, [sent] * count, packed, key=keys, pure=False)
        for number, future in enumerate(futures):
            asyncio.run_coroutine_threadsafe(self._fetch(number, future, results), self._client.loop.asyncio_loop)
        try:
            for found in in_order(self._arrivals(results, count)):
                yield from pickle.loads(found)
            self._seconds[name] = (time.monotonic() - start) * workers / len(items)
        finally:
            self._sizes = {}
            if any(not future.done() for future in futures) and self._client.status == "running":
                self._client.cancel(futures)

    def close(self) -> None:
        """Leave the scheduler and its workers as they were."""
        if self._client.status == "running":
            self._client.unregister_worker_plugin(f"{self._topic}-Preload")
            self._client.unregister_scheduler_plugin(f"{self._topic}-ReportRepeats")
            self._client.unsubscribe_topic(self._topic)

    def _register(self, place: str, plugin: Any) -> None:
        try:
            self._client.register_plugin(plugin, name=f"{self._topic}-{type(plugin).__name__}")
        except ImportError as error:
            raise RunError(f"{place} cannot import fooldeap ({error}); install fooldeap[dask] there") from error

    def _bundle(self, name: str, items: Sequence[Any], workers: int) -> list[Sequence[Any]]:
        """Divide items into tasks. Dask needs one to two milliseconds for a task."""
        fast = self._seconds.get(name, math.inf) < BUNDLED_SECONDS
        size = math.ceil(len(items) / workers) if fast else 1
        return [items[start : start + size] for start in range(0, len(items), size)]

    async def _fetch(self, number: int, future: Any, results: "queue.SimpleQueue[Any]") -> None:
        try:
            (found,) = await self._client.gather([future], asynchronous=True)
            results.put((number, found))
        except BaseException as error:
            results.put(error)

    def _arrivals(self, results: "queue.SimpleQueue[Any]", count: int) -> Iterator[tuple[int, Any]]:
        """Yield the number and the result of each task when it has ended."""
        while count:
            try:
                found = results.get(timeout=1.0)
            except queue.Empty:
                self._check(1)
                continue
            if isinstance(found, BaseException):
                raise self._explain(found) from found
            yield found
            count -= 1

    def _handle_message(self, event: tuple[float, dict[str, str]]) -> None:
        """Handle a message of a worker or of the scheduler plugin."""
        _, message = event
        if "again" in message:
            self.sent_again += self._sizes.get(message["again"], 0)
        elif "loaded" in message:
            self._loaded.add(message["loaded"])
        else:
            self._failure = OvertimeError(message["hangs"])
            self._results.put(self._failure)

    def _check_failure(self) -> None:
        if self._failure is not None:
            raise self._failure
        self._check_cluster()

    def _check(self, count: int) -> None:
        """Raise an error if no answer can be expected."""
        self._check_failure()
        now, workers = time.monotonic(), len(self.workers)
        if workers >= count:
            self._had_workers = now
        elif now - self._had_workers > self._wait_seconds:
            address = self._client.scheduler.address
            raise RunError(
                f"the Dask scheduler {address} has {workers} workers after {self._wait_seconds:g} s, expected at least "
                f"{count}; start some: dask worker {address}, or wait longer: executor.start_timeout"
            )

    def _explain(self, error: BaseException) -> BaseException:
        """Return the error to raise for an error of a task that is not a failure of its function."""
        if isinstance(error, FooldeapError):
            return error
        if isinstance(error, KilledWorker):
            return RunError(f"{error.allowed_failures + 1} Dask workers ended while they worked on the same task")
        if isinstance(error, asyncio.CancelledError) or self._client.status != "running":
            return self._lost()
        return RunError(f"Dask: {type(error).__name__}: {' '.join(str(error).split())[:400]}")

    def _lost(self) -> RunError:
        return RunError(f"the connection to the Dask scheduler {self._client.scheduler.address} was lost")
