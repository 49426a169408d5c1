"""Growth curves."""

from fooldeap.images.pictures import growth
from fooldeap.plugin import Reporter, Result, Session, dataclass, reporter


@reporter("figures")
@dataclass
class Figures(Reporter):
    """Write ``figures/growth.png``: best fitness and confidence over evaluations, a line a run."""

    def on_start(self, session: Session) -> None:
        """Keep the folder in mind."""
        self._folder = session.folder

    def on_finish(self, result: Result) -> None:
        """Draw the figure."""
        if self._folder is not None and len(result):
            self._folder.write("figures/growth.png", growth(result))
