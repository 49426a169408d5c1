"""The typed values of one YAML file: an `Experiment`."""

import contextlib
import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Len
from pydantic import StringConstraints, WithJsonSchema

from fooldeap.configuration.choices import Choice, marked
from fooldeap.configuration.document import Document, Key
from fooldeap.configuration.stopping import Count, Stop
from fooldeap.errors import InputError, blaming
from fooldeap.options import NO_OPTIONS, Options
from fooldeap.plugin import Classifier
from fooldeap.storage.inputs import digest_of
from fooldeap.storage.sums import digest_of_images

_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
Name = Annotated[
    str,
    StringConstraints(pattern=_NAME),
    WithJsonSchema(
        {"type": "string", "pattern": _NAME, "description": "text of up to 64 letters, digits, '-', '_' or '.'"}
    ),
]
Target = Annotated[int, Ge(0)]
_CLASS_NAME = r"^[^\n]{1,80}$"
ClassName = Annotated[
    str,
    StringConstraints(pattern=_CLASS_NAME),
    WithJsonSchema({"type": "string", "pattern": _CLASS_NAME, "description": "the name of a class"}),
]

# The keys that choose a plugin, in the order of their use. `dataset` may be null.
CHOICES = (
    "classifier",
    "dataset",
    "genome",
    "fitness",
    "algorithm",
    "selection",
    "crossover",
    "mutation",
    "executor",
)

LISTS = {"reporter": "reporters", "statistic": "statistics"}  # kinds of plugins, and the keys that list them


@dataclass(frozen=True, kw_only=True)
class PlainKeys:
    """The keys of an experiment with plain values."""

    name: Name
    seed: Annotated[int, Ge(0)]
    seeds: Count
    targets: Literal["all"] | Target | ClassName | Annotated[tuple[Target | ClassName, ...], Len(1)]
    concurrent_runs: Count
    on_error: Literal["stop", "skip"]
    report: bool
    keep_journals: bool
    keep: Count
    plugins: tuple[str, ...]


@dataclass(frozen=True)
class Experiment:
    """The content of one YAML file: the runs over its targets and seeds. ``options`` are not from the file."""

    name: str
    seed: int
    seeds: int
    targets: Literal["all"] | tuple[int | str, ...]
    stop: Stop
    classifier: Choice
    dataset: Choice | None
    genome: Choice
    fitness: Choice
    algorithm: Choice
    selection: Choice
    crossover: Choice
    mutation: Choice
    executor: Choice
    reporters: tuple[Choice, ...]
    statistics: tuple[Choice, ...]
    concurrent_runs: int
    on_error: Literal["stop", "skip"]
    report: bool
    keep_journals: bool
    keep: int
    plugins: tuple[str, ...]
    document: Document = field(compare=False, repr=False)
    options: Options = field(default=NO_OPTIONS, compare=False, repr=False)

    def data(self) -> dict[str, Any]:
        """Return the experiment as plain data. Written as YAML and read again, it gives an equal experiment."""
        data: dict[str, Any] = {}
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, Choice):
                data[item.name] = value.data()
            elif item.name in LISTS.values():
                data[item.name] = [choice.data() for choice in value]
            elif item.name == "stop":
                data[item.name] = asdict(value)
            elif item.name not in ("document", "options"):
                data[item.name] = list(value) if isinstance(value, tuple) else value
        return data

    def build_classifier(self) -> Classifier:
        """Return the classifier. It may run code in its model file if the user permits this."""
        classifier: Classifier = self.classifier.build()
        if self.options.trust_model and hasattr(classifier, "allow_code"):
            classifier.allow_code()
        return classifier

    def choices(self) -> Iterator[tuple[Key, Choice]]:
        """Yield every chosen plugin, including nested ones, each with its key path."""
        chosen: list[tuple[Key, Choice | None]] = [((kind,), getattr(self, kind)) for kind in CHOICES]
        chosen += [((key, index), each) for key in LISTS.values() for index, each in enumerate(getattr(self, key))]
        for path, choice in chosen:
            if choice is not None:
                yield path, choice
                yield from (((*path, *inner), each) for inner, each in choice.inner())

    @property
    def statistic_names(self) -> tuple[str, ...]:
        """The names of the columns that plugins add to the log."""
        return tuple(choice.plugin.name for choice in self.statistics)

    @cached_property
    def digest(self) -> str:
        """Identify the settings that influence the bits of a run.

        Settings such as name, executor, reporters and ``concurrent_runs`` are excluded. Files are identified by their
        content, not by their path.
        """
        silent = {
            "name",
            "seed",
            "seeds",
            "targets",
            "dataset",
            "executor",
            "reporters",
            "statistics",
            "concurrent_runs",
            "on_error",
            "report",
            "keep_journals",
            "keep",
            "plugins",
        }
        deciding = {key: value for key, value in self.data().items() if key not in silent}
        deciding["stop"] = self.stop.identity()
        for kind in deciding.keys() & set(CHOICES):
            deciding[kind] = _by_content(getattr(self, kind))
        return hashlib.sha256(json.dumps(deciding, sort_keys=True).encode()).hexdigest()

    @contextlib.contextmanager
    def blaming(self, key: str) -> Iterator[None]:
        """Point at a key of the file if its plugin reports wrong input. Attribute other errors to the plugin."""
        plugin = getattr(self, key).plugin
        try:
            with blaming(plugin):
                yield
        except InputError as error:
            raise self.error(key, str(error).removeprefix(str(plugin)).lstrip(": ")) from error

    def error(self, key: str, message: str) -> InputError:
        """Return an error that points at a key of the file, for mistakes found only after the classifier is loaded."""
        return self.document.error((key,), message)


def _by_content(choice: Choice) -> dict[str, Any]:
    """Return a choice as plain data. Files become their SHA-256, and values for display only become None."""
    data = choice.data()
    for name, parameter in choice.plugin.parameters.items():
        path = data[name]
        if marked(parameter.annotation, "shown"):
            data[name] = None
        elif marked(parameter.annotation, "start"):
            if path is None:
                del data[name]  # as in versions without it
            elif Path(path).is_absolute():
                with contextlib.suppress(InputError):
                    data[name] = digest_of_images(Path(path))
        elif marked(parameter.annotation, "file") and isinstance(path, str) and Path(path).is_absolute():
            with contextlib.suppress(InputError):  # the code that uses the file reports that it cannot be read
                data[name] = digest_of(Path(path), named=True)
    return data
