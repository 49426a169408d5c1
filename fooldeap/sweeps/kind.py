"""A sweep as a kind of YAML file and as a kind of folder."""

from collections.abc import Iterator

from fooldeap.configuration.json_schema import Schema, experiment
from fooldeap.extensions import FileKind
from fooldeap.registry import Registry
from fooldeap.result_tools.kinds import ExportedImage, FolderKind, Settings, Source, Verification, exported
from fooldeap.result_tools.verify import verify_run
from fooldeap.runs.folder import problems_in
from fooldeap.runs.run_folder import RunFolder
from fooldeap.storage.inputs import read_json
from fooldeap.sweeps.definition import KEY
from fooldeap.sweeps.session import SweepFolder


def schema(registry: Registry) -> Schema:
    """Return the JSON Schema: the keys of an experiment, and the swept keys."""
    base = experiment(registry)
    own: Schema = {
        KEY: {
            "type": "object",
            "description": "Keys, each with a list of values; every combination is an experiment. Keys may be dotted.",
            "additionalProperties": {"anyOf": [{"type": "array", "minItems": 1}, {"type": "null"}]},
        }
    }
    return {**base, "title": "fooldeap sweep", "properties": {**base["properties"], **own}}


FILE = FileKind("run", (KEY,), schema)


class SweepKind(FolderKind):
    """The folder of a sweep."""

    folder = SweepFolder
    query_logs = "**/queries.csv"

    def verify(self, folder: SweepFolder, settings: Settings) -> Verification:
        """Repeat the experiment of every combination."""
        labels = [each["folder"] for each in read_json(folder.path / folder.LAST)["combinations"]]
        verified = [verify_run(RunFolder.open_finished(folder.path / label), settings) for label in labels]
        problems = [f"{label}: {each}" for label, run in zip(labels, verified, strict=True) for each in run.problems]
        notes = dict.fromkeys(note for run in verified for note in run.notes)
        checked = f"{folder.path}: the runs of {len(labels)} combinations"
        return Verification(checked, (*problems_in(folder.path), *problems), tuple(notes))

    def images(self, source: Source) -> Iterator[ExportedImage]:
        """Yield the image of each run of each combination."""
        for combination in source.read_json(SweepFolder.LAST)["combinations"]:
            label = combination["folder"]
            for run in source.read_json(f"{label}/{RunFolder.LAST}")["runs"]:
                yield exported(run, label, source.image(f"{label}/{run['image']}"))
