"""What an audit is of: a model as the user names it becomes a classifier, which is loaded and asked what it is."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from annotated_types import Ge, Le, Len

from fooldeap import registry as registries
from fooldeap.configuration import config
from fooldeap.configuration.checks import Checker, keys_of
from fooldeap.configuration.experiment import Experiment
from fooldeap.engine.guard import Guarded
from fooldeap.errors import InputError
from fooldeap.runs.bench import targets_of

YAML = (".yaml", ".yml")
USUAL_BUDGET, BUDGET_OF_LARGE = 5000, 500  # images a class and attack
LARGE = 20_000  # values an image
MANY_CLASSES, CHOSEN_CLASSES = 20, 10  # of more than so many, so many are attacked
MOST_CLASSES = 100
_FUNCTION = re.compile(r"[\w./\\ -]+:[A-Za-z_][\w.]*")


@dataclass(frozen=True, kw_only=True)
class _Own:
    """The keys of an audit's file beside those of an experiment."""

    budget: Annotated[int, Ge(1), Le(10**12)] | None = None
    classes: Annotated[tuple[Annotated[int, Ge(0)], ...], Len(1)] | None = None
    images: Annotated[str, "file", "directory"] | None = None


@dataclass(frozen=True)
class Settings:
    """An audit, its classifier loaded.

    ``experiment`` is one with this classifier, for its plugins, seed and messages. ``budget`` is in images a class and
    attack, ``images`` names real ones. ``gradient`` says whether the classifier gives gradients.
    """

    experiment: Experiment
    classifier: Any
    budget: int
    classes: tuple[int, ...]
    images: str | None
    gradient: bool

    @property
    def choice(self) -> dict[str, Any]:
        """The classifier as YAML has it."""
        return self.experiment.classifier.data()

    @property
    def title(self) -> str:
        """The classifier in a few words."""
        values = self.experiment.classifier.values
        named = values.get("model") or values.get("function") or self.experiment.classifier.plugin.name
        return Path(str(named)).name

    def name_of(self, target: int) -> str:
        """Return what a class is called: its number, and its name where it has one."""
        names = getattr(self.classifier, "names", None)
        return f"{target}: {names[target]}" if names else str(target)

    def data(self) -> dict[str, Any]:
        """Return the audit as plain data: written as YAML and read again, it is the same audit."""
        return {
            "name": self.experiment.name,
            "seed": self.experiment.seed,
            "classifier": self.choice,
            "plugins": list(self.experiment.plugins),
            "budget": self.budget,
            "classes": list(self.classes),
            "images": self.images,
        }


def load(
    model: str | Path | None,
    overrides: Iterable[str] = (),
    *,
    plugins: Iterable[Any] = (),
    folder: Path | None = None,
    budget: int | None = None,
    classes: Iterable[int] | None = None,
    images: str | None = None,
) -> Settings:
    """Return the audit of a model, or the one that the file of a ``folder`` describes.

    Raises
    ------
    InputError
        The model does not load, or it has no such classes.
    """
    words, plugins = list(overrides), registries.each(plugins)
    for word in words:
        if not re.match(r"(classifier|seed|name)[.=]", word):
            raise InputError(
                f"got {word!r}, expected keys of the classifier, as classifier.input_range=[0,1], or seed=2"
            )
    given = {"budget": budget, "classes": None if classes is None else list(classes), "images": images}
    arguments = {key: value for key, value in given.items() if value is not None}
    source = folder or _source(str(model), registries.load(plugins).formats())
    if isinstance(source, dict):
        _check_said(source["classifier"], words)
    document = config.said(source, words, arguments, unnamed="audit")
    base = document.without(*keys_of(_Own))
    registry = config.registry_of(base, plugins)
    checker = Checker(document, registry)
    own = checker.values(keys_of(_Own), {key: document.data[key] for key in keys_of(_Own) if key in document.data}, ())
    checker.finish()
    experiment = config.checked(base, registry, also=tuple(keys_of(_Own)))
    config.admit_commands([experiment])
    return _settled(experiment, **own)


def _source(model: str, formats: Mapping[str, str]) -> Path | dict[str, Any]:
    """Return what a model's name stands for, as an experiment says it; ``formats`` as of `Registry.formats`."""
    suffix = Path(model).suffix.lower()
    if suffix in YAML:
        return Path(model)
    if suffix == ".py":
        raise InputError(f"got {model!r}, a file of Python; name the function in it as well, {model}:NAME")
    name = config.as_name(f"audit-{Path(model).name}")
    if _FUNCTION.fullmatch(model):
        return {"name": name, "classifier": {"name": "callable", "function": model}}
    shipped = resources.files("fooldeap.data") / "classifiers"
    reader = next((formats[each] for each in formats if (shipped / f"{model}{each}").is_file()), "keras")
    return {"name": name, "classifier": {"name": formats.get(suffix, reader), "model": model}}


def _check_said(classifier: Mapping[str, Any], words: Iterable[str]) -> None:
    """Refuse a function of which nobody says what it is shown and how many scores it gives."""
    function = classifier.get("function")
    for key in ("shape", "classes") if function else ():
        if not any(word.startswith((f"classifier.{key}=", "classifier=")) for word in words):
            raise InputError(
                f"got the function {function!r} without its images' shape or its number of classes; say both: "
                f"fooldeap audit {function} classifier.shape=[28,28,1] classifier.classes=10"
            )


def _settled(
    experiment: Experiment, *, budget: int | None, classes: Iterable[int] | None, images: str | None
) -> Settings:
    with experiment.blaming("classifier"):
        classifier = experiment.classifier.build()
        _ = getattr(classifier, "digest", "")  # a file that is not there is told before anything is loaded
        Guarded(classifier, str(experiment.classifier.plugin)).check()
        shape = classifier.input_shape
        gradient = _has_gradient(classifier)
        _ = getattr(classifier, "names", None)
    if budget is None and getattr(classifier, "billable", False):
        raise InputError("--budget: is missing; every image costs money here, so say how many a class and attack")
    usual = BUDGET_OF_LARGE if shape[0] * shape[1] * shape[2] > LARGE else USUAL_BUDGET
    return Settings(experiment, classifier, budget or usual, _chosen(classes, targets_of(classifier)), images, gradient)


def _chosen(classes: Iterable[int] | None, known: Sequence[int]) -> tuple[int, ...]:
    """Return the classes to attack: those that were named, or all, or some of very many, evenly spread."""
    count = len(known)
    if classes is None:
        few = count if count <= MANY_CLASSES else CHOSEN_CLASSES
        return tuple(known[index * count // few] for index in range(few))
    chosen = tuple(sorted(set(classes)))
    if chosen[-1] > known[-1]:
        raise InputError(f"--classes: got {chosen[-1]}, expected classes from 0 to {known[-1]}")
    if len(chosen) > MOST_CLASSES:
        raise InputError(f"--classes: got {len(chosen)}, expected at most {MOST_CLASSES}; choose some")
    return chosen


def _has_gradient(classifier: Any) -> bool:
    """Tell whether a classifier gives gradients; one that is billable is taken at its word."""
    gradient = getattr(classifier, "gradient", None)
    if gradient is None or getattr(classifier, "billable", False):
        return gradient is not None
    try:
        gradient(np.zeros((1, *classifier.input_shape), np.uint8), 0)
    except InputError:
        return False
    return True


def numbers_in(text: str) -> list[int]:
    """Return the classes that a text names: numbers and ranges with commas between, ``0-3,7``."""
    found: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not (first.isdecimal() and (last.isdecimal() if dash else not last)) or len(first + last) > 12:
            raise InputError(f"--classes: got {text[:60]!r}, expected numbers and ranges, as 0-3,7")
        if int(last or first) < int(first):
            raise InputError(f"--classes: got {part.strip()!r}, which ends before it begins; say {last}-{first}")
        if int(last or first) - int(first) > MOST_CLASSES:
            raise InputError(f"--classes: got {part.strip()!r}, expected at most {MOST_CLASSES} classes; choose some")
        found += range(int(first), int(last or first) + 1)
    return found
