"""Check that everything fooldeap needs is installed and works, and say how to fix what is not."""

import contextlib
import importlib
import importlib.util
import os
import platform
import shutil
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from fooldeap.errors import FooldeapError, InputError
from fooldeap.formatting import level, per_second

if TYPE_CHECKING:
    from packaging.requirements import Requirement

NAME = "fooldeap"
MODELS = ("mnist_cnn", "mnist_lenet")
IMAGES, LEAST = 1000, 0.98  # the number of test images for a shipped model, and the accuracy that it must reach
TIMEOUT = 120.0  # seconds in which another process must load TensorFlow and answer
SPACE = 1 << 30  # a disk with fewer free bytes is reported as nearly full
_REINSTALL = "pip install --force-reinstall fooldeap"


class Finding(NamedTuple):
    """The result of a check: ``ok``; ``note``, if something optional is missing; ``bad``, if something required fails.

    ``message`` describes the result. ``cure`` says what to do; it is empty if there is nothing to do.
    """

    state: Literal["ok", "note", "bad"]
    message: str
    cure: str = ""

    def __str__(self) -> str:
        return f"{self.state:<5}{self.message}" + (f"; {self.cure}" if self.cure else "")


def examine() -> Iterator[Finding]:
    """Run all checks and yield their findings. A check that raises an error yields a ``bad`` finding."""
    machine = (python, packages, plugins, cores, tensorflow, devices)
    for check in (*machine, models, executors, extras, current_folder, terminal):
        try:
            yield from check()
        except FooldeapError as error:
            yield Finding("bad", f"{check.__name__}: {error}")
        except Exception as error:  # a broken package may raise any error
            reason = " ".join(str(error).split())
            yield Finding("bad", f"{check.__name__}: {type(error).__name__}: {reason}", _REINSTALL)


def python() -> Iterator[Finding]:
    """Check the version of Python."""
    from packaging.specifiers import SpecifierSet

    required = metadata.metadata(NAME)["Requires-Python"] or ""
    version = platform.python_version()
    supported = SpecifierSet(required).contains(version, prereleases=True)
    cure = "" if supported else f"expected {required}; create an environment with a newer Python"
    yield Finding("ok" if supported else "bad", f"Python {version}, {sys.executable}", cure)


def packages(
    requirements: Iterable[str] | None = None, version_of: Callable[[str], str] = metadata.version
) -> Iterator[Finding]:
    """Check that the required packages are installed, in versions that fit."""
    known = metadata.requires(NAME) or () if requirements is None else requirements
    missing = list(_missing(known, "", version_of))
    count = sum(1 for _ in _required(known, ""))
    yield from (Finding("bad", message, cure) for message, cure in missing)
    yield Finding("ok", f"{count - len(missing)} of {count} required packages, {NAME} {metadata.version(NAME)}")


def extras(
    requirements: Iterable[str] | None = None, version_of: Callable[[str], str] = metadata.version
) -> Iterator[Finding]:
    """Check which extras are installed."""
    known = list(metadata.requires(NAME) or () if requirements is None else requirements)
    for extra in metadata.metadata(NAME).get_all("Provides-Extra") or ():
        missing = list(_missing(known, extra, version_of))
        if missing:
            message = f"extra {extra}: {', '.join(message for message, _ in missing)}"
            yield Finding("note", message, f"to install it: pip install '{NAME}[{extra}]'")
        else:
            yield Finding("ok", f"extra {extra}")


def _required(requirements: Iterable[str], extra: str) -> Iterator["Requirement"]:
    """Yield the requirements of an extra; for an empty name, the requirements of fooldeap without extras."""
    from packaging.requirements import Requirement

    for text in requirements:
        requirement = Requirement(text)
        marker = requirement.marker
        always = marker is None or marker.evaluate({"extra": ""})
        if always if not extra else (not always and marker is not None and marker.evaluate({"extra": extra})):
            yield requirement


def _missing(requirements: Iterable[str], extra: str, version_of: Callable[[str], str]) -> Iterator[tuple[str, str]]:
    """Yield a message and a cure for each required package that is missing or has another version."""
    for requirement in _required(requirements, extra):
        cure = f"pip install '{requirement.name}{requirement.specifier}'"
        try:
            version = version_of(requirement.name)
        except metadata.PackageNotFoundError:
            yield f"{requirement.name} is not installed", cure
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            yield f"{requirement.name} is {version}, expected {requirement.specifier}", cure


def plugins() -> Iterator[Finding]:
    """Check that all installed plugins can be loaded."""
    from fooldeap import registry

    yield Finding("ok", f"{len(registry.load().all())} plugins")


def cores() -> Iterator[Finding]:
    """Report the number of cores that this process may use."""
    from fooldeap.lazy_tensorflow import usable_cores

    usable, total = usable_cores(), os.cpu_count()
    hint = "; to use them all: --workers auto" if usable > 1 else ""
    yield Finding("ok", f"{usable} of {total} cores can be used{hint}")


def tensorflow() -> Iterator[Finding]:
    """Check that TensorFlow can be imported."""
    from fooldeap import lazy_tensorflow

    start = time.perf_counter()
    tf = lazy_tensorflow.tensorflow()
    seconds = time.perf_counter() - start
    threads = tf.config.threading.get_intra_op_parallelism_threads() or "one per core"
    yield Finding("ok", f"TensorFlow {tf.__version__}: imported in {seconds:.1f} s, threads: {threads}")


def devices() -> Iterator[Finding]:
    """Report the devices that TensorFlow, ONNX Runtime and PyTorch can use."""
    from fooldeap import lazy_tensorflow

    found = []
    with contextlib.suppress(Exception):  # the check of TensorFlow reports it
        gpus = len(lazy_tensorflow.tensorflow().config.list_physical_devices("GPU"))
        found.append(f"TensorFlow: {', '.join(['cpu', *(f'cuda:{number}' for number in range(gpus))])}")
    if importlib.util.find_spec("onnxruntime") is not None:
        providers = importlib.import_module("onnxruntime").get_available_providers()
        found.append(f"ONNX Runtime: {', '.join(each.removesuffix('ExecutionProvider') for each in providers)}")
    if importlib.util.find_spec("torch") is not None:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "CUDA initialization: (?!The NVIDIA driver)", UserWarning)
            count = importlib.import_module("torch").cuda.device_count()
        found.append(f"PyTorch: {', '.join(['cpu', *(f'cuda:{number}' for number in range(count))])}")
    yield Finding("ok", f"devices: {'; '.join(found)}")


def models() -> Iterator[Finding]:
    """Check the accuracy of the shipped models on test digits."""
    from fooldeap import registry
    from fooldeap.configuration.choices import Choice, loaded

    known = registry.load()
    data = loaded(Choice(known.get("dataset", "mnist"), {}))
    images, labels = data.test_images[:IMAGES], data.test_labels[:IMAGES]
    for name in MODELS:
        classifier = known.get("classifier", "keras").build({"model": name})
        classifier.logits(images[:32])  # loads the model
        start = time.perf_counter()
        accuracy = float((classifier.logits(images).argmax(axis=1) == labels).mean())
        rate = per_second(len(images), time.perf_counter() - start)
        message = f"{name} classifies {level(accuracy)} of {len(images):,} test digits correctly"
        message += f", {rate:,.0f} per second" if rate else ""
        if accuracy >= LEAST:
            yield Finding("ok", message)
        else:
            yield Finding("bad", f"{message}; expected at least {level(LEAST)}", _REINSTALL)


def executors() -> Iterator[Finding]:
    """Check that another process evaluates a part of a batch, with bit-identical answers, with each executor."""
    from fooldeap import registry

    for plugin in registry.load().all("executor"):
        if "workers" not in plugin.parameters:
            continue
        try:
            yield _answer_of_another_process(plugin.name)
        except InputError as error:
            yield Finding("note", str(error))
        except FooldeapError as error:
            yield Finding("bad", f"executor {plugin.name}: {error}", "everything else works without it")


def _answer_of_another_process(executor: str) -> Finding:
    import numpy as np

    from fooldeap.configuration import config
    from fooldeap.runs.experiment_session import ExperimentSession

    start = time.monotonic()
    settings = {"targets": [0], "reporters": [], "executor": {"name": executor, "workers": 2}}
    with ExperimentSession(config.load({}, arguments=settings)) as prepared:
        images = np.zeros((IMAGES, *prepared.classifier.input_shape), np.uint8)
        answered = False
        while not answered and time.monotonic() - start < TIMEOUT:
            prepared.evaluator.logits([images])  # raises an error if the processes give different answers
            answered = any(place.process != os.getpid() for place in prepared.dispatcher.done)
            time.sleep(0.1)
        seconds = time.monotonic() - start
        if answered:
            return Finding("ok", f"executor {executor}: another process answered after {seconds:.1f} s, bit-identical")
        reason = "; ".join(prepared.executor.complaints()) or f"no other process answered within {seconds:.0f} s"
        return Finding("bad", f"executor {executor}: {reason}", "everything else works without it")


def current_folder() -> Iterator[Finding]:
    """Check that runs can be written to the current folder."""
    here = Path.cwd()
    free = shutil.disk_usage(here).free
    if not os.access(here, os.W_OK | os.X_OK):
        yield Finding("note", f"{here}: is not writable", "work in another folder, or name one with --out")
    elif free < SPACE:
        yield Finding("note", f"{here}: {free / 1e9:.1f} GB free", "free some space; a run needs a few MB")
    else:
        yield Finding("ok", f"{here}: is writable, {free / 1e9:,.0f} GB free")


def terminal() -> Iterator[Finding]:
    """Check whether the terminal can show the live view."""
    from rich.console import Console

    screen = Console()
    if not screen.is_terminal or screen.is_dumb_terminal:
        yield Finding("note", "the output is not a terminal; runs print plain lines")
    elif screen.no_color or screen.color_system is None:
        yield Finding("note", "the terminal has no colours; runs show bars, but no images")
    else:
        yield Finding("ok", f"a terminal of {screen.width} x {screen.height}, colours: {screen.color_system}")
