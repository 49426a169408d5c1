"""The log and the images for TensorBoard."""

from typing import Any

from fooldeap import quiet
from fooldeap.plugin import BestYet, Images, LogRow, Reporter, Result, RunInfo, RunResult, Session, dataclass, reporter
from fooldeap.results import FoolingImage
from fooldeap.storage.files import make_folders, remove

FOLDER, FILE = "figures/tensorboard", "events.out.tfevents.fooldeap"
VERSION = "brain.Event:2"  # how a file of events has to begin
TALL = 112  # pixels, to which small images are enlarged

_Key = tuple[int, int]  # seed and target


@reporter("tensorboard")
@dataclass
class TensorBoard(Reporter):
    """Write ``figures/tensorboard/``: the log over evaluations, and the best images, for TensorBoard.

    Each target of each run is a run there. The axis of steps counts evaluations, and so does that of time, so that the
    same run leaves the same bits. Images are those after generation 0, 1, 2, 4, 8 and so on, and the last one.
    """

    def on_start(self, session: Session) -> None:
        """Import TensorFlow, which writes the files."""
        self._folder = session.folder
        self._best: dict[RunInfo, BestYet] = {}
        self._files: dict[_Key, Any] = {}
        self._tf = quiet.tensorflow() if self._folder is not None else None

    def on_run_start(self, run: RunInfo, best: BestYet) -> None:
        """Look at its images from now on."""
        self._best[run] = best

    def on_generation(self, run: RunInfo, row: LogRow) -> None:
        """Write the figures of a generation, and the image of some."""
        figures = {
            "confidence": row.confidence,
            "diversity": row.diversity,
            **{f"fitness/{name}": getattr(row, name) for name in ("best", "mean", "worst", "std")},
        }
        key = row.seed, row.target
        self._write(key, row.evaluations, [{"tag": name, "simple_value": value} for name, value in figures.items()])
        look = self._best.get(run)
        if look is not None and row.generation & (row.generation - 1) == 0:  # 0 or a power of two
            seen = look(row.target)
            if seen is not None:
                self._write_image(key, row.evaluations, seen.images[0])

    def on_run_end(self, results: list[RunResult]) -> None:
        """Write the last images, and close the files of the run."""
        for result in results:
            key = result.seed, result.target
            self._write_image(key, result.evaluations, result.image.pixels)
            self._close(key)

    def on_finish(self, result: Result) -> None:
        """Close what a run that failed has left open."""
        self.on_abort()

    def on_abort(self) -> None:
        """Close the files."""
        for key in list(self._files):
            self._close(key)

    def _write_image(self, key: _Key, evaluations: int, image: Images) -> None:
        if self._folder is None:
            return
        height, width, channels = image.shape
        scale = max(1, TALL // height)
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
            self._file(key).write(event.SerializeToString())

    def _file(self, key: _Key) -> Any:
        """Return the file of a target of a run; of a resumed run it is written again from the journal."""
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
