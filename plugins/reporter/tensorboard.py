"""Log and images for TensorBoard."""

from typing import Any

from fooldeap import lazy_tensorflow
from fooldeap.plugin import (
    BestYet,
    ExperimentInfo,
    Images,
    LogRow,
    Reporter,
    Result,
    RunInfo,
    RunResult,
    dataclass,
    reporter,
)
from fooldeap.results import FoolingImage
from fooldeap.storage.files import make_folders, remove

FOLDER, FILE = "figures/tensorboard", "events.out.tfevents.fooldeap"
VERSION = "brain.Event:2"  # version of the file format
HEIGHT = 112  # height in pixels to which small images are enlarged

_Key = tuple[int, int]  # seed and target


@reporter("tensorboard")
@dataclass
class TensorBoard(Reporter):
    """Write the log and the best images for TensorBoard to ``figures/tensorboard/``.

    Each target of each run is a TensorBoard run. Steps are evaluations. Times are evaluations as well, so that the
    files of equal runs are bit-identical. There are images for the generations 0, 1, 2, 4, 8 and so on, and for the
    last one.
    """

    def on_start(self, session: ExperimentInfo) -> None:
        """Import TensorFlow, which writes the files."""
        self._folder = session.folder
        self._best: dict[RunInfo, BestYet] = {}
        self._columns = LogRow.columns()
        self._files: dict[_Key, Any] = {}
        self._tf = lazy_tensorflow.tensorflow() if self._folder is not None else None

    def on_run_start(self, run: RunInfo, best: BestYet) -> None:
        """Store the function that returns the best images of the run."""
        self._best[run] = best

    def on_generation(self, run: RunInfo, row: LogRow) -> None:
        """Write the values of a generation and, in some generations, the best image."""
        key = row.seed, row.target
        self._write(
            key,
            row.evaluations,
            [
                {"tag": f"fitness/{name}" if unit == "fitness" else name, "simple_value": getattr(row, name)}
                for name, (_, unit) in self._columns.items()
                if isinstance(getattr(row, name), float)
            ]
            + [{"tag": name, "simple_value": value} for name, value in row.statistics.items()],
        )
        best = self._best.get(run)
        if best is not None and row.generation & (row.generation - 1) == 0:  # 0 or a power of two
            predictions = best(row.target)
            if predictions is not None:
                self._write_image(key, row.evaluations, predictions.images[0])

    def on_run_end(self, results: list[RunResult]) -> None:
        """Write the final images and close the files of the run."""
        for result in results:
            key = result.seed, result.target
            self._write_image(key, result.evaluations, result.image.pixels)
            self._close(key)

    def on_finish(self, result: Result) -> None:
        """Close the files of runs that failed."""
        self.on_abort()

    def on_abort(self) -> None:
        """Close the files."""
        for key in list(self._files):
            self._close(key)

    def _write_image(self, key: _Key, evaluations: int, image: Images) -> None:
        if self._folder is None:
            return
        height, width, channels = image.shape
        scale = max(1, HEIGHT // height)
        drawn = {
            "height": scale * height,
            "width": scale * width,
            "colorspace": channels,
            "encoded_image_string": FoolingImage(image).png(scale),
        }
        self._write(key, evaluations, [{"tag": "best image", "image": drawn}])

    def _write(self, key: _Key, evaluations: int, values: list[dict[str, Any]]) -> None:
        if self._tf is not None:
            event = self._tf.compat.v1.Event(step=evaluations, wall_time=evaluations, summary={"value": values})
            self._open_file(key).write(event.SerializeToString())

    def _open_file(self, key: _Key) -> Any:
        """Return the open file for a target of a run.

        An older file is replaced, because a resumed run writes all its rows again.
        """
        if key not in self._files and self._folder is not None and self._tf is not None:
            seed, target = key
            path = self._folder.path / FOLDER / f"seed{seed}-target{target}" / FILE
            make_folders(self._folder.path, path.parent)
            remove(path)
            self._files[key] = self._tf.io.TFRecordWriter(str(path))
            self._files[key].write(self._tf.compat.v1.Event(file_version=VERSION).SerializeToString())
        return self._files[key]

    def _close(self, key: _Key) -> None:
        file = self._files.pop(key, None)
        if file is not None:
            file.close()
