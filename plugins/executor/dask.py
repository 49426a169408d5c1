"""Evaluation in several processes with Dask, on this machine or on a cluster."""

import importlib.util
import io
import ipaddress
import pickle
import re
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any, Literal

from fooldeap.lazy_tensorflow import usable_cores
from fooldeap.plugin import Command, Executor, File, Ge, Gt, InputError, Le, dataclass, executor, field
from fooldeap.storage.inputs import read_json
from fooldeap.terminal_text import tell

MOST_WORKERS = 1024
_adopted: "weakref.WeakValueDictionary[str, Any]" = weakref.WeakValueDictionary()  # clients of the user, by address


@executor("dask")
@dataclass(kw_only=True)
class Dask(Executor):
    """Evaluate images in several processes, on this machine or on a cluster, with the package Dask.

    Without ``scheduler``, ``workers`` processes are started on this machine; ``auto`` is one per core. ``scheduler`` is
    the address of a running scheduler, ``tls://host:8786``; ``scheduler_file`` is the file that it wrote. The run then
    uses all its workers, and begins when it has ``workers`` of them, or at least one. In the mode ``chunks``, this
    process drives all runs, and the workers evaluate parts of its batches. In the mode ``runs``, each worker drives
    some of the runs. Model and plugins must have the same paths on all machines. ``tls_ca``, ``tls_cert`` and
    ``tls_key`` are files with certificates; by default, those in Dask's configuration. ``insecure`` allows a scheduler
    on another machine without TLS. ``dashboard`` shows Dask's page about the cluster. The run fails if there are no
    workers for ``start_timeout`` seconds, or if a classifier takes longer than ``batch_timeout`` for a batch or a part
    of one; null means no limit.
    """

    workers: Annotated[int, Ge(1), Le(MOST_WORKERS)] | Literal["auto"] = "auto"
    mode: Literal["chunks", "runs"] = "chunks"
    # The processes of a cluster send pickles, which can run code.
    scheduler: Command | None = None
    scheduler_file: Annotated[File, "command"] | None = None
    tls_ca: File | None = None
    tls_cert: File | None = None
    tls_key: File | None = None
    insecure: Annotated[bool, "command"] = False
    dashboard: bool = False
    start_timeout: Annotated[float, Gt(0), Le(1e6)] = 180.0
    batch_timeout: Annotated[float, Gt(0), Le(1e6)] | None = 3600.0
    _connection: Any = field(default=None, init=False, repr=False)
    _resources: ExitStack = field(default_factory=ExitStack, init=False, repr=False)
    _log: io.StringIO = field(default_factory=io.StringIO, init=False, repr=False)
    _count: int = field(default=0, init=False, repr=False)

    @staticmethod
    def from_object(source: Any) -> dict[str, Any] | None:
        """Return the settings for a Dask client or cluster in memory. None if ``source`` is neither."""
        if not type(source).__module__.startswith(("distributed.", "dask_")):
            return None
        address = getattr(source, "scheduler_address", None) or getattr(
            getattr(source, "scheduler", None), "address", ""
        )
        if not address or getattr(source, "asynchronous", False):
            raise InputError(f"executor: got {source!r}, expected a connected Dask client or cluster, not asynchronous")
        _adopted[address] = source
        return {"name": "dask", "scheduler": address}

    @property
    def processes(self) -> int:
        """The number of workers. This process does not evaluate."""
        return max(1, self._count)

    @property
    def whole_runs(self) -> bool:
        """Whether whole runs are mapped."""
        return self.mode == "runs"

    def open(self, work: Any) -> None:
        """Start or find the workers, which load ``work`` at the same time as this process."""
        payload = pickle.dumps(work)
        if importlib.util.find_spec("distributed") is None:
            raise InputError("needs the package 'distributed'; install fooldeap[dask]")
        if self.scheduler is not None and self.scheduler_file is not None:
            raise InputError("scheduler_file: names a second scheduler; leave one of them out")
        try:
            if self.scheduler is None and self.scheduler_file is None:
                self._start(payload)
            else:
                self._join(payload)
            if self.dashboard:
                tell(f"Dask's dashboard: {self._connection.dashboard}")
        except BaseException:
            self.close()
            raise

    def map(self, function: Callable[..., Any], items: Iterable[Any]) -> Iterator[Any]:
        """Return the results of ``function`` over ``items``, in order."""
        if self._connection is None:
            self.open(None)
        return iter(self._connection.map(function, list(items), self.processes))

    @property
    def sent_again(self) -> int:
        """The number of items that were sent again because their worker was lost."""
        return 0 if self._connection is None else int(self._connection.sent_again)

    def wait(self) -> None:
        """Wait until all workers have loaded the experiment."""
        self._connection.wait(self._count, loaded=True)

    def close(self) -> str:
        """End the workers that `open` has started, and return their output."""
        self._connection = None
        self._resources.close()
        log, self._log = self._log, io.StringIO()
        return log.getvalue()

    def _start(self, payload: bytes) -> None:
        """Start a cluster on this machine."""
        from ._dask_client import Connection, connect
        from ._dask_cluster import OwnCluster, warnings_in

        useless = next((name for name in ("tls_ca", "tls_cert", "tls_key") if getattr(self, name)), None)
        if useless:
            raise InputError(
                f"{useless} has no effect without a scheduler, because local workers get a new certificate"
            )
        if self.dashboard and importlib.util.find_spec("bokeh") is None:
            raise InputError("dashboard: needs the package 'bokeh'; install it, or leave 'dashboard' out")
        self._count = usable_cores() if self.workers == "auto" else self.workers
        threads = max(1, usable_cores() // self._count)
        self._resources.enter_context(warnings_in(self._log))
        cluster = OwnCluster(self._count, threads, self.dashboard)
        self._resources.callback(lambda: self._log.write(cluster.close()))
        cluster.start()
        client = connect(cluster.cluster)
        self._resources.callback(client.close)
        self._connection = Connection(client, payload, threads, self.start_timeout, cluster.check)

    def _join(self, payload: bytes) -> None:
        """Connect to a running scheduler."""
        from distributed import Client

        from ._dask_client import Connection, connect
        from ._dask_cluster import warnings_in

        address = self._address()
        client = _adopted.get(address)
        if isinstance(client, Client) and client.status != "running":
            client = None  # the user has closed it
        if not isinstance(client, Client):
            security = self._security(address) if client is None else None
            self._resources.enter_context(warnings_in(self._log))
            client = connect(address if client is None else client, security)
            self._resources.callback(client.close)
        self._connection = Connection(client, payload, None, self.start_timeout, lambda: None)
        self._resources.callback(self._connection.close)
        self._connection.wait(1 if self.workers == "auto" else self.workers)
        self._count = len(self._connection.workers)

    def _address(self) -> str:
        """Return the address of the scheduler."""
        if self.scheduler is not None:
            return self.scheduler
        try:
            return str(read_json(Path(str(self.scheduler_file)), named=True)["address"])
        except InputError:
            raise
        except (ValueError, KeyError, TypeError) as error:
            needs = "has no address; let 'dask scheduler' write it"
            raise InputError(f"scheduler_file: {self.scheduler_file} {needs}") from error

    def _security(self, address: str) -> Any:
        """Return Dask's TLS settings.

        Raises
        ------
        InputError
            The connection would not be protected.
        """
        from distributed import Security

        files = {"tls_ca_file": self.tls_ca, "tls_client_cert": self.tls_cert, "tls_client_key": self.tls_key}
        given = {name: file for name, file in files.items() if file is not None}
        security: Any = Security(**given)
        scheme, separator, rest = address.partition("://")
        if not separator or scheme not in ("tls", "tcp") or not re.fullmatch(r".+:\d{1,5}", rest):
            raise InputError(f"scheduler: got {address!r}, expected an address such as tls://host:8786")
        if scheme == "tls" and not (security.tls_ca_file and security.tls_client_cert):
            raise InputError("scheduler: tls:// needs certificates; set tls_ca, tls_cert and tls_key")
        if scheme == "tcp" and not _is_loopback(rest.rpartition(":")[0]) and not self.insecure:
            raise InputError(
                f"scheduler: got {address!r}, on which everyone in the network can run code; use tls://, or set "
                "insecure: true"
            )
        return security


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
