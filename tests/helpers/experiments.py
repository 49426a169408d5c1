"""Small experiments on a classifier of a few lines, and the files of their folders."""

from pathlib import Path

from fooldeap.configuration import config
from fooldeap.runs.experiment_session import ExperimentSession
from fooldeap.runs.run_folder import RunFolder
from fooldeap.storage.sums import SUMS, listing

ROOT = Path(__file__).parents[2]
KIT = ROOT / "tests/kit"
TINY = {"classifier": "tiny", "reporters": ["csv"], "algorithm": {"name": "generational", "population": 12}}


def tiny(*overrides: str, **arguments):
    """Return an experiment on the tiny classifier."""
    return config.load({}, overrides, arguments={**TINY, **arguments}, plugins=[KIT])


def run(experiment, folder=None):
    """Run an experiment, in a new folder if one is named; return (result, what was prepared)."""
    prepared = ExperimentSession(experiment)
    if hasattr(prepared.classifier, "images"):
        prepared.classifier.images.clear()  # those of the probe
    return prepared.run(RunFolder.create(experiment, folder) if folder else None), prepared


def unannounced(said: str) -> str:
    """Return what a command printed, without the plugins of its file, and without workers that started too late."""
    late = "fooldeap: warning: the workers were not ready"
    lines = said.splitlines(True)
    return "".join(line for line in lines if not line.startswith(("fooldeap: runs the plugins in ", late)))


def bits(folder: Path) -> dict[str, bytes]:
    """Return the files of a run folder that must be the same bits; of result.json all but its seconds."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    named = {str(path.relative_to(folder)): path.read_bytes() for path in files}
    kept = {
        name: text
        for name, text in named.items()
        if name.startswith(("images/", "journal/", "log.", "snapshots", "front"))
    }
    lines = named.get("result.json", b"").splitlines()
    return {**kept, "result.json": b"\n".join(line for line in lines if b'"seconds"' not in line)}


def resealed(folder: Path) -> None:
    """Write the checksums anew, as somebody does who sends a folder that he made up."""
    (folder / SUMS).write_bytes(listing(folder, {}))
