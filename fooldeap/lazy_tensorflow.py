"""Lazy, silenced import of TensorFlow."""

import contextlib
import functools
import os
import platform
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator
from typing import Any

from fooldeap.errors import InputError, RunError

_limit: int | None = None
_hidden_packages: tuple[str, ...] = ()


def limit_threads(threads: int | None) -> None:
    """Set the default number of TensorFlow threads. None: one per core. It has no effect once TensorFlow is running."""
    global _limit
    _limit = threads


def import_keras_without(*packages: str) -> None:
    """Hide packages from Keras while it is imported. Keras imports pandas and matplotlib if they are installed.

    Without them, the import takes a sixth less time. Afterwards, Keras cannot be trained on pandas' tables.
    """
    global _hidden_packages
    _hidden_packages = packages


def usable_cores() -> int:
    """Return the number of cores that this process may use. macOS and Windows cannot tell; there it is all cores."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def thread_limit() -> int | None:
    """Return the default number of threads of a model. None: one per core."""
    return _limit


def tensorflow(threads: int | None = None) -> Any:
    """Import TensorFlow and Keras, and return the module ``tensorflow``.

    Parameters
    ----------
    threads
        Number of threads of TensorFlow; None: the default, see `limit_threads`. The first call in a process sets it.

    Raises
    ------
    InputError
        Keras already uses a different backend.
    RunError
        TensorFlow already runs with a different number of threads.
    """
    tf = _imported(threads or _limit)
    if threads is not None and tf.config.threading.get_intra_op_parallelism_threads() != threads:
        raise RunError(f"TensorFlow is already running; set 'threads: {threads}' before its first use")
    return tf


@functools.cache
def _first_import() -> Any:
    _use_tensorflow_backend()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if platform.machine() in ("x86_64", "AMD64"):
        # Without oneDNN, which TensorFlow uses by default on some processors only, the bits of an answer depend on the
        # size of its batch, and convolutions take up to four times as long.
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    with _stderr_held_back(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with _hidden(_hidden_packages):
            import keras  # noqa: F401 - so that its messages at import are suppressed too
        import tensorflow as tf
    tf.get_logger().setLevel("ERROR")
    return tf


def _imported(threads: int | None) -> Any:
    tf = _first_import()
    with contextlib.suppress(RuntimeError), _stderr_held_back():  # RuntimeError: devices are open already
        if threads is not None:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(threads)
        tf.config.list_logical_devices()  # initialises the devices, which also prints messages
    return tf


def _use_tensorflow_backend() -> None:
    os.environ["KERAS_BACKEND"] = "tensorflow"
    keras = sys.modules.get("keras")
    if keras is not None and keras.backend.backend() != "tensorflow":
        raise InputError(
            f"keras uses the backend {keras.backend.backend()!r}, expected 'tensorflow'; "
            "set KERAS_BACKEND=tensorflow before anything imports keras"
        )


@contextlib.contextmanager
def _hidden(packages: tuple[str, ...]) -> Iterator[None]:
    """Let the import of packages fail in the block, if they are not imported yet."""
    hidden = [package for package in packages if package not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type] # None means that there is no such module
    try:
        yield
    finally:
        for package in hidden:
            sys.modules.pop(package, None)


_silencing = threading.RLock()  # threads share descriptor 2 and would restore each other's copy


@contextlib.contextmanager
def _stderr_held_back() -> Iterator[None]:
    """Suppress output of C++ code to file descriptor 2, which no setting silences. Print it if the block fails."""
    with _silencing, tempfile.TemporaryFile() as held, _descriptor_2(held.fileno()) as stderr:
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(stderr, held.read())
            raise


@contextlib.contextmanager
def _descriptor_2(target: int) -> Iterator[int]:
    """Redirect file descriptor 2 to ``target`` in the block. Yield a copy of the original descriptor."""
    saved = os.dup(2)
    try:
        os.dup2(target, 2)
        yield saved
    finally:
        os.dup2(saved, 2)
        os.close(saved)
