"""Train a chain of networks, each on the images that fooled the earlier ones.

This is the experiment of Nguyen, Yosinski and Clune (2015), section 3.6. Images are evolved on a network. The next
network is trained on the dataset and on these images, which form an additional class. Each network and its images have
a folder of their own, so an interrupted chain resumes without repeating them.
"""

import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fooldeap import registry as registries
from fooldeap.configuration import config
from fooldeap.configuration.choices import loaded
from fooldeap.configuration.experiment import Experiment
from fooldeap.errors import InputError
from fooldeap.options import Options
from fooldeap.plugin import Images, Split
from fooldeap.report import markdown, terminal
from fooldeap.report.common import complete
from fooldeap.report.html import write_page
from fooldeap.report.model import Report
from fooldeap.results import FoolingImage
from fooldeap.retrain import report
from fooldeap.retrain.measures import NetworkMeasures, measure
from fooldeap.retrain.settings import Retraining, load, with_classes
from fooldeap.runs.experiment_session import ExperimentSession
from fooldeap.runs.folder import Folder
from fooldeap.runs.run_folder import RunFolder
from fooldeap.runs.session import left_behind
from fooldeap.storage.files import make_folders, remove
from fooldeap.storage.inputs import digest_of, read, read_json
from fooldeap.training.train import CHECKPOINT, refuse, train_on


class RetrainFolder(Folder):
    """The folder of a retraining."""

    FILE = "retrain.yaml"
    LAST = "summary.json"
    MADE_BY = "fooldeap retrain"


@dataclass(frozen=True)
class RetrainingResult:
    """The result of a chain: the measures of each network, the folder, and the report."""

    measures: tuple[NetworkMeasures, ...]
    folder: Path
    report: Report = field(repr=False)

    def __str__(self) -> str:
        return terminal.render(self.report)

    def _repr_markdown_(self) -> str:
        return markdown.render(self.report)


def retrain(
    source: str | Path | Mapping[str, Any] | None = None,
    *overrides: str,
    out: str | Path | None = None,
    resume: str | Path | None = None,
    plugins: Iterable[Any] = (),
    workers: int | str | None = None,
    quiet: bool = False,
    no_plugins: bool = False,
    force: bool = False,
    **arguments: Any,
) -> RetrainingResult:
    """Train a chain of networks, each on the images that fooled the earlier ones.

    Parameters
    ----------
    source : a retraining file, or its content as a mapping; None with ``resume``
    resume : the folder of an interrupted chain; ``overrides`` and ``arguments`` can then only set keys of the executor.
        If the chain is finished, its result is returned
    force : resume although packages or plugins have changed
    others : as for `fooldeap.run`

    Raises
    ------
    InputError
        The input is invalid; nothing was written.
    RunError
        The chain failed; the folder is kept and can be resumed.
    """
    if (source is None) == (resume is None):
        raise InputError("expected either a retraining file or the folder of an interrupted chain: --resume DIR")
    options = Options(no_plugins=no_plugins, force=force)
    folder = None if resume is None else RetrainFolder.open(Path(resume), force=force)
    if folder is not None:
        _allow_only_executor([*overrides, *arguments])
        if folder.finished:
            measures = tuple(NetworkMeasures(**each) for each in read_json(folder.path / folder.LAST))
            return RetrainingResult(measures, folder.path, Report.read(folder.path))
    content = folder.config if folder is not None else source or {}
    plugins = registries.each(plugins)
    retraining = load(
        content, overrides, arguments={**config.executor_for(workers), **arguments}, plugins=plugins, options=options
    )
    chain = _Chain(retraining, plugins, quiet=quiet)
    if folder is None:
        path = Path(out) if out is not None else None
        folder = RetrainFolder.new(retraining.experiment.name, retraining.data(), path, [retraining.experiment])
    with folder.locked():
        folder.environment.check([retraining.experiment])
        try:
            return chain.run(folder)
        except BaseException as error:
            raise left_behind(error, folder, "fooldeap retrain --resume") from error


def _allow_only_executor(keys: Iterable[str]) -> None:
    for key in keys:
        if not re.match(r"executor([.=]|$)", key):
            raise InputError(f"--resume: got {key!r}, expected only keys of the executor, such as executor.mode=runs")


class _Chain:
    """One session of a chain.

    Raises
    ------
    InputError
        The dataset, the training and the targets do not fit together.
    """

    folder: RetrainFolder

    def __init__(self, retraining: Retraining, plugins: Sequence[Any], *, quiet: bool) -> None:
        self.retraining, self.plugins, self.quiet = retraining, plugins, quiet
        self.data = _limit(loaded(retraining.dataset), retraining.chain.images)
        self.classes = int(max(self.data.train_labels.max(), self.data.test_labels.max())) + 1
        base = retraining.experiment
        wanted = range(self.classes) if base.targets == "all" else base.targets
        self.targets = [each for each in wanted if isinstance(each, int)]
        if len(self.targets) < len(wanted):
            raise base.error("targets", "got the name of a class, expected numbers, because the networks have no names")
        if max(self.targets) >= self.classes:
            raise base.error("targets", f"got {max(self.targets)}, expected classes from 0 to {self.classes - 1}")
        refuse(with_classes(retraining.training, self.classes), self.data, retraining.document)

    def run(self, folder: RetrainFolder) -> RetrainingResult:
        """Train the missing networks, evolve the missing images, and write the report."""
        self.folder = folder
        fooling, measures, runs = list[NDArray[np.uint8]](), list[NetworkMeasures](), []
        for index in range(self.retraining.chain.networks):
            earlier = np.concatenate([self.data.train_images[:0], *fooling])
            model = self._train(index, earlier)
            results, images = self._evolve(index, model)
            measures.append(measure(index + 1, model, results, earlier, self.data))
            self._print(report.describe(measures[-1], self.retraining.chain.networks))
            fooling.append(images)
            runs.append(results)
        self.folder.unseal()
        first = [images[: len(self.targets)] for images in fooling]
        built = report.build_report(measures, self.retraining, runs, self.classes)
        for name, content in report.files(measures, first).items():
            self.folder.write(name, content)
        self.folder.write(built.FILE, built.to_json())
        whole = complete(built, self.folder.path, self.folder.FILE)
        self.folder.write("report.md", markdown.render(whole))
        self.folder.write(self.folder.LAST, json.dumps([each._asdict() for each in measures], indent=1) + "\n")
        if self.retraining.experiment.report:
            write_page(self.folder, lambda: whole)
        self.folder.seal()
        return RetrainingResult(tuple(measures), self.folder.path, built)

    def _folder_of(self, index: int) -> Path:
        return self.folder.path / f"networks/{index + 1:02d}"

    def _train(self, index: int, earlier: Images) -> Path:
        """Return the model file of a network; train it on the dataset and the earlier images if it does not exist."""
        path = self._folder_of(index) / "model.keras"
        if path.is_file():
            check_model(path)
            remove(path.with_suffix(CHECKPOINT))  # a process that was killed at the end of the training leaves it
            return path
        self._print(f"network {index + 1} of {self.retraining.chain.networks}: training")
        make_folders(self.folder.path, path.parent)
        held_by = np.promote_types(self.data.train_labels.dtype, np.min_scalar_type(self.classes))
        labels = np.full(len(earlier), self.classes, held_by)
        data = replace(
            self.data,
            train_images=np.concatenate([self.data.train_images, earlier]),
            train_labels=np.concatenate([self.data.train_labels, labels]),
        )
        training = self.retraining.training
        settings = replace(training, name=f"{training.name}_{index + 1}", seed=training.seed + index)
        settings = with_classes(settings, self.classes + (index > 0))
        command = f"network {index + 1} of fooldeap retrain"
        train_on(data, settings, path, self.retraining.document, command, progress=False)
        return path

    def _evolve(self, index: int, model: Path) -> tuple[list[dict[str, Any]], Images]:
        """Return the results of the runs on a network and their images; start or resume the runs if necessary."""
        place = self._folder_of(index) / "run"
        folder = RunFolder.open_existing(place, force=self.retraining.experiment.options.force)
        if folder is None or not folder.finished:
            self._print(f"network {index + 1} of {self.retraining.chain.networks}: evolving images")
            with ExperimentSession(
                self._experiment(index, model), rows=None if folder is None else folder.rows
            ) as prepared:
                run_folder = folder or RunFolder.create(prepared.experiment, place)
                prepared.run(run_folder, resumed=folder is not None, quiet=True, owned=True)
        found = read_json(place / "result.json")["runs"]
        if any(".." in Path(each["image"]).parts or Path(each["image"]).is_absolute() for each in found):
            raise InputError(f"{place / 'result.json'}: names images outside the folder; restore the file from a copy")
        images = [FoolingImage.from_file(place / each["image"]).pixels for each in found]
        return found, np.array(images)

    def _experiment(self, index: int, model: Path) -> Experiment:
        chain, base = self.retraining.chain, self.retraining.experiment
        first_seed = base.seed + (chain.first + (index - 1) * chain.later if index else 0)
        changes = {
            "name": f"{base.name}-{index + 1}",
            "classifier": {"name": "keras", "model": str(model.resolve())},
            "seed": first_seed,
            "seeds": chain.later if index else chain.first,
            "targets": self.targets,
            "reporters": ["csv", "images"],
            "report": False,
        }
        return config.load({**base.data(), **changes}, plugins=self.plugins, options=base.options)

    def _print(self, text: str) -> None:
        if not self.quiet:
            print(text, file=sys.stderr, flush=True)


def _limit(data: Split, images: int | None) -> Split:
    return replace(data, train_images=data.train_images[:images], train_labels=data.train_labels[:images])


def check_model(path: Path) -> None:
    """Refuse a model whose checksum differs from that in its model card."""
    card = path.with_suffix(".md")
    if not card.is_file() or f"`{digest_of(path)}`" not in read(card).decode(errors="replace"):
        raise InputError(f"{path}: does not match its model card {card.name}; remove the model to train it again")
