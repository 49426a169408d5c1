"""A retraining as a kind of YAML file and as a kind of folder."""

from collections.abc import Iterable

from fooldeap.errors import InputError
from fooldeap.extensions import FileKind
from fooldeap.result_tools.kinds import ExportedImage, FolderKind, Settings, Source, Verification
from fooldeap.result_tools.verify import verify_run
from fooldeap.retrain.chain import RetrainFolder, check_model
from fooldeap.retrain.schema import schema
from fooldeap.retrain.settings import KEYS
from fooldeap.runs.folder import problems_in
from fooldeap.runs.run_folder import RunFolder

FILE = FileKind("retrain", KEYS, schema)


class RetrainingKind(FolderKind):
    """The folder of a retraining."""

    folder = RetrainFolder

    def verify(self, folder: RetrainFolder, settings: Settings) -> Verification:
        """Repeat the runs on every network. The networks must match their model cards; they are not trained again."""
        problems, networks = problems_in(folder.path), sorted((folder.path / "networks").iterdir())
        for network in networks:
            check_model(network / "model.keras")
            different = verify_run(RunFolder.open_finished(network / "run"), settings).problems
            problems += [f"{network.name}: {problem}" for problem in different]
        checked = f"{folder.path}: the runs on {len(networks)} networks"
        return Verification(checked, tuple(problems), ("the networks were not trained again",))

    def images(self, source: Source) -> Iterable[ExportedImage]:
        """Refuse the folder: each of its networks has a run with images of its own."""
        folder = source.folder
        raise InputError(f"{folder}: is a retraining; export the run of a network: {folder / 'networks/01/run'}")
