"""The work that a process does for experiments, in workers and in the process that started them.

A `WorkerTask` is pickled as resolved configurations, never as functions. A worker loads the user's plugins from their
files. Each result is a `TaskResult`, which names the process.
"""

import functools
import json
import math
import os
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import xxhash

from fooldeap import contract_checks
from fooldeap.configuration import config
from fooldeap.configuration.choices import Checked
from fooldeap.configuration.experiment import Experiment
from fooldeap.engine import run_files, toolboxes
from fooldeap.engine.classifier_checks import targets_of
from fooldeap.engine.evaluation import ROWS, DependsOn, Evaluator, Query
from fooldeap.engine.evolution import Observer, Run, drive
from fooldeap.engine.query_log import Queries, Row
from fooldeap.engine.run_files import RunFiles
from fooldeap.engine.stored_logs import LogFile
from fooldeap.engine.timeout import LIMIT, TimeLimit
from fooldeap.errors import FooldeapError, InputError, blaming
from fooldeap.images.given import load_start
from fooldeap.options import Options
from fooldeap.plugin import Batch, Classifier, Images, Toolbox
from fooldeap.results import MANY_TARGETS, LogRow, RunInfo, RunResult
from fooldeap.storage.files import make_folders, write_whole
from fooldeap.storage.journal import Journal

JOURNAL_FORMAT = 1
TOKEN = ".token"
MOST_IN_MEMORY = 1 << 24  # values in the images of all results
MOST_KEPT = 1 << 26  # values in the images of all results that are kept


class WorkerId(NamedTuple):
    """Identifies a process: host and process ID."""

    host: str
    process: int

    def __str__(self) -> str:
        return f"{self.host} (process {self.process})"


class TaskResult(NamedTuple):
    """The result of a task: its value, the number of images shown for it, the seconds it took, and the process.

    ``probe`` identifies the bits of the classifier in a worker process. It is empty in the process that started it.
    """

    value: Any
    images: int
    seconds: float
    place: WorkerId
    probe: bytes


class RunOutcome(NamedTuple):
    """The outcome of an ended run: its log in order, its results, and the number of its evaluations.

    ``failure`` is the error that ended it, if it failed.
    """

    info: RunInfo
    rows: Iterable[LogRow]
    results: list[RunResult]
    evaluations: int
    failure: FooldeapError | None = None
    files: dict[str, bytes] | None = None  # journal and pictures, if not in the experiment's own folder

    @classmethod
    def of(cls, run: Run) -> "RunOutcome":
        """Return the outcome of an ended run."""
        return cls(run.info, run.statistics.log, run.results(), run.statistics.evaluations, run.failure)

    def moved(self, journals: Path) -> "RunOutcome":
        """Write the files of a run from another machine to the folder of journals, and return the run with them."""
        if self.files is None:
            return self
        for name, content in self.files.items():
            make_folders(journals, (journals / name).parent)
            write_whole(journals / name, content)
        results = [run_files.moved(each, journals, self.info) for each in self.results]
        rows = (
            self.rows.moved(journals / run_files.names(self.info)[0]) if isinstance(self.rows, LogFile) else self.rows
        )
        return self._replace(results=results, rows=rows, files=None)


class GroupOutcome(NamedTuple):
    """The outcome of a `RunGroup`: its runs, its queries, and whether the query log has these already."""

    ended: list[RunOutcome]
    queries: Queries
    recorded: bool


@dataclass(frozen=True)
class RunGroup:
    """Whole runs that one process advances in lockstep.

    ``journals`` is the folder of journals. It contains a file with the ``token``. A process that does not find this
    file is on another machine, and sends its journals back. ``elapsed`` are the seconds that runs took in earlier
    sessions. ``row`` is the row of the query log, or None without a folder. ``depends_on`` and
    ``multiple`` are as in `Evaluator`.
    """

    infos: tuple[RunInfo, ...]
    width: int
    rows: int
    journals: Path | None
    token: str
    elapsed: dict[RunInfo, float]
    row: Row | None = None
    depends_on: DependsOn = "image"
    multiple: int = ROWS


class WorkerTask:
    """Experiments that share a classifier, ready to decode genomes, answer images and run whole runs.

    ``experiments`` are the variants of a study by name, or a single experiment under the empty name.
    """

    def __init__(self, experiments: Mapping[str, Experiment], classifier: Classifier | None = None) -> None:
        self.experiments = dict(experiments)
        self.experiment = next(iter(self.experiments.values()))  # for all settings that the experiments share
        self.travelled = False
        self._in_memory = classifier is not None
        self.classifier = classifier if classifier is not None else self.experiment.build_classifier()
        self._genomes: dict[str, Any] = {}
        self._starts: dict[str, Batch | None] = {}

    def replace_experiments(self, experiments: Mapping[str, Experiment]) -> None:
        """Replace the experiments by others with the same classifier."""
        self.experiments = dict(experiments)
        self._genomes.clear()

    def __reduce__(self) -> tuple[Callable[..., "WorkerTask"], tuple[str, str, Options]]:
        return _loaded, (self._configuration, self.digest, self.experiment.options)

    @cached_property
    def _configuration(self) -> str:
        """The experiments as JSON text, from which any process can load them."""
        if self._in_memory:
            raise InputError("a classifier in memory cannot be sent to other processes; save it, and name its file")
        data = {name: experiment.data() for name, experiment in self.experiments.items()}
        try:
            for each in data.values():
                config.load(each)
        except InputError as error:
            raise InputError(f"other processes do not find all plugins; name their files ({error})") from error
        return json.dumps(data)

    @property
    def isolates(self) -> bool:
        """Whether a run whose images make the classifier fail ends alone. Always true in a study."""
        return "" not in self.experiments or self.experiment.on_error == "skip"

    @cached_property
    def is_large(self) -> bool:
        """Whether the images of all results are too many or too large to keep several of each in memory.

        A study is never large, because it keeps one image of each run.
        """
        if "" not in self.experiments:
            return False
        count = self._targets
        values = self.experiment.seeds * count * math.prod(self.classifier.input_shape)
        return count > MANY_TARGETS or values > MOST_IN_MEMORY

    @property
    def _targets(self) -> int:
        targets = self.experiment.targets
        return len(targets_of(self.classifier)) if targets == "all" else len(targets)

    def check_keep(self, depends_on: DependsOn) -> None:
        """Check that the experiment can keep several images of each result.

        Raises
        ------
        InputError
            The images need too much memory, or their answers depend on the batch.
        """
        keep, shape = self.experiment.keep, self.classifier.input_shape
        if keep == 1 or "" not in self.experiments:
            return
        if depends_on == "batch":
            why = "the answer of this classifier to an image depends on the other images of its batch"
            raise self.experiment.error("keep", f"got {keep}, but {why}; leave 'keep' out")
        results = self.experiment.seeds * self._targets
        most = max(1, MOST_KEPT // (results * math.prod(shape)))
        if keep > most:
            size = f"{results} results with images {tuple(shape)}"
            cure = f"use at most {most}" if most > 1 else "leave 'keep' out"
            raise self.experiment.error("keep", f"got {keep}, expected at most {most} for {size}; {cure}")

    @property
    def digest(self) -> str:
        """The digest of the classifier. Empty if it has none."""
        return getattr(self.classifier, "digest", "")

    @cached_property
    def probe(self) -> bytes:
        """Identify the bits of the classifier on this machine: the digest of its answers to fixed images.

        A billable classifier is not queried; its own digest is used.
        """
        if getattr(self.classifier, "billable", False):
            return self.digest.encode()
        shape = (ROWS, *self.classifier.input_shape)
        images = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
        logits = self.limit.call(ROWS, self.classifier.logits, images)
        return xxhash.xxh3_128_digest(logits.tobytes())

    @cached_property
    def limit(self) -> TimeLimit:
        """The time limit of the executor for calls of the classifier."""
        return TimeLimit(str(self.experiment.classifier.plugin), self.experiment.executor.values.get(LIMIT))

    def ask(self, query: Query) -> TaskResult:
        """Call a method of the classifier. The answer is not checked."""
        (method, images, *more), start = query, time.perf_counter()
        answer = self.limit.call(len(images), getattr(self.classifier, method), images, *more)
        return self._result(answer, len(images), start)

    def decode(self, part: tuple[str, Batch]) -> TaskResult:
        """Decode genomes of a variant to images."""
        (variant, genomes), start = part, time.perf_counter()
        with blaming(self.experiments[variant].genome.plugin):
            return self._result(self.genome(variant).decode(genomes), 0, start)

    def pursue(self, group: RunGroup) -> TaskResult:
        """Advance whole runs to their ends in lockstep. The value of the result is a `GroupOutcome`."""
        start = time.perf_counter()
        outcome = self._pursued(group)
        return self._result(outcome, outcome.queries.classifier + outcome.queries.padding, start)

    def genome(self, variant: str) -> Any:
        """Return the genome of a variant. All runs share it."""
        if variant not in self._genomes:
            self._genomes[variant] = self.experiments[variant].genome.build(self.classifier.input_shape)
        return self._genomes[variant]

    def start(self, variant: str) -> Batch | None:
        """Return the genomes with which the first population of a variant begins, or None."""
        if variant not in self._starts:
            choice, genome = self.experiments[variant].genome, self.genome(variant)
            source = choice.start_images
            images = None if source is None else load_start(source, self.classifier.input_shape)
            encode = Checked(choice.plugin, contract_checks.encoded(genome), lambda images: genome.encode(images))
            self._starts[variant] = None if images is None else encode(images)
        return self._starts[variant]

    def toolbox(self, info: RunInfo, evaluator: Evaluator, **more: Any) -> Toolbox:
        """Return the toolbox of a run, with its random streams at their start. ``more`` as for `toolboxes.build`."""
        start = self.start(info.variant)
        return toolboxes.build(
            self.experiments[info.variant], self.genome(info.variant), evaluator, info, start=start, **more
        )

    def run(
        self,
        info: RunInfo,
        evaluator: Evaluator,
        *,
        journal: Path | None = None,
        observer: Observer | None = None,
        clock: Callable[[], float] = lambda: 0.0,
        decode: Callable[[Batch], Images] | None = None,
    ) -> Run:
        """Return a run at its start."""
        toolbox = self.toolbox(info, evaluator, decode=decode, evaluate=False)
        opened = None if journal is None else self.journal(info, journal)
        experiment = self.experiments[info.variant]
        large = journal is not None and self.is_large
        files = RunFiles(journal.parent, info, experiment.statistic_names) if large and journal is not None else None
        return Run(info, experiment, toolbox, evaluator, opened, observer, clock, files)

    def journal(self, info: RunInfo, path: Path) -> Journal:
        """Open the journal of a run."""
        belongs_to = {
            "format": JOURNAL_FORMAT,
            "experiment": self.experiments[info.variant].digest,
            "classifier": self.digest,
            "seed": info.seed,
            "targets": list(info.targets),
        }
        make_folders(path.parent.parent, path.parent)
        billable = bool(getattr(self.classifier, "billable", False))
        options = self.experiment.options
        return Journal(path, belongs_to, earlier=options.earlier, anyway=options.force, at_once=billable)

    def _pursued(self, group: RunGroup) -> GroupOutcome:
        if group.journals is None or _holds(group.journals / TOKEN, group.token):
            return self._driven(group, group.journals, group.row)
        with TemporaryDirectory(prefix="fooldeap-") as folder:
            pursued = self._driven(group, Path(folder))
            return pursued._replace(ended=[run._replace(files=_files(Path(folder), run.info)) for run in pursued.ended])

    def _driven(self, group: RunGroup, journals: Path | None, row: Row | None = None) -> GroupOutcome:
        evaluator = Evaluator(self.classifier, self.limit)
        evaluator.rows, evaluator.multiple, evaluator.depends_on = group.rows, group.multiple, group.depends_on
        if row is not None:
            earlier = row.read()  # from a worker that was lost
            evaluator.queries = Queries(lost=earlier.shown, uncertain=earlier.uncertain)
            evaluator.record(row)
        waiting = (
            self.run(
                info,
                evaluator,
                journal=journals and journals / info.journal,
                clock=_Clock(group.elapsed.get(info, 0.0)),
            )
            for info in group.infos
        )
        driven = drive(waiting, evaluator, group.width, isolate=self.isolates)
        ended = [RunOutcome.of(run) for run in driven]
        queries = evaluator.queries
        evaluator.record(None)
        if row is not None:
            row.close()
        return GroupOutcome(ended, queries, recorded=row is not None)

    def _result(self, value: Any, images: int, start: float) -> TaskResult:
        return TaskResult(value, images, time.perf_counter() - start, here(), self.probe if self.travelled else b"")


def here() -> WorkerId:
    """Return the ID of this process."""
    return WorkerId(socket.gethostname(), os.getpid())


def _files(folder: Path, info: RunInfo) -> dict[str, bytes]:
    """Return the content of the files of a run in its folder of journals."""
    paths = {name: folder / name for name in (info.journal, *run_files.names(info))}
    return {name: path.read_bytes() for name, path in paths.items() if path.exists()}


def _holds(file: Path, text: str) -> bool:
    return file.is_file() and file.read_text() == text


class _Clock:
    """Seconds since the first call, plus the seconds of earlier sessions."""

    def __init__(self, before: float) -> None:
        self._before, self._start = before, 0.0

    def __call__(self) -> float:
        self._start = self._start or time.perf_counter()
        return self._before + time.perf_counter() - self._start


@functools.lru_cache(maxsize=2)
def _loaded(configuration: str, digest: str, options: Options) -> WorkerTask:
    """Load a task in the process that receives it, once for each process."""
    experiments = {name: config.load(data, options=options) for name, data in json.loads(configuration).items()}
    work = WorkerTask(experiments)
    if work.digest != digest:
        raise InputError(f"{here()} has another classifier ({work.experiment.classifier.data()}); copy the model")
    work.travelled = True
    return work
