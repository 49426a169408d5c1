"""Growth curves, and fronts."""

from fooldeap.images.pictures import fronts, growth
from fooldeap.plugin import Reporter, Result, Session, dataclass, reporter


@reporter("figures")
@dataclass
class Figures(Reporter):
    """Write ``figures/growth.png``: best fitness and confidence over evaluations, a line a run.

    Of a fitness of several objectives also ``figures/front.png``: the first two of the images that no other is better
    than in all of them.
    """

    def on_start(self, session: Session) -> None:
        """Keep the folder in mind."""
        self._folder = session.folder

    def on_finish(self, result: Result) -> None:
        """Draw the figures."""
        if self._folder is not None and len(result):
            self._folder.write("figures/growth.png", growth(result))
        if self._folder is not None and result.objectives:
            self._folder.write("figures/front.png", fronts(result))
