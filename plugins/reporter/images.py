"""The evolved images on one sheet."""

from fooldeap.images.pictures import contact_sheets
from fooldeap.plugin import ExperimentInfo, Reporter, Result, dataclass, reporter


@reporter("images")
@dataclass
class Images(Reporter):
    """Draw ``images/contact_sheet.png`` with all evolved images, side by side.

    If there are too many images for one sheet, the next ones are ``images/contact_sheet-2.png`` and so on.
    """

    def on_start(self, session: ExperimentInfo) -> None:
        """Store the folder."""
        self._folder = session.folder

    def on_finish(self, result: Result) -> None:
        """Write the sheets."""
        if self._folder is not None:
            for number, sheet in enumerate(contact_sheets(result), 1):
                self._folder.write(f"images/contact_sheet{f'-{number}' if number > 1 else ''}.png", sheet)
