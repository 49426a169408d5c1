"""The evolved images on one sheet."""

from fooldeap.images.pictures import contact_sheet
from fooldeap.plugin import Reporter, Result, Session, dataclass, reporter


@reporter("images")
@dataclass
class Images(Reporter):
    """Write ``images/contact_sheet.png``, all evolved images side by side."""

    def on_start(self, session: Session) -> None:
        """Keep the folder in mind."""
        self._folder = session.folder

    def on_finish(self, result: Result) -> None:
        """Write the sheet."""
        if self._folder is not None and len(result):
            self._folder.write("images/contact_sheet.png", contact_sheet(result))
