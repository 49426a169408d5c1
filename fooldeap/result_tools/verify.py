"""Check that the files of a finished folder are unchanged, and that its results can be reproduced bit for bit."""

import hashlib
import json
import shutil
import tempfile
import zipfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from fooldeap import registry
from fooldeap.configuration import config
from fooldeap.configuration.experiment import Experiment
from fooldeap.engine.calibration import BY_CHANCE
from fooldeap.engine.evolution import Run
from fooldeap.errors import InputError
from fooldeap.options import Options
from fooldeap.result_tools.kinds import Settings, Verification, open_finished
from fooldeap.results import RunInfo
from fooldeap.runs.experiment_session import ExperimentSession
from fooldeap.runs.folder import Folder, problems_in
from fooldeap.runs.run_folder import RunFolder
from fooldeap.storage import npz
from fooldeap.storage.inputs import opened, parsed, read, read_json
from fooldeap.storage.journal import without_header
from fooldeap.storage.npz import DAMAGE
from fooldeap.storage.sums import lists_journals

# Files that may differ between sessions, machines and versions. All other files must be bit-identical.
_VARYING = (
    "config.yaml",  # contains paths, which may have moved; its content is what is repeated
    "environment.json",
    "timings.csv",
    "queries.csv",
    "workers.csv",
    "workers.log",
    "calibration.json",
    "report.html",
    "SHA256SUMS",
)
_LATER = ("snapshots.npz", "fronts.npz", "front.csv")  # folders of earlier versions do not have these files
_PICTURES = "figures"
CHANGED_CLASSIFIER = "the classifier has changed since the run: its digest differs from that in environment.json"


def verify(
    path: str | Path,
    *,
    sample: int | None = None,
    workers: int | str | None = None,
    plugins: Iterable[Any] = (),
    trust_model: bool = False,
    no_plugins: bool = False,
) -> Verification:
    """Repeat a finished run, study, retraining, audit or tuning, and check that the results are bit-identical.

    Parameters
    ----------
    path : the folder
    sample : for a run, and for each run of a retraining or audit, the number of batches for which the classifier is
        queried again; for a study, the number of runs to repeat; None: everything
    workers : the number of processes, if whole runs are repeated
    plugins : as for `fooldeap.resume`: plugins that were passed from Python, or whose files have moved
    trust_model, no_plugins : as for `fooldeap.run`

    Raises
    ------
    InputError
        The folder is not a finished folder, or cannot be repeated here.
    """
    kind, folder = open_finished(Path(path))
    settings = Settings(sample, workers, registry.each(plugins), Options(trust_model, no_plugins))
    return kind.verify(folder, settings)


def verify_run(folder: Folder, settings: Settings) -> Verification:
    """Repeat a run, or query the classifier again for a sample of its batches."""
    path = folder.path
    settings = settings._replace(options=replace(settings.options, earlier=folder.environment.earlier))
    experiment = config.load(folder.config, arguments=settings.executor(), **settings.loading())
    damaged = problems_in(path)
    if settings.sample is None:
        checked, different = f"{path}: everything", _repeat(folder, experiment)
    else:
        checked, different = _check_sample(folder, experiment, settings)
    return Verification(checked, (*damaged, *different), notes(folder, [experiment]))


def notes(folder: Folder, experiments: list[Experiment]) -> tuple[str, ...]:
    """Return how this machine differs from the one that wrote the folder."""
    by_chance = folder.environment.answers_depend_on == "chance"
    return (*folder.environment.changes(experiments), *([BY_CHANCE] if by_chance else []))


def _repeat(folder: Folder, experiment: Experiment) -> list[str]:
    """Repeat the whole run in a temporary folder, and return one line for each file that differs."""
    with (
        tempfile.TemporaryDirectory(prefix="fooldeap-") as name,
        ExperimentSession(experiment, rows=folder.rows) as prepared,
    ):
        if _has_changed_classifier(folder, prepared):
            return [CHANGED_CLASSIFIER]
        repeated = RunFolder.create(experiment, Path(name) / "run")
        prepared.run(repeated, quiet=True)
        before, now = bits(folder.path), bits(repeated.path)
        if folder.environment.earlier:  # the headers of its journals may name an earlier experiment
            before, now = _without_headers(before), _without_headers(now)
        if "log.csv" in now:
            now["log.csv"] = _shared_columns(now["log.csv"], before.get("log.csv", b""))
        return _differences(before, {name: each for name, each in now.items() if _is_expected(name, before)})


def _has_changed_classifier(folder: Folder, prepared: ExperimentSession) -> bool:
    recorded = folder.environment.classifier
    return recorded is not None and recorded != prepared.dispatcher.task.digest


def bits(folder: Path) -> dict[str, bytes]:
    """Return the content of each file of a run that must be bit-identical, of archives a digest.

    Of ``result.json``, the seconds and the names of the objectives are left out.
    """
    files = {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*")) if path.is_file()}
    kept = {
        name: _members(path) if path.suffix == ".npz" else read(path)
        for name, path in files.items()
        if name not in _VARYING and not name.startswith((f"{_PICTURES}/", "."))
    }
    result = parsed(kept["result.json"])
    return {**kept, "result.json": json.dumps({**result, "seconds": 0, "objectives": None}).encode()}


def _without_headers(files: dict[str, bytes]) -> dict[str, bytes]:
    """Return files with their journals without headers."""
    return {name: without_header(each) if name.endswith(".journal") else each for name, each in files.items()}


def _members(path: Path) -> bytes:
    """Return a digest of the members of an archive, without their headers, which depend on the release of Python."""
    found = hashlib.sha256()
    try:
        with opened(path) as file, zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            npz.check_unpacked(sum(each.file_size for each in members), path.stat().st_size)
            for each in members:
                found.update(f"{each.filename} {each.file_size} ".encode())
                with archive.open(each) as member:
                    while chunk := member.read(1 << 20):
                        found.update(chunk)
    except DAMAGE:
        return read(path)
    return found.digest()


def _is_expected(name: str, written: dict[str, bytes]) -> bool:
    """Return whether the version of fooldeap that wrote a folder writes this file."""
    return name in written or name not in _LATER


def _shared_columns(now: bytes, before: bytes) -> bytes:
    """Return the new log without the columns that the version of fooldeap that wrote the old log does not have."""
    known = before.partition(b"\n")[0].split(b",")
    rows = [line.split(b",") for line in now.splitlines()]
    kept = [place for place, name in enumerate(rows[0]) if name in known]
    return b"".join(b",".join(row[place] for place in kept) + b"\n" for row in rows)


def _differences(before: dict[str, bytes], now: dict[str, bytes]) -> list[str]:
    both = sorted(before.keys() | now.keys())
    return [
        f"{name}: {_difference(before.get(name), now.get(name))}" for name in both if before.get(name) != now.get(name)
    ]


def _difference(before: bytes | None, now: bytes | None) -> str:
    if now is None:
        return "exists, but the repeated run did not write it"
    return "is missing, but the repeated run wrote it" if before is None else "differs from that of the repeated run"


def _check_sample(folder: Folder, experiment: Experiment, settings: Settings) -> tuple[str, list[str]]:
    """Replay the journals, query the classifier again for some batches, and compare the results with the files."""
    written = read_json(folder.path / "result.json")
    if not lists_journals(folder.path):
        raise InputError(f"--sample: {folder.path} kept no journals; verify everything, without --sample")
    with (
        ExperimentSession(experiment, rows=folder.rows) as prepared,
        tempfile.TemporaryDirectory(prefix="fooldeap-") as name,
    ):
        if _has_changed_classifier(folder, prepared):
            return f"{folder.path}: its classifier", [CHANGED_CLASSIFIER]
        journals = Path(name) / "journal"
        shutil.copytree(folder.journals, journals)  # a copy, because a run may write to its journal
        runs = [prepared.dispatcher.run(info, journal=journals / info.journal) for info in prepared.runs]
        lengths = {(run["seed"], run["target"]): run["generations"] + 1 for run in written["runs"]}
        batches = [(run.info, number) for run in runs for number in range(lengths[run.info.seed, run.info.targets[0]])]
        chosen = set(settings.choose(batches))
        problems = [problem for run in runs for problem in _replay(run, chosen)]
        results = {(result.seed, result.target): result for run in runs for result in run.results()}
    for run in written["runs"]:
        result = results[run["seed"], run["target"]]
        kept = [{name: value for name, value in each.items() if name != "image"} for each in run.get("kept", ())]
        same = kept == [each.scalars() for each in result.kept]
        if not same or any(getattr(result, key) != value for key, value in run.items() if key not in ("image", "kept")):
            problems.append(f"result.json: seed {result.seed}, target {result.target} differs from its journal")
    return f"{folder.path}: {len(chosen)} of {len(batches)} batches", problems


def _replay(run: Run, chosen: set[tuple[RunInfo, int]]) -> list[str]:
    """Replay a run from its journal, query the classifier for the chosen batches, and return the problems."""
    problems, number = list[str](), 0
    while not run.stopped and run.ask():
        if len(run.uncached()):
            run.close()
            return [*problems, f"{run.info.label}: its journal ends before the run"]
        if (run.info, number) in chosen and not run.reproduced():
            problems.append(f"{run.info.label}: generation {number}: the classifier's answers differ from the journal")
        run.tell()
        run.finish_generation()
        number += 1
    return problems
