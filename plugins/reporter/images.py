"""The evolved images on one sheet."""

from fooldeap.images.pictures import contact_sheet
from fooldeap.plugin import ExperimentInfo, Reporter, Result, dataclass, reporter


@reporter("images")
@dataclass
class Images(Reporter):
    """Draw ``images/contact_sheet.png`` with all evolved images, side by side."""

    def on_start(self, session: ExperimentInfo) -> None:
        """Store the folder."""
        self._folder = session.folder

    def on_finish(self, result: Result) -> None:
        """Write the sheet."""
        if self._folder is not None and len(result):
            self._folder.write("images/contact_sheet.png", contact_sheet(result))
