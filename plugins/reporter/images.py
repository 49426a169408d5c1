"""The evolved images as files."""

from fooldeap.images.pictures import contact_sheet
from fooldeap.plugin import Reporter, Result, Session, dataclass, reporter


@reporter("images")
@dataclass
class Images(Reporter):
    """Write ``images/``: each best image as PNG at its native size, and all on ``contact_sheet.png``."""

    def on_start(self, session: Session) -> None:
        """Keep the folder in mind."""
        self._folder = session.folder

    def on_finish(self, result: Result) -> None:
        """Write the images."""
        if self._folder is None or not len(result):
            return
        for run in result:
            self._folder.write(result.image_name(run), run.image.png())
        self._folder.write("images/contact_sheet.png", contact_sheet(result))
