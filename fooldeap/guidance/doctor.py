"""Whether all that fooldeap needs is there and works; where it is not, what to do."""

import os
import platform
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from fooldeap.errors import FooldeapError
from fooldeap.numerals import level, per_second

if TYPE_CHECKING:
    from packaging.requirements import Requirement

NAME = "fooldeap"
MODELS = ("mnist_cnn", "mnist_lenet")
IMAGES, LEAST = 1000, 0.98  # test images that a shipped model is shown, and how many of them it reads correctly
PATIENCE = 120.0  # seconds that a second process has to load TensorFlow and to answer
SPACE = 1 << 30  # bytes below which a disk is nearly full
_REINSTALL = "pip install --force-reinstall fooldeap"


class Finding(NamedTuple):
    """What was looked at: ``ok``, a ``note`` of something that need not be, or ``bad``, required and broken."""

    state: Literal["ok", "note", "bad"]
    told: str
    cure: str = ""

    def __str__(self) -> str:
        return f"{self.state:<5}{self.told}" + (f"; {self.cure}" if self.cure else "")


def examine() -> Iterator[Finding]:
    """Yield what is found, one thing after the other; what fails is a finding, too."""
    for look in (python, packages, plugins, cores, tensorflow, models, scoop, extras, place, terminal):
        try:
            yield from look()
        except FooldeapError as error:
            yield Finding("bad", f"{look.__name__}: {error}")
        except Exception as error:  # whatever is broken: this is the one who tells
            said = " ".join(str(error).split())
            yield Finding("bad", f"{look.__name__}: {type(error).__name__}: {said}", _REINSTALL)


def python() -> Iterator[Finding]:
    """Look at the interpreter."""
    from packaging.specifiers import SpecifierSet

    required = metadata.metadata(NAME)["Requires-Python"] or ""
    version = platform.python_version()
    right = SpecifierSet(required).contains(version, prereleases=True)
    cure = "" if right else f"expected {required}: make an environment with a newer one"
    yield Finding("ok" if right else "bad", f"Python {version}, {sys.executable}", cure)


def packages(
    requirements: Iterable[str] | None = None, version_of: Callable[[str], str] = metadata.version
) -> Iterator[Finding]:
    """Compare the versions of the packages that are required with what is required of them."""
    known = metadata.requires(NAME) or () if requirements is None else requirements
    found = list(_missing(known, "", version_of))
    wanted = sum(1 for _ in _required(known, ""))
    yield from (Finding("bad", told, cure) for told, cure in found)
    yield Finding("ok", f"{wanted - len(found)} of {wanted} required packages, {NAME} {metadata.version(NAME)}")


def extras(
    requirements: Iterable[str] | None = None, version_of: Callable[[str], str] = metadata.version
) -> Iterator[Finding]:
    """Tell which extras are there, and how to get the others."""
    known = list(metadata.requires(NAME) or () if requirements is None else requirements)
    for extra in metadata.metadata(NAME).get_all("Provides-Extra") or ():
        missing = list(_missing(known, extra, version_of))
        if missing:
            told = f"extra {extra}: {', '.join(told for told, _ in missing)}"
            yield Finding("note", told, f"if you want it: pip install '{NAME}[{extra}]'")
        else:
            yield Finding("ok", f"extra {extra}")


def _required(requirements: Iterable[str], extra: str) -> Iterator["Requirement"]:
    """Yield what an extra requires by itself, or under the empty name what everything does."""
    from packaging.requirements import Requirement

    for text in requirements:
        requirement = Requirement(text)
        marker = requirement.marker
        always = marker is None or marker.evaluate({"extra": ""})
        if always if not extra else (not always and marker is not None and marker.evaluate({"extra": extra})):
            yield requirement


def _missing(requirements: Iterable[str], extra: str, version_of: Callable[[str], str]) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with a package, and the cure."""
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
    """Load all installed plugins."""
    from fooldeap import registry

    yield Finding("ok", f"{len(registry.load().all())} plugins")


def cores() -> Iterator[Finding]:
    """Count the cores that this process may use."""
    usable, there = len(os.sched_getaffinity(0)), os.cpu_count()
    yield Finding("ok", f"{usable} of {there} cores" + (", more by --workers auto" if usable > 1 else ""))


def tensorflow() -> Iterator[Finding]:
    """Import TensorFlow."""
    from fooldeap import quiet

    begun = time.perf_counter()
    tf = quiet.tensorflow()
    seconds = time.perf_counter() - begun
    threads = tf.config.threading.get_intra_op_parallelism_threads() or "one thread a core"
    yield Finding("ok", f"TensorFlow {tf.__version__}: imported in {seconds:.1f} s, threads: {threads}")


def models() -> Iterator[Finding]:
    """Show the shipped models digits whose labels are known."""
    from fooldeap import registry
    from fooldeap.configuration.choices import Choice, loaded

    known = registry.load()
    data = loaded(Choice(known.get("dataset", "mnist"), {}))
    images, labels = data.test_images[:IMAGES], data.test_labels[:IMAGES]
    for name in MODELS:
        classifier = known.get("classifier", "keras").build({"model": name})
        classifier.logits(images[:32])  # which loads it
        begun = time.perf_counter()
        right = float((classifier.logits(images).argmax(axis=1) == labels).mean())
        rate = per_second(len(images), time.perf_counter() - begun)
        told = f"{name} reads {level(right)} of {len(images):,} test digits correctly"
        told += f", {rate:,.0f} a second" if rate else ""
        yield Finding("ok", told) if right >= LEAST else Finding("bad", f"{told}: too few", _REINSTALL)


def scoop() -> Iterator[Finding]:
    """Start a second process, and wait until it has answered a part of a batch, with the bits of this one."""
    import numpy as np

    from fooldeap.configuration import config
    from fooldeap.runs.prepared import Prepared

    begun = time.monotonic()
    executor = {"name": "scoop", "workers": 2}
    with Prepared(config.load({}, arguments={"targets": [0], "reporters": [], "executor": executor})) as prepared:
        images = np.zeros((IMAGES, *prepared.classifier.input_shape), np.uint8)
        while len(prepared.crew.done) < 2 and time.monotonic() - begun < PATIENCE:
            prepared.evaluator.logits([images])  # raises where the other's bits are not ours
            time.sleep(0.1)
        seconds = time.monotonic() - begun
        if len(prepared.crew.done) == 2:
            yield Finding("ok", f"SCOOP: a second process answers after {seconds:.1f} s, to the same bits")
        else:
            said = "; ".join(prepared.executor.complaints()) or f"no other process answered within {seconds:.0f} s"
            yield Finding("bad", f"SCOOP: {said}", "without --workers all works but slower")


def place() -> Iterator[Finding]:
    """See whether runs can be written here."""
    here = Path.cwd()
    free = shutil.disk_usage(here).free
    if not os.access(here, os.W_OK | os.X_OK):
        yield Finding("note", f"{here}: cannot be written", "work in another folder, or name one with --out")
    elif free < SPACE:
        yield Finding("note", f"{here}: {free / 1e9:.1f} GB free", "free some space: a run takes some MB")
    else:
        yield Finding("ok", f"{here}: can be written, {free / 1e9:,.0f} GB free")


def terminal() -> Iterator[Finding]:
    """Tell whether the live view is drawn here."""
    from rich.console import Console

    screen = Console()
    if not screen.is_terminal or screen.is_dumb_terminal:
        yield Finding("note", "no terminal here: runs print plain lines")
    elif screen.no_color or screen.color_system is None:
        yield Finding("note", "a terminal without colours: bars, no images")
    else:
        yield Finding("ok", f"a terminal of {screen.width} x {screen.height}, colours: {screen.color_system}")
