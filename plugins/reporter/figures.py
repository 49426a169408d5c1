"""Growth curves and Pareto fronts."""

from fooldeap.images.pictures import fronts, growth
from fooldeap.plugin import ExperimentInfo, Reporter, Result, dataclass, reporter


@reporter("figures")
@dataclass
class Figures(Reporter):
    """Draw ``figures/growth.png``: best fitness and confidence against evaluations, a line for each run.

    With more than 20 targets, it shows the best one, the median, and the range from 10 to 90 % of the targets.
    With a fitness of several objectives, also draw ``figures/front.png``: the first two objectives of the nondominated
    images.
    """

    def on_start(self, session: ExperimentInfo) -> None:
        """Store the folder."""
        self._folder = session.folder

    def on_finish(self, result: Result) -> None:
        """Draw the figures."""
        if self._folder is not None and len(result):
            self._folder.write("figures/growth.png", growth(result))
        if self._folder is not None and result.objectives:
            self._folder.write("figures/front.png", fronts(result))
