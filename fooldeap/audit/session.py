"""An audit from a model to its page: what ``fooldeap audit`` and `audit` do."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fooldeap import trust
from fooldeap.audit import detection, real, report
from fooldeap.audit.battery import Attack, battery, experiment_of
from fooldeap.audit.detection import Floats
from fooldeap.audit.findings import Attacked, Detection, Findings, Judged, Try, attacked
from fooldeap.audit.settings import Settings, load
from fooldeap.configuration import config
from fooldeap.configuration.experiment import Experiment
from fooldeap.engine.calibration import Calibration
from fooldeap.engine.evaluation import Evaluator
from fooldeap.engine.guard import Guarded
from fooldeap.lines import printable
from fooldeap.numerals import counted
from fooldeap.page import sources
from fooldeap.page.audit import audit_page
from fooldeap.page.writing import write_page
from fooldeap.plugin import Images
from fooldeap.runs.bench import left_behind
from fooldeap.runs.folder import Folder, State
from fooldeap.runs.prepared import Prepared
from fooldeap.runs.rundir import RunFolder


class AuditFolder(Folder):
    """The folder of an audit; each attack has a run folder in it."""

    FILE = "audit.yaml"
    LAST = "audit.json"
    MADE_BY = "fooldeap audit"


def audit(
    model: str | Path | None = None,
    *overrides: str,
    images: str | Path | None = None,
    budget: int | None = None,
    classes: Iterable[int] | None = None,
    out: str | Path | None = None,
    resume: str | Path | None = None,
    plugins: Iterable[Any] = (),
    quiet: bool = False,
    trust_model: bool = False,
    no_plugins: bool = False,
    force: bool = False,
) -> Path:
    """Attack a classifier with the battery, and return the folder with the page.

    Parameters
    ----------
    model : a shipped model, a file, ``module:function``, or a YAML file with a classifier
    overrides : keys of the classifier as on the command line, ``"classifier.input_range=[0,1]"``, or ``"seed=2"``
    images : real images to hold the fooling ones against, see `fooldeap.audit.real.load`
    budget : images a class and attack; None: 5000, or 500 where images are large
    classes : those to attack; None: all, or ten of more than twenty
    out : the folder; None: the next one below ``runs/<name>/``
    resume : in place of a model, the folder of an earlier session
    plugins, quiet, trust_model, no_plugins, force : as for `fooldeap.run` and `fooldeap.resume`

    Raises
    ------
    InputError
        Something in the input is wrong; nothing was written.
    RunError
        It failed on the way; the folder is kept and can be resumed.
    """
    with trust.trusting(model=trust_model, no_plugins=no_plugins, force=force):
        folder = None if resume is None else AuditFolder.open(Path(resume))
        if folder is not None and folder.finished:
            return folder.path
        settings = load(
            model,
            overrides,
            plugins=plugins,
            folder=None if folder is None else folder.config,
            budget=budget,
            classes=classes,
            images=None if images is None else str(images),
        )
        return _Session(settings, folder, Path(out) if out is not None else None, quiet=quiet).run()


class _Session:
    """One session of work on an audit."""

    def __init__(self, settings: Settings, folder: AuditFolder | None, out: Path | None, *, quiet: bool) -> None:
        self.settings, self.folder, self.out, self.quiet = settings, folder, out, quiet
        shape, count = settings.classifier.input_shape, len(settings.classes)
        self.images = None if settings.images is None else real.load(settings.images, shape)
        self.attacks = tuple(battery(shape, count, settings.budget, gradient=settings.gradient))
        self.experiments = {attack.name: self._experiment(attack) for attack in self.attacks}
        self.rows: int | None = None
        self.calibration: Calibration | None = None

    def _experiment(self, attack: Attack) -> Experiment:
        own = self.settings
        said = experiment_of(attack, own.choice, own.experiment.seed, list(own.classes))
        return config.load({**said, "plugins": list(own.experiment.plugins)})

    def run(self) -> Path:
        """Make the attacks that are missing, and write what came of them."""
        if self.folder is None:
            with self._prepared(self.experiments[self.attacks[0].name]):  # it can be attacked
                pass
            name = self.settings.experiment.name
            self.folder = AuditFolder.new(name, self.settings.data(), self.out, self.experiments.values())
        folder = self.folder
        with folder.locked():
            folder.environment.check(self.experiments.values())
            self._note_classifier(folder)
            folder.unseal()
            try:
                self._say(f"{self.settings.title}: {self._forecast()}; in {folder.path}")
                found = self._found(folder)
                self._write(folder, found)
                folder.seal()
            except BaseException as error:
                raise left_behind(error, folder, "fooldeap audit --resume") from error
        return folder.path

    def _note_classifier(self, folder: AuditFolder) -> None:
        """Note the classifier in the folder, and what its answers depend on where this session has found out.

        The report reads both there. A session that is killed before it notes them leaves that to the next one.
        """
        depends_on = self.calibration and self.calibration.depends_on
        folder.environment.check_classifier(self.settings.classifier.digest, depends_on)

    def _forecast(self) -> str:
        own = self.settings
        count = len(own.classes)
        most = sum(attack.run_budget * (count if attack.charged == "own" else 1) for attack in self.attacks)
        return f"{counted(len(self.attacks), 'attack')} on {counted(count, 'class')}, at most {counted(most, 'image')}"

    def _pairs(self) -> list[tuple[Attack, Experiment]]:
        return [(attack, self.experiments[attack.name]) for attack in self.attacks]

    def _found(self, folder: AuditFolder) -> Findings:
        settings, came = self.settings, dict[str, Attacked]()
        for attack, experiment in self._pairs():
            path = folder.path / "attacks" / attack.name
            self._evolve(folder, experiment, path)
            own = came[attack.name] = attacked(path, attack, settings.classes)
            fooled = sum(each.fooling for each in own.tries)
            classes, images = counted(len(settings.classes), "class"), counted(own.shown, "image")
            self._say(f"  {attack.name}: {fooled} of {classes}; {images}")
        tries = [each for own in came.values() for each in own.tries]
        return Findings(
            title=settings.title,
            classifier=settings.choice,
            digest=settings.classifier.digest,
            shape=settings.classifier.input_shape,
            seed=settings.experiment.seed,
            budget=settings.budget,
            names={target: settings.name_of(target) for target in settings.classes},
            attacks=self.attacks,
            tries=tuple(tries),
            seconds={name: own.seconds for name, own in came.items()},
            shown={name: own.shown for name, own in came.items()},
            failures={name: own.failures for name, own in came.items()},
            real=None if self.images is None else self.images.data(),
            detection=None if self.images is None else self._detection(folder, self.images.images, tries),
        )

    def _evolve(self, audit_folder: AuditFolder, experiment: Experiment, path: Path) -> None:
        """Make the run of an attack, or what is missing of it."""
        begun = None if RunFolder(path).state is State.ABSENT else RunFolder.open(path)
        if begun is not None and begun.settled:
            return
        self.rows = self.rows or (begun.rows if begun is not None else None)
        with self._prepared(experiment) as prepared:
            self._note_classifier(audit_folder)
            folder = begun or RunFolder.create(experiment, path)
            prepared.run(folder, resumed=begun is not None, quiet=True)

    def _prepared(self, experiment: Experiment) -> Prepared:
        """Return an attack ready to run; what is to be said of the classifier is said at the first."""
        prepared = Prepared(experiment, self.settings.classifier, rows=self.rows, calibration=self.calibration)
        self.calibration, self.rows = prepared.calibration, prepared.calibration.rows
        return prepared

    def _detection(self, folder: AuditFolder, images: Images, tries: Sequence[Try]) -> Detection | None:
        """Show the best images and the real ones once more, and compare their scores."""
        chosen = [each for each in tries if each.fooling]
        if not chosen:
            return None
        reference, judged = images[::2], images[1::2]
        fooling = np.array([each.image for each in chosen])
        scores, features = self._scores(folder, np.concatenate([judged, fooling]), reference)
        own = {name: values[: len(judged)] for name, values in scores.items()}
        names = np.array([each.attack for each in chosen])

        def of(chosen: NDArray[np.bool_]) -> Judged:
            theirs = {name: values[len(judged) :][chosen] for name, values in scores.items()}
            return Judged(int(chosen.sum()), detection.verdicts(own, theirs))

        by_attack = {name: of(names == name) for name in dict.fromkeys(names.tolist())}
        return Detection(of(np.ones(len(names), bool)), by_attack, len(judged), len(reference), features)

    def _scores(self, folder: AuditFolder, images: Images, reference: Images) -> tuple[dict[str, Floats], str]:
        """Return every score of images, and what the distances are between."""
        classifier = self.settings.classifier
        evaluator = Evaluator(Guarded(classifier, str(self.settings.experiment.classifier.plugin)))
        evaluator.rows = self.rows or evaluator.rows
        with folder.recording(evaluator):
            shown = evaluator.aside(np.concatenate([images, reference]))
        logits, near = shown[: len(images)], shown[len(images) :]
        found = detection.scores_of(logits)
        features = getattr(classifier, "features", None)
        inner = None if features is None else _in_chunks(features, np.concatenate([images, reference]), evaluator.rows)
        if inner is None:
            return {**found, "distance": detection.distances(logits, near)}, "logits"
        own, others = inner[: len(images)], inner[len(images) :]
        return {**found, "distance": detection.distances(own, others)}, "the features before the last layer"

    def _write(self, folder: AuditFolder, found: Findings) -> None:
        folder.write("classes.csv", report.classes_csv(found))
        folder.write("thresholds.csv", report.thresholds_csv(found))
        folder.write("report.md", report.markdown(found, sources.provenance(folder.path, folder.FILE)))
        folder.write(folder.LAST, json.dumps(report.data(found), indent=2, ensure_ascii=False) + "\n")
        write_page(folder, lambda: audit_page(folder.path))

    def _say(self, text: str) -> None:
        if not self.quiet:
            print(printable(text), flush=True)


def _in_chunks(features: Any, images: Images, rows: int) -> NDArray[np.float32] | None:
    found = [features(images[start : start + rows]) for start in range(0, len(images), rows)]
    return None if any(each is None for each in found) else np.concatenate(found)
