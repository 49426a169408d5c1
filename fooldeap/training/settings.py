"""The settings of a training, read from a YAML file that names a dataset and lists layers; and its result."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Len, Lt
from pydantic import Field, StringConstraints

from fooldeap.configuration import config, reading
from fooldeap.configuration.checks import Checker, keys_of
from fooldeap.configuration.choices import Choice
from fooldeap.configuration.document import Document
from fooldeap.options import NO_OPTIONS
from fooldeap.registry import Registry

Name = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"),
    Field(description="letters, digits, '-', '_' or '.'"),
]
MOST_LAYERS = 100
Value = bool | int | float | str | tuple[int, ...] | None
Layer = str | dict[str, dict[str, Value]]


@dataclass(frozen=True, kw_only=True)
class Training:
    """The keys of a training file, without ``plugins``.

    Attributes
    ----------
    dataset : name of the dataset plugin
    input_range : the values to which 0..255 is rescaled before the first layer
    validation : number of training images that are held out to choose the best epoch
    shift : training images are moved at random by at most this number of pixels
    """

    name: Name
    layers: Annotated[tuple[Layer, ...], Len(1, MOST_LAYERS)]
    seed: Annotated[int, Ge(0), Lt(10**9)] = 1
    dataset: str = "mnist"
    input_range: tuple[Literal[0], Literal[255]] | tuple[Literal[0], Literal[1]] | tuple[Literal[-1], Literal[1]] = (
        0,
        1,
    )
    epochs: Annotated[int, Gt(0), Le(1_000_000)] = 20
    batch_size: Annotated[int, Gt(0), Le(1_000_000)] = 128
    learning_rate: Annotated[float, Gt(0)] = 0.001
    validation: Annotated[int, Gt(0)] = 5000
    shift: Annotated[int, Ge(0)] = 0


@dataclass(frozen=True)
class TrainingResult:
    """The result of a training: the files and the figures of the model card."""

    model: Path
    card: Path
    parameters: int
    epoch: int
    validation_accuracy: float
    test_accuracy: float
    sha256: str


def read_document(path: Path, overrides: Sequence[str] = ()) -> Document:
    """Read a training file and apply ``key=value`` overrides, without checks."""
    document = reading.from_overrides(overrides).merge_onto(reading.read(path))
    document.data.setdefault("plugins", [])
    return document


def read(path: Path, overrides: Sequence[str] = (), plugins: Iterable[Any] = ()) -> tuple[Training, Choice]:
    """Return the checked settings of a training file, ``key=value`` overrides applied, and the dataset it names."""
    document = read_document(path, overrides)
    return checked(document, config.registry_of(document, plugins, NO_OPTIONS))


def checked(document: Document, known: Registry) -> tuple[Training, Choice]:
    """Check a document; return its settings and its dataset."""
    checker, keys = Checker(document, known), dict(keys_of(Training))
    data = {"dataset": keys.pop("dataset").default, **document.data}
    data.pop("plugins", None)
    dataset = checker.choice("dataset", data.pop("dataset"), ("dataset",))
    settings = checker.values(keys, data, (), also=("dataset", "plugins"))
    if document.data.get("dataset", "") is None:
        checker.problem(("dataset",), "got null, expected a dataset to train on")
    checker.finish()
    assert dataset is not None
    return Training(**settings, dataset=dataset.plugin.name), dataset
