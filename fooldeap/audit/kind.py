"""An audit as a kind of YAML file and as a kind of folder."""

from collections.abc import Iterator

from fooldeap.audit.session import AuditFolder
from fooldeap.result_tools.kinds import ExportedImage, FolderKind, Settings, Source, Verification, exported
from fooldeap.result_tools.verify import verify_run
from fooldeap.runs.folder import problems_in
from fooldeap.runs.run_folder import RunFolder


class AuditKind(FolderKind):
    """The folder of an audit."""

    folder = AuditFolder
    query_logs = "**/queries.csv"

    def verify(self, folder: AuditFolder, settings: Settings) -> Verification:
        """Repeat the run of every attack. The detection thresholds are not evaluated again."""
        attacks = sorted((folder.path / "attacks").glob("*"))
        verified = [verify_run(RunFolder.open_finished(attack), settings) for attack in attacks]
        problems = [
            f"{attack.name}: {each}" for attack, run in zip(attacks, verified, strict=True) for each in run.problems
        ]
        notes = dict.fromkeys(note for run in verified for note in run.notes)
        checked = f"{folder.path}: the runs of {len(attacks)} attacks"
        all_notes = (*notes, "the detection thresholds were not evaluated again")
        return Verification(checked, (*problems_in(folder.path), *problems), all_notes)

    def images(self, source: Source) -> Iterator[ExportedImage]:
        """Yield the image of each run of each attack."""
        for attack in source.read_json(AuditFolder.LAST)["attacks"]:
            subfolder = f"attacks/{attack['name']}"
            for run in source.read_json(f"{subfolder}/{RunFolder.LAST}")["runs"]:
                yield exported(run, str(attack["name"]), source.image(f"{subfolder}/{run['image']}"))
