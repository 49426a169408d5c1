"""The function `audit` and the command ``fooldeap audit``: run the attacks on a classifier and write the report."""

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fooldeap.audit import detection, real, report, words
from fooldeap.audit.battery import Attack, experiment_data, load_attacks
from fooldeap.audit.detection import Floats
from fooldeap.audit.results import AttackResult, ClassResult, Detection, DetectionResult, Findings, read_attack
from fooldeap.audit.settings import Settings, load
from fooldeap.configuration import config
from fooldeap.configuration.experiment import Experiment
from fooldeap.engine.calibration import Calibration
from fooldeap.engine.evaluation import Evaluator
from fooldeap.engine.timeout import TimeLimit
from fooldeap.formatting import class_label, counted, duration, percent
from fooldeap.options import Options
from fooldeap.plugin import Images
from fooldeap.report import markdown
from fooldeap.report.common import complete
from fooldeap.report.html import write_page
from fooldeap.report.model import DOCUMENT
from fooldeap.results import FoolingImage
from fooldeap.runs.experiment_session import ExperimentSession
from fooldeap.runs.folder import Folder
from fooldeap.runs.run_folder import RunFolder
from fooldeap.runs.session import left_behind
from fooldeap.terminal_text import printable

PART = 512  # about the number of images that are read at a time


class AuditFolder(Folder):
    """The folder of an audit; it contains a run folder for each attack."""

    FILE = "audit.yaml"
    LAST = "audit.json"
    MADE_BY = "fooldeap audit"


def audit(
    model: str | Path | None = None,
    *overrides: str,
    images: str | Path | None = None,
    budget: int | None = None,
    classes: Iterable[int | str] | None = None,
    out: str | Path | None = None,
    resume: str | Path | None = None,
    plugins: Iterable[Any] = (),
    quiet: bool = False,
    trust_model: bool = False,
    no_plugins: bool = False,
    force: bool = False,
) -> Path:
    """Run all attacks on a classifier, write the report, and return its folder.

    Parameters
    ----------
    model : the name of a shipped model, a model file, ``module:function``, or a YAML file with the key ``classifier``
    overrides : keys of the classifier as on the command line, ``"classifier.input_range=[0,1]"``, or ``"seed=2"``
    images : real images to compare with the fooling images, see `fooldeap.audit.real.load`
    budget : evaluations per class and attack; None: 5000, or 500 for large images
    classes : numbers or names of the classes to attack; None: all, or ten evenly spread ones if there are more than 20
    out : the output folder; None: the next free one in ``runs/<name>/``
    resume : the folder of an interrupted audit, instead of a model
    plugins, quiet, trust_model, no_plugins, force : as for `fooldeap.run` and `fooldeap.resume`

    Raises
    ------
    InputError
        The input is invalid; nothing was written.
    RunError
        The audit failed; the folder is kept and can be resumed.
    """
    folder = None if resume is None else AuditFolder.open(Path(resume), force=force)
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
        options=Options(trust_model, no_plugins, force),
    )
    return _Session(settings, folder, Path(out) if out is not None else None, quiet=quiet).run()


class _Session:
    """One session of an audit."""

    def __init__(self, settings: Settings, folder: AuditFolder | None, out: Path | None, *, quiet: bool) -> None:
        self.settings, self.folder, self.out, self.quiet = settings, folder, out, quiet
        shape, count = settings.classifier.input_shape, len(settings.classes)
        self.images = None if settings.images is None else real.load(settings.images, shape)
        self.dataset = settings.dataset
        every = tuple(load_attacks(shape, count, settings.budget))
        self.attacks = tuple(attack for attack in every if settings.gradient or not attack.white_box)
        self.left_out = tuple(attack for attack in every if attack not in self.attacks)
        self.experiments = {attack.name: self._experiment(attack) for attack in self.attacks}
        self.rows: int | None = None
        self.calibration: Calibration | None = None

    def _experiment(self, attack: Attack) -> Experiment:
        settings = self.settings
        classes = list(settings.classes)
        data = experiment_data(attack, settings.choice, settings.experiment.seed, classes, self.dataset)
        return config.load({**data, "plugins": list(settings.experiment.plugins)}, options=settings.experiment.options)

    def run(self) -> Path:
        """Run the attacks that are not finished yet, write the report, and return the folder."""
        if self.folder is None:
            with self._prepare(
                self.experiments[self.attacks[0].name]
            ):  # checks the classifier before anything is written
                pass
            name = self.settings.experiment.name
            self.folder = AuditFolder.new(name, self.settings.data(), self.out, self.experiments.values())
        folder = self.folder
        with folder.locked():
            folder.environment.check(self.experiments.values())
            self._note_classifier(folder)
            folder.unseal()
            try:
                self._print(f"{self.settings.title}: {self._describe_size()}; in {folder.path}")
                self._write(folder, self._run_attacks(folder))
                folder.seal()
            except BaseException as error:
                raise left_behind(error, folder, "fooldeap audit --resume") from error
        return folder.path

    def _note_classifier(self, folder: AuditFolder) -> None:
        """Note the classifier in the folder, and what its answers depend on if this session has measured it.

        The report reads both from the folder. If a session is killed before it notes them, the next session does.
        """
        depends_on = self.calibration and self.calibration.depends_on
        warnings = self.calibration.warnings if self.calibration else ()
        folder.environment.check_classifier(self.settings.classifier.digest, depends_on, warnings)

    def _describe_size(self) -> str:
        count = len(self.settings.classes)
        most = sum(attack.run_budget * (count if attack.charged == "own" else 1) for attack in self.attacks)
        attacks, classes = counted(len(self.attacks), "attack"), counted(count, "class")
        rate = self.calibration.rate if self.calibration else 0.0
        time = f" ({duration(most / rate)} at the {rate:,.0f}/s of the classifier alone)" if rate else ""
        return f"{attacks} on {classes}, at most {counted(most, 'evaluation')}{time}"

    def _run_attacks(self, folder: AuditFolder) -> Findings:
        settings, by_attack = self.settings, dict[str, AttackResult]()
        for attack in self.attacks:
            path = folder.path / "attacks" / attack.name
            self._evolve(folder, self.experiments[attack.name], path)
            result = by_attack[attack.name] = read_attack(path, attack, settings.classes)
            fooled = sum(each.fooling for each in result.results)
            best = max((each.confidence for each in result.results), default=0.0)
            outcome = f"fooled {fooled} of {counted(len(settings.classes), 'class')}; best confidence {percent(best)}"
            self._print(f"  {attack.name}: {outcome}; {counted(result.shown, 'evaluation')}")
        for attack in self.left_out:
            self._print(f"  {attack.name}: left out, because {words.NEEDS_GRADIENT}")
        results = [each for result in by_attack.values() for each in result.results]
        return Findings(
            title=settings.title,
            classifier=settings.choice,
            digest=settings.classifier.digest,
            shape=settings.classifier.input_shape,
            seed=settings.experiment.seed,
            budget=settings.budget,
            names={target: class_label(target, settings.names) for target in settings.classes},
            class_names=settings.names,
            attacks=self.attacks,
            left_out=self.left_out,
            warnings=tuple(folder.environment.classifier_warnings),
            results=tuple(results),
            seconds={name: result.seconds for name, result in by_attack.items()},
            shown={name: result.shown for name, result in by_attack.items()},
            failures={name: result.failures for name, result in by_attack.items()},
            real=None if self.images is None else self.images.data(),
            detection=None if self.images is None else self._detect(folder, self.images.images, results),
        )

    def _evolve(self, audit_folder: AuditFolder, experiment: Experiment, path: Path) -> None:
        """Run the experiment of an attack, or resume it."""
        existing = RunFolder.open_existing(path, force=self.settings.experiment.options.force)
        if existing is not None and existing.settled:
            return
        self.rows = self.rows or (existing.rows if existing is not None else None)
        with self._prepare(experiment) as prepared:
            self._note_classifier(audit_folder)
            folder = existing or RunFolder.create(experiment, path)
            prepared.run(folder, resumed=existing is not None, quiet=True)

    def _prepare(self, experiment: Experiment) -> ExperimentSession:
        """Prepare an attack; warnings about the classifier appear only for the first one."""
        prepared = ExperimentSession(experiment, self.settings.classifier, rows=self.rows, calibration=self.calibration)
        self.calibration, self.rows = prepared.calibration, prepared.calibration.rows
        return prepared

    def _detect(self, folder: AuditFolder, images: Images, results: Sequence[ClassResult]) -> Detection | None:
        """Compare the scores of fooling images and real images; None without fooling images."""
        fooling = [each for each in results if each.fooling]
        if not fooling:
            return None
        reference, real_images = images[::2], images[1::2]
        shown = _Joined([real_images, [each.path for each in fooling], reference])
        scores, features = self._compute_scores(folder, shown, len(reference))
        real_scores = {name: values[: len(real_images)] for name, values in scores.items()}
        names = np.array([each.attack for each in fooling])

        def compare(chosen: NDArray[np.bool_]) -> DetectionResult:
            fooling_scores = {name: values[len(real_images) :][chosen] for name, values in scores.items()}
            return DetectionResult(int(chosen.sum()), detection.verdicts(real_scores, fooling_scores))

        by_attack = {name: compare(names == name) for name in dict.fromkeys(names.tolist())}
        return Detection(compare(np.ones(len(names), bool)), by_attack, len(real_images), len(reference), features)

    def _compute_scores(self, folder: AuditFolder, images: "_Joined", reference: int) -> tuple[dict[str, Floats], str]:
        """Show images to the classifier; return all their scores, and the vectors behind the distances, in words.

        The last images, ``reference`` of them, are those to which distances are measured. They get no scores.
        """
        classifier = self.settings.classifier
        evaluator = Evaluator(classifier, TimeLimit(str(self.settings.experiment.classifier.plugin)))
        evaluator.rows = self.rows or evaluator.rows
        evaluator.multiple = self.calibration.multiple if self.calibration else evaluator.multiple
        answers: list[NDArray[np.float32]] = []
        inner: list[NDArray[np.float32] | None] = []
        with folder.recording(evaluator):
            for part in images.parts(evaluator.rows):
                answers.append(evaluator.probe_logits(part))
                inner.append(evaluator.probe_features(part))
        vectors, name, count = np.concatenate(answers), "logits", len(images) - reference
        scores = detection.compute_scores(vectors[:count], evaluator.confidence_kind)
        features = [each for each in inner if each is not None]
        if len(features) == len(inner):
            vectors, name = np.concatenate(features), "the features before the last layer"
        return {**scores, "distance": detection.compute_distances(vectors[:count], vectors[count:])}, name

    def _write(self, folder: AuditFolder, found: Findings) -> None:
        folder.write("classes.csv", report.classes_csv(found))
        folder.write("thresholds.csv", report.thresholds_csv(found))
        built = report.build_report(found)
        folder.write(built.FILE, built.to_json())
        whole = complete(built, folder.path, folder.FILE, provenance=DOCUMENT)
        folder.write("report.md", markdown.render(whole))
        folder.write(folder.LAST, json.dumps(report.data(found), indent=2, ensure_ascii=False) + "\n")
        write_page(folder, lambda: whole)

    def _print(self, text: str) -> None:
        if not self.quiet:
            print(printable(text), flush=True)


class _Joined:
    """Images in memory and in files, one after the other."""

    def __init__(self, images: Sequence[Images | Sequence[Path]]) -> None:
        self._images = [each for part in images for each in part]

    def __len__(self) -> int:
        return len(self._images)

    def parts(self, rows: int) -> Iterator[Images]:
        """Yield the images in parts that fit in memory. Their sizes, except the last one, are multiples of ``rows``."""
        size = rows * math.ceil(PART / rows)
        for start in range(0, len(self._images), size):
            part = self._images[start : start + size]
            yield np.array([FoolingImage.from_file(each).pixels if isinstance(each, Path) else each for each in part])
