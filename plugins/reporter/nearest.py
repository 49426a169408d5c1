"""Nearest real images, and their labels as a classifier that was not attacked."""

import math

import numpy as np

from fooldeap import registry
from fooldeap.configuration.choices import Choice, loaded
from fooldeap.formatting import as_csv
from fooldeap.images.nearest import Neighbour, Neighbourhood
from fooldeap.images.pictures import side_by_side
from fooldeap.plugin import ExperimentInfo, Reporter, Result, RunResult, dataclass, reporter


@reporter("nearest")
@dataclass
class Nearest(Reporter):
    """Write ``nearest.csv`` and ``figures/nearest.png``: each image and the nearest real image.

    The table has the Euclidean distance in grey levels, and the share of the target's real test images that are farther
    from their own nearest training image. It also has the class of most of the five nearest training images. Real
    images are those of the experiment's ``dataset``; the default is MNIST. Images of another shape, and images of a
    target without training images, are left out. The share is missing if a target has no test image.
    """

    def on_start(self, session: ExperimentInfo) -> None:
        """Store the folder and the dataset."""
        self._folder = session.folder
        self._dataset = _dataset(session)

    def on_finish(self, result: Result) -> None:
        """Write the table and the picture."""
        known = Neighbourhood(loaded(self._dataset))
        runs = [run for run in result if run.image.pixels.shape == known.shape and known.has(run.target)]
        if self._folder is None or not runs:
            return
        images = np.array([run.image.pixels for run in runs])
        found = known.nearest(images, [run.target for run in runs])
        self._folder.write("nearest.csv", _table(runs, found))
        first = [(run, each) for run, each in zip(runs, found, strict=True) if run.seed == runs[0].seed]
        pairs = [(run.image.pixels, each.image) for run, each in first]
        captions = [f"{run.target}: {each.distance:.0f} away, seen as {each.verdict}" for run, each in first]
        self._folder.write("figures/nearest.png", side_by_side(pairs, captions))


def _dataset(session: ExperimentInfo) -> Choice:
    chosen = dict(session.configuration.get("dataset") or {"name": "mnist"})
    known = registry.load(session.configuration.get("plugins", ()))
    return Choice(known.get("dataset", chosen.pop("name")), chosen)


def _table(runs: list[RunResult], found: list[Neighbour]) -> str:
    rows: list[list[object]] = [["target", "seed", "predicted", "confidence", "distance", "farther", "verdict"]]
    for run, each in zip(runs, found, strict=True):
        farther = "" if math.isnan(each.farther) else repr(each.farther)
        distance = repr(each.distance)
        rows.append([run.target, run.seed, run.predicted, repr(run.confidence), distance, farther, each.verdict])
    return as_csv(rows)
