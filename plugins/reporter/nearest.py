"""What the images mean to somebody who was not attacked."""

import csv
import io

import numpy as np

from fooldeap.nearest import Neighbour, Neighbourhood
from fooldeap.plugin import Reporter, Result, RunResult, Session, dataclass, reporter
from fooldeap.report.pictures import side_by_side

from ..dataset.mnist import Mnist


@reporter("nearest")
@dataclass
class Nearest(Reporter):
    """Write ``nearest.csv`` and ``figures/nearest.png``: each image beside the real digit of its target nearest to it.

    With the Euclidean distance in grey levels, the share of real test digits that are farther from their own nearest
    training digit, and the verdict of a classifier by the five nearest of all training digits, which nobody attacked.
    For images of MNIST; of others it writes nothing.
    """

    def on_start(self, session: Session) -> None:
        """Keep the folder in mind."""
        self._folder = session.folder

    def on_finish(self, result: Result) -> None:
        """Write the table and the picture."""
        known = Neighbourhood(Mnist().load())
        runs = [run for run in result if run.target < known.classes and run.image.pixels.shape == known.shape]
        if self._folder is None or not runs:
            return
        images = np.array([run.image.pixels for run in runs])
        found = known.nearest(images, [run.target for run in runs])
        self._folder.write("nearest.csv", _table(runs, found))
        first = [(run, each) for run, each in zip(runs, found, strict=True) if run.seed == runs[0].seed]
        pairs = [(run.image.pixels, each.image) for run, each in first]
        captions = [f"{run.target}: {each.distance:.0f} away, seen as {each.verdict}" for run, each in first]
        self._folder.write("figures/nearest.png", side_by_side(pairs, captions))


def _table(runs: list[RunResult], found: list[Neighbour]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["target", "seed", "predicted", "confidence", "distance", "farther", "verdict"])
    for run, each in zip(runs, found, strict=True):
        row = (run.target, run.seed, run.predicted, repr(run.confidence), repr(each.distance), repr(each.farther))
        writer.writerow([*row, each.verdict])
    return text.getvalue()
