"""A retraining file: an experiment file that also has the keys of `Chain`."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Ge, Gt, Le

from fooldeap.configuration import config, reading
from fooldeap.configuration.checks import Checker, keys_of
from fooldeap.configuration.choices import Choice
from fooldeap.configuration.document import Document
from fooldeap.configuration.experiment import Experiment
from fooldeap.errors import InputError
from fooldeap.options import NO_OPTIONS, Options
from fooldeap.parameters import shown
from fooldeap.registry import Registry
from fooldeap.training import settings as training
from fooldeap.training.settings import Training

SMOKE = {"networks": 3, "first": 5, "later": 3, "images": 20000, "epochs": 2, "evaluations": 5000}  # upper limits


@dataclass(frozen=True, kw_only=True)
class Chain:
    """The keys of a retraining file, without those of an experiment and without ``training``.

    Attributes
    ----------
    networks : number of networks, including the first
    first, later : seeds of the runs on the first network and on each later network; each seed has one run per target
    images : the largest number of dataset images to train on; None: all
    smoke : reduce everything to the size of a smoke test
    """

    networks: Annotated[int, Ge(2), Le(1000)] = 15
    first: Annotated[int, Ge(1), Le(1_000_000)] = 100
    later: Annotated[int, Ge(1), Le(1_000_000)] = 20
    images: Annotated[int, Gt(0)] | None = None
    smoke: bool = False


@dataclass(frozen=True)
class Retraining:
    """The content of a retraining file: how images are evolved, how networks are trained, and how many of each.

    ``document`` is the training file, for messages.
    """

    experiment: Experiment
    training: Training
    dataset: Choice
    chain: Chain
    document: Document = field(compare=False, repr=False)

    def data(self) -> dict[str, Any]:
        """Return plain data; written to YAML and read again, it gives the same retraining."""
        settings = {
            name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self.training).items()
        }
        settings["dataset"] = self.dataset.data()
        return {**self.experiment.data(), **asdict(self.chain), "training": settings}


KEYS = (*keys_of(Chain), "training")


def load(
    source: str | Path | Mapping[str, Any],
    overrides: Iterable[str] = (),
    *,
    arguments: Mapping[str, Any] | None = None,
    plugins: Iterable[Any] = (),
    options: Options = NO_OPTIONS,
) -> Retraining:
    """Read and check a retraining; parameters and errors as for `fooldeap.configuration.config.load`."""
    document = config.merged_config(source, overrides, arguments, unnamed="retraining")
    base = document.without(*KEYS)
    registry = config.registry_of(base, plugins, options)
    checker = Checker(document, registry)
    own = checker.values(
        keys_of(Chain), {key: document.data[key] for key in keys_of(Chain) if key in document.data}, ()
    )
    checker.finish()
    experiment = config.checked(base, registry, options, also=KEYS)
    config.admit_commands([experiment])
    settings, dataset, described = _training(document, registry)
    with_classes(settings, 2)  # refuses wrong layers now, not after the first network
    retraining = Retraining(experiment, settings, dataset, Chain(**own), described)
    return _shrink(retraining) if retraining.chain.smoke else retraining


def _training(document: Document, registry: Registry) -> tuple[Training, Choice, Document]:
    given = document.data.get("training")
    if isinstance(given, dict):
        return _checked(document.subtree(("training",), ()), registry)
    if not isinstance(given, str):
        got = "is missing" if given is None else f"got {shown(given)}"
        raise document.error(("training",), f"{got}; expected a training file, such as classifiers/mnist_lenet.yaml")
    path = document.place(("training",)).folder / given
    try:
        return _checked(reading.read(path), registry)
    except InputError as error:
        raise document.error(("training",), str(error)) from error


def _checked(document: Document, registry: Registry) -> tuple[Training, Choice, Document]:
    if "plugins" in document.data:
        cure = "move it to the retraining file"
        raise document.error(("plugins",), f"a training file inside a retraining cannot have this key; {cure}")
    return *training.checked(document, registry), document


def with_classes(training: Training, classes: int) -> Training:
    """Return a training whose last layer has one unit per class."""
    *before, last = training.layers
    options = last.get("Dense") if isinstance(last, dict) else None
    if options is None or "units" not in options:
        raise InputError("training: layers: expected a last layer such as 'Dense: {units: 10, activation: softmax}'")
    return replace(training, layers=(*before, {"Dense": {**options, "units": classes}}))


def _shrink(retraining: Retraining) -> Retraining:
    """Return a retraining within the limits of `SMOKE`."""
    chain, stop = retraining.chain, retraining.experiment.stop
    small: dict[str, Any] = {
        name: min(getattr(chain, name) or SMOKE[name], SMOKE[name]) for name in ("networks", "first", "later", "images")
    }
    budget = min(stop.evaluations or SMOKE["evaluations"], SMOKE["evaluations"])
    epochs = min(retraining.training.epochs, SMOKE["epochs"])
    validation = min(retraining.training.validation, small["images"] // 5)
    return replace(
        retraining,
        chain=replace(chain, **small),
        experiment=replace(retraining.experiment, stop=replace(stop, evaluations=budget)),
        training=replace(retraining.training, epochs=epochs, validation=validation),
    )
