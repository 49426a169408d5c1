"""Whether a finished folder is as it was written, and whether every bit of it is found again here."""

import contextlib
import io
import json
import random
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np

from fooldeap import registry
from fooldeap.audit.session import AuditFolder
from fooldeap.configuration import config
from fooldeap.configuration.experiment import Experiment
from fooldeap.engine.calibration import BY_CHANCE
from fooldeap.engine.evolution import Run
from fooldeap.finished.kinds import opened
from fooldeap.results import RunInfo
from fooldeap.retrain.chain import RetrainFolder, check_model
from fooldeap.runs import provenance
from fooldeap.runs.bench import Bench
from fooldeap.runs.folder import Folder, problems_in
from fooldeap.runs.prepared import Prepared
from fooldeap.runs.rundir import RunFolder
from fooldeap.runs.work import Ended
from fooldeap.storage import npz
from fooldeap.storage.columns import DAMAGE
from fooldeap.storage.inputs import parsed, read, read_json
from fooldeap.study import definition
from fooldeap.study.analysis import analyse
from fooldeap.study.comparison import crossed, outcome_of, texts
from fooldeap.study.plan import Plan, StudyFolder, plan
from fooldeap.study.records import Record, record_of

# What another session, machine or version may write otherwise; all else is the bits that are promised.
_VARYING = (
    "config.yaml",  # has paths, which may have moved; what it says is what is made again
    "environment.json",
    "timings.csv",
    "ledger.csv",
    "workers.csv",
    "workers.log",
    "calibration.json",
    "report.html",
    "SHA256SUMS",
)
_LATER = ("snapshots.npz", "fronts.npz", "front.csv")  # a folder made before there were any has none
_PICTURES = "figures"
ANOTHER = "the classifier is another than the one that was fooled: its file, or what it is trained to, has changed"
T = TypeVar("T")


@dataclass(frozen=True)
class Verdict:
    """What was looked at, what is wrong, and what is other here than where the folder was made."""

    looked_at: str
    problems: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def reproduced(self) -> bool:
        """Whether every bit was found again."""
        return not self.problems

    def __str__(self) -> str:
        verdict = "reproduced to the bit" if self.reproduced else "NOT reproduced"
        return "\n".join([f"{self.looked_at}: {verdict}", *self.problems, *(f"(note: {note})" for note in self.notes)])


def verify(
    path: str | Path,
    *,
    sample: int | None = None,
    workers: int | Literal["auto"] | None = None,
    plugins: Iterable[Any] = (),
) -> Verdict:
    """Replay a finished run, study, retraining or audit and compare every bit.

    Parameters
    ----------
    path : the folder
    sample : of a run, how many batches of its journals are shown to the classifier again, also of each run of a
        retraining or an audit; of a study, how many of its runs are made again; None: everything is
    workers : how many processes help where everything is made again
    plugins : as for `fooldeap.resume`: those that were handed over, or whose files have moved since

    Raises
    ------
    InputError
        The folder is no finished one, or cannot be replayed here.
    """
    folder, how = opened(Path(path)), _How(sample, workers, registry.each(plugins))
    match folder:
        case StudyFolder():
            return _study(folder, how)
        case RetrainFolder():
            return _retraining(folder, how)
        case AuditFolder():
            return _audit(folder, how)
    return _run(folder, how)


class _How(NamedTuple):
    """The parameters of `verify`."""

    sample: int | None
    workers: int | Literal["auto"] | None
    plugins: tuple[Any, ...]

    def executor(self, **more: str) -> dict[str, Any]:
        """Return the key of an experiment that has them help."""
        return {} if self.workers is None else {"executor": {"name": "scoop", "workers": self.workers, **more}}

    def chosen(self, every: Sequence[T]) -> list[T]:
        """Return a sample, always the same, or all."""
        return list(every) if self.sample is None else random.Random(0).sample(every, min(self.sample, len(every)))


def _run(folder: Folder, how: _How) -> Verdict:
    path = folder.path
    experiment = config.load(folder.config, arguments=how.executor(), plugins=how.plugins)
    found = problems_in(path)
    if how.sample is None:
        looked_at, different = f"{path}: everything", _again(folder, experiment)
    else:
        looked_at, different = _sampled(folder, experiment, how)
    return Verdict(looked_at, (*found, *different), _notes(folder, [experiment]))


def _notes(folder: Folder, experiments: list[Experiment]) -> tuple[str, ...]:
    recorded = read_json(folder.path / "environment.json")
    by_chance = recorded.get("answers_depend_on") == "chance"
    return (*provenance.changes(recorded, experiments), *([BY_CHANCE] if by_chance else []))


# --- Runs -----------------------------------------------------------------------------------------------------------


def _again(folder: Folder, experiment: Experiment) -> list[str]:
    """Make the whole run again elsewhere, and return which files differ."""
    with tempfile.TemporaryDirectory(prefix="fooldeap-") as name, Prepared(experiment, rows=folder.rows) as prepared:
        if _is_another(folder, prepared):
            return [ANOTHER]
        again = RunFolder.create(experiment, Path(name) / "run")
        prepared.run(again, quiet=True)
        written, found = bits(folder.path), bits(again.path)
        return _differences(written, {name: each for name, each in found.items() if _was_made(name, written)})


def _is_another(folder: Folder, prepared: Prepared) -> bool:
    """Tell whether the classifier is not the one that was fooled."""
    recorded = read_json(folder.path / "environment.json").get("classifier")
    return recorded is not None and recorded != prepared.crew.work.digest


def bits(folder: Path) -> dict[str, bytes]:
    """Return the files of a run that are promised to the bit; of ``result.json`` all but its seconds, and names."""
    files = {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*")) if path.is_file()}
    kept = {
        name: _arrays(read(path)) if path.suffix == ".npz" else read(path)
        for name, path in files.items()
        if name not in _VARYING and not name.startswith((f"{_PICTURES}/", "."))
    }
    result = parsed(kept["result.json"])
    return {**kept, "result.json": json.dumps({**result, "seconds": 0, "objectives": None}).encode()}


def _arrays(content: bytes) -> bytes:
    """Return the arrays of an archive, whose own headers are other bits by another release of Python."""
    try:
        with npz.opened(io.BytesIO(content)) as file:
            arrays = dict(file)
    except DAMAGE:
        return content
    return b"".join(f"{name} {each.dtype} {each.shape} ".encode() + each.tobytes() for name, each in arrays.items())


def _was_made(name: str, written: dict[str, bytes]) -> bool:
    """Tell whether the version that wrote a folder made such a file."""
    return name in written or name not in _LATER


def _differences(before: dict[str, bytes], now: dict[str, bytes]) -> list[str]:
    both = sorted(before.keys() | now.keys())
    return [
        f"{name}: {_difference(before.get(name), now.get(name))}" for name in both if before.get(name) != now.get(name)
    ]


def _difference(before: bytes | None, now: bytes | None) -> str:
    return (
        "is not made here" if now is None else "is made here, and was not there" if before is None else "has other bits"
    )


def _sampled(folder: Folder, experiment: Experiment, how: _How) -> tuple[str, list[str]]:
    """Replay the journals, ask the classifier again in some batches, and hold the results against the written ones."""
    written = read_json(folder.path / "result.json")
    with Prepared(experiment, rows=folder.rows) as prepared, tempfile.TemporaryDirectory(prefix="fooldeap-") as name:
        if _is_another(folder, prepared):
            return f"{folder.path}: its classifier", [ANOTHER]
        journals = Path(name) / "journal"
        shutil.copytree(folder.journals, journals)  # which a run may write to
        runs = [prepared.crew.run(info, journal=journals / info.journal) for info in prepared.runs]
        lengths = {(run["seed"], run["target"]): run["generations"] + 1 for run in written["runs"]}
        batches = [(run.info, number) for run in runs for number in range(lengths[run.info.seed, run.info.targets[0]])]
        chosen = set(how.chosen(batches))
        problems = [problem for run in runs for problem in _replayed(run, chosen)]
        results = [result for run in runs for result in run.results()]
    found = {(result.seed, result.target): result for result in results}
    for run in written["runs"]:
        result = found[run["seed"], run["target"]]
        if any(getattr(result, key) != value for key, value in run.items() if key != "image"):
            problems.append(f"result.json: seed {result.seed}, target {result.target} is other than its journal says")
    return f"{folder.path}: {len(chosen)} of {len(batches)} batches", problems


def _replayed(run: Run, chosen: set[tuple[RunInfo, int]]) -> list[str]:
    problems, number = list[str](), 0
    while not run.stopped and run.ask():
        if len(run.unseen()):
            run.close()
            return [*problems, f"{run.info.label}: its journal ends before the run does"]
        if (run.info, number) in chosen and not run.reproduced():
            problems.append(f"{run.info.label}: generation {number} gets other answers here")
        run.tell()
        run.settle()
        number += 1
    return problems


# --- Studies --------------------------------------------------------------------------------------------------------


def _study(folder: StudyFolder, how: _How) -> Verdict:
    """Make runs of a study again, and hold them against their records, and these against what was written of them."""
    study = definition.load(folder.config, arguments=how.executor(mode="runs"), plugins=how.plugins)
    problems, count, total = list(problems_in(folder.path)), 0, 0
    with contextlib.ExitStack() as stack:
        known = plan(study, folder, stack)
        for group in known.groups:
            ended = [run for run in group.runs if run not in group.missing]
            runs = how.chosen(ended)
            count, total = count + len(runs), total + len(ended)
            bench = known.bench or stack.enter_context(Bench(group.experiments))
            problems += [problem for run in bench.evolve(runs) if (problem := _of_record(run, known, folder))]
            if known.bench is None:
                bench.close()
        if how.sample is None:
            problems += _of_texts(known, folder)
    notes = _notes(folder, list(study.variants.values()))
    return Verdict(f"{folder.path}: {count} of {total} runs", tuple(problems), notes)


def _of_record(run: Ended, known: Plan, folder: StudyFolder) -> str | None:
    """Return what is other in a run than its record says."""
    if run.failure is not None:
        return f"{run.info.label}: fails here: {run.failure}"
    made = [record_of(run.info.variant, result, known.budgets[run.info.variant]) for result in run.results]
    written = folder.records.read(run.info, {}) or []
    alike = len(made) == len(written) > 0 and all(map(_same, made, written))
    return None if alike else f"{run.info.label}: its record is another here"


def _of_texts(known: Plan, folder: StudyFolder) -> list[str]:
    """Return which tables, and whether the report, are other than what follows from the records."""
    summary, design = read_json(folder.path / folder.LAST), folder.design() or {}
    outcome = outcome_of(known, folder, summary["study"]["failed"], extended=bool(design.get("extended", True)))
    made = texts(outcome, analyse(outcome), crossed(known, outcome))
    written = {name: folder.path / name for name in made}
    return [
        f"{name}: is not what follows from the records"
        for name, path in written.items()
        if path.is_file() and read(path) != made[name].encode()
    ]


def _same(one: Record, other: Record) -> bool:
    arrays = zip(one.arrays, other.arrays, strict=True)
    return one.row == other.row and all(np.array_equal(mine, theirs) for mine, theirs in arrays)


# --- Retrainings ----------------------------------------------------------------------------------------------------


def _retraining(folder: RetrainFolder, how: _How) -> Verdict:
    """Replay the runs on every network; the networks are those of their cards, and are not trained again."""
    problems, places = problems_in(folder.path), sorted((folder.path / "networks").iterdir())
    for place in places:
        check_model(place / "model.keras")
        found = _run(RunFolder.open_finished(place / "run"), how).problems
        problems += [f"{place.name}: {problem}" for problem in found]
    looked_at = f"{folder.path}: the runs on {len(places)} networks"
    return Verdict(looked_at, tuple(problems), ("the networks were not trained again",))


# --- Audits ---------------------------------------------------------------------------------------------------------


def _audit(folder: AuditFolder, how: _How) -> Verdict:
    """Replay the run of every attack; what thresholds would have told is not worked out again."""
    places = sorted((folder.path / "attacks").glob("*"))
    verdicts = [_run(RunFolder.open_finished(place), how) for place in places]
    found = [
        f"{place.name}: {each}" for place, verdict in zip(places, verdicts, strict=True) for each in verdict.problems
    ]
    notes = dict.fromkeys(note for verdict in verdicts for note in verdict.notes)
    looked_at = f"{folder.path}: the runs of {len(places)} attacks"
    return Verdict(looked_at, (*problems_in(folder.path), *found), (*notes, "thresholds were not judged again"))
