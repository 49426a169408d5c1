"""The settings of an audit: find the classifier that the user named, load it, and choose budget and classes."""

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
from fooldeap.configuration.choices import Choice, loaded
from fooldeap.configuration.experiment import ClassName, Experiment
from fooldeap.contract_checks import check_classifier
from fooldeap.contracts import class_number
from fooldeap.engine.classifier_checks import targets_of
from fooldeap.errors import InputError
from fooldeap.options import NO_OPTIONS, Options
from fooldeap.results import MANY_TARGETS

YAML = (".yaml", ".yml")
DEFAULT_BUDGET, BUDGET_FOR_LARGE = 5000, 500  # evaluations per class and attack
LARGE = 20_000  # values per image
MANY_CLASSES, CHOSEN_CLASSES = MANY_TARGETS, 10  # if there are more than 20 classes, 10 of them are attacked
MAX_CLASSES = 10_000
_FUNCTION = re.compile(r"[\w./\\ -]+:[A-Za-z_][\w.]*")


@dataclass(frozen=True, kw_only=True)
class _AuditKeys:
    """The keys of an audit file that an experiment file does not have."""

    budget: Annotated[int, Ge(1), Le(10**12)] | None = None
    classes: Annotated[tuple[Annotated[int, Ge(0)] | ClassName, ...], Len(1)] | None = None
    images: Annotated[str, "file", "directory"] | None = None


@dataclass(frozen=True)
class Settings:
    """The settings of an audit.

    Attributes
    ----------
    experiment : an experiment with this classifier; it has the plugins, the seed and the positions for messages
    classifier : the loaded classifier
    budget : evaluations per class and attack
    images : the source of the real images
    gradient : whether the classifier has a gradient
    """

    experiment: Experiment
    classifier: Any
    budget: int
    classes: tuple[int, ...]
    images: str | None
    gradient: bool

    @property
    def choice(self) -> dict[str, Any]:
        """The value of the key ``classifier`` in YAML."""
        return self.experiment.classifier.data()

    @property
    def title(self) -> str:
        """The file name or the name of the classifier."""
        values = self.experiment.classifier.values
        name = values.get("model") or values.get("function") or self.experiment.classifier.plugin.name
        return Path(str(name)).name

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the classes of the classifier; empty if it has none."""
        return tuple(getattr(self.classifier, "names", None) or ())

    @property
    def dataset(self) -> Any:
        """The value of the key ``dataset`` in YAML: that of the file, or the real images if they are a dataset."""
        if self.experiment.dataset is not None:
            return self.experiment.dataset.data()
        registry = registries.load()
        if self.images not in [plugin.name for plugin in registry.all("dataset")] or Path(self.images).exists():
            return None
        data = loaded(Choice(registry.get("dataset", self.images), {}))
        largest = max(int(labels.max()) for labels in (data.train_labels, data.test_labels))
        return self.images if largest < self.classifier.classes else None

    def data(self) -> dict[str, Any]:
        """Return the audit as plain data; written to YAML and read again, it gives the same audit."""
        return {
            "name": self.experiment.name,
            "seed": self.experiment.seed,
            "classifier": self.choice,
            "dataset": self.experiment.dataset and self.experiment.dataset.data(),
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
    classes: Iterable[int | str] | None = None,
    images: str | None = None,
    options: Options = NO_OPTIONS,
) -> Settings:
    """Load the settings for a model; with ``folder``, from this audit file instead.

    Raises
    ------
    InputError
        An argument is invalid, the model cannot be loaded, or it does not have the classes.
    """
    overrides, plugins = list(overrides), registries.each(plugins)
    for override in overrides:
        if not re.match(r"(classifier|seed|name)[.=]", override):
            raise InputError(
                f"got {override!r}, expected a key of the classifier, such as classifier.input_range=[0,1], or seed=2"
            )
    given = {"budget": budget, "classes": None if classes is None else list(classes), "images": images}
    arguments = {key: value for key, value in given.items() if value is not None}
    source = folder or _find_source(str(model), registries.load(plugins).formats())
    if isinstance(source, dict):
        _check_function(source["classifier"], overrides)
    document = config.merged_config(source, overrides, arguments, unnamed="audit")
    base = document.without(*keys_of(_AuditKeys))
    registry = config.registry_of(base, plugins, options)
    checker = Checker(document, registry)
    keys = keys_of(_AuditKeys)
    values = checker.values(keys, {key: document.data[key] for key in keys if key in document.data}, ())
    checker.finish()
    experiment = config.checked(base, registry, options, also=tuple(keys_of(_AuditKeys)))
    config.admit_commands([experiment])
    return _load_classifier(experiment, **values)


def _find_source(model: str, formats: Mapping[str, str]) -> Path | dict[str, Any]:
    """Return the YAML file or the content of an experiment file for a model's name; ``formats``: `Registry.formats`."""
    suffix = Path(model).suffix.lower()
    if suffix in YAML:
        return Path(model)
    if suffix == ".py":
        raise InputError(f"got the Python file {model!r}, expected a function in it; write {model}:NAME")
    name = config.as_name(f"audit-{Path(model).name}")
    if _FUNCTION.fullmatch(model):
        return {"name": name, "classifier": {"name": "callable", "function": model}}
    shipped = resources.files("fooldeap.data") / "classifiers"
    reader = next((formats[each] for each in formats if (shipped / f"{model}{each}").is_file()), "keras")
    return {"name": name, "classifier": {"name": formats.get(suffix, reader), "model": model}}


def _check_function(classifier: Mapping[str, Any], overrides: Iterable[str]) -> None:
    """Refuse a function if the shape of its images or the number of its classes is not given."""
    function = classifier.get("function")
    for key in ("shape", "classes") if function else ():
        if not any(each.startswith((f"classifier.{key}=", "classifier=")) for each in overrides):
            raise InputError(
                f"got the function {function!r} without the shape of its images or the number of its classes; set "
                f"both: fooldeap audit {function} classifier.shape=[28,28,1] classifier.classes=10"
            )


def _load_classifier(
    experiment: Experiment, *, budget: int | None, classes: Iterable[int | str] | None, images: str | None
) -> Settings:
    with experiment.blaming("classifier"):
        classifier = experiment.build_classifier()
        _ = getattr(classifier, "digest", "")  # reports a missing file before anything is loaded
        check_classifier(classifier, str(experiment.classifier.plugin))
        shape = classifier.input_shape
        gradient = _has_gradient(classifier)
        _ = getattr(classifier, "names", None)
    if budget is None and getattr(classifier, "billable", False):
        raise InputError(
            "--budget: is missing; every evaluation costs money, so set the number of evaluations per class and attack"
        )
    default = BUDGET_FOR_LARGE if shape[0] * shape[1] * shape[2] > LARGE else DEFAULT_BUDGET
    try:
        numbers = (
            None
            if classes is None
            else [class_number(each, classifier) if isinstance(each, str) else each for each in classes]
        )
    except InputError as error:
        raise InputError(f"--classes: {error}") from None
    chosen = _choose_classes(numbers, targets_of(classifier))
    return Settings(experiment, classifier, budget or default, chosen, images, gradient)


def _choose_classes(classes: Iterable[int] | None, known: Sequence[int]) -> tuple[int, ...]:
    """Return the classes to attack: the given ones, or by default all, or evenly spread ones of more than 20."""
    count = len(known)
    if classes is None:
        wanted = count if count <= MANY_CLASSES else CHOSEN_CLASSES
        return tuple(known[index * count // wanted] for index in range(wanted))
    chosen = tuple(sorted(set(classes)))
    if chosen[-1] > known[-1]:
        raise InputError(f"--classes: got {chosen[-1]}, expected classes from 0 to {known[-1]}")
    if len(chosen) > MAX_CLASSES:
        raise InputError(f"--classes: got {len(chosen)} classes, expected at most {MAX_CLASSES}; choose fewer")
    return chosen


def _has_gradient(classifier: Any) -> bool:
    """Return whether a classifier has a gradient; a billable one is not called to find out."""
    gradient = getattr(classifier, "gradient", None)
    if gradient is None or getattr(classifier, "billable", False):
        return gradient is not None
    try:
        gradient(np.zeros((1, *classifier.input_shape), np.uint8), np.zeros(1, np.int64))
    except InputError:
        return False
    return True


def classes_in(text: str) -> list[int | str]:
    """Return the classes in a text of numbers, ranges and names separated by commas, such as ``0-3,7,happy``."""
    found: list[int | str] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if part.strip()[:1].isalpha():
            found.append(part.strip())
            continue
        if not (first.isdecimal() and (last.isdecimal() if dash else not last)) or len(first + last) > 12:
            raise InputError(f"--classes: got {text[:60]!r}, expected numbers, ranges and names, such as 0-3,7")
        if int(last or first) < int(first):
            raise InputError(
                f"--classes: got {part.strip()!r}, expected the smaller number first; write {last}-{first}"
            )
        if int(last or first) - int(first) > MAX_CLASSES:
            raise InputError(f"--classes: got {part.strip()!r}, expected at most {MAX_CLASSES} classes; choose fewer")
        found += range(int(first), int(last or first) + 1)
    return found
