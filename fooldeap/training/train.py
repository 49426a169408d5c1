"""Train the classifier that a YAML file describes: ``fooldeap train CONFIG.yaml``.

The training file names a dataset and lists the layers. The result is a ``.keras`` file and a model card. The model
takes images with values 0..255 and returns probabilities. The same file gives the same bytes on the same kind of
machine. An interrupted training resumes after the last finished epoch and gives the same bytes, too.
"""

import contextlib
import hashlib
import json
import math
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fooldeap.configuration import config
from fooldeap.configuration.choices import loaded
from fooldeap.configuration.document import Document
from fooldeap.errors import FooldeapError, InputError, RunError
from fooldeap.lazy_tensorflow import tensorflow
from fooldeap.options import Options
from fooldeap.plugin import Images, Rng, Split
from fooldeap.randomness import preserved
from fooldeap.storage import inputs
from fooldeap.storage.files import remove_leftovers, write_whole
from fooldeap.storage.lock import locked
from fooldeap.training.card import card, content_of, digest_of, tells_of, versions_of
from fooldeap.training.checkpoint import Checkpoint, State
from fooldeap.training.network import PREDICTED, build, in_a_line
from fooldeap.training.settings import Training, TrainingResult, checked, read_document

CHECKPOINT = ".training"  # ending of the file with the state of an unfinished training


def train(
    config_path: str | Path,
    overrides: Sequence[str] = (),
    out: str | Path | None = None,
    *,
    progress: bool = True,
    plugins: Iterable[Any] = (),
    no_plugins: bool = False,
) -> TrainingResult | None:
    """Train the classifier that a YAML file describes, and write the model and its card; None if both exist already.

    Parameters
    ----------
    config_path
        The training file; its keys are the fields of `Training`.
    overrides
        ``key=value`` strings that replace keys of the file.
    out
        The model file to write, ending in ``.keras``; by default the name of the training in the current folder. The
        card has the same name, ending in ``.md``. During the training, a file ending in ``.training`` is the checkpoint
        from which an interrupted training resumes. Files of other trainings and other programs are not overwritten.
    progress
        Whether to show progress on stderr.
    plugins
        Files, folders or classes with more datasets, see `fooldeap.registry.load`.
    no_plugins
        Refuse a file that names plugins or commands.

    TensorFlow stays seeded and deterministic for the rest of the process.

    Raises
    ------
    InputError
        A key, a layer or a path is invalid, or another file exists at the path. Nothing was trained.
    """
    document = read_document(Path(config_path), overrides)
    options = Options(no_plugins=no_plugins)
    training, dataset = checked(document, config.registry_of(document, plugins, options))
    path = _writable(Path(out or f"{training.name}.keras"))
    remove_leftovers(path.parent)
    command = " ".join(["fooldeap train", _named(config_path), *overrides, "--out", _named(path)])
    data = loaded(dataset)
    with locked(path, f".{path.stem}.lock"):
        if _is_trained(training, data, path):
            _checkpoint(training, data, path).remove()  # a process that was killed at the very end leaves it
            return None
        _refuse_others(training, data, path)
        return train_on(data, training, path, document, command, progress=progress)


def train_on(
    data: Split, training: Training, path: Path, document: Document, command: str, *, progress: bool = True
) -> TrainingResult:
    """Train on loaded images, and write the model to ``path`` and its card beside it.

    ``document`` has the settings, for messages. ``command`` is the command that the card shows. The seed of TensorFlow
    belongs to the process, so one thread trains at a time.

    Raises
    ------
    InputError
        A training on this data cannot start.
    RunError
        Keras fails while the network is trained.
    """
    with _TRAINING:
        return _trained(data, training, path, document, command, progress=progress)


_TRAINING = threading.Lock()


def _trained(
    data: Split, training: Training, path: Path, document: Document, command: str, *, progress: bool
) -> TrainingResult:
    classes = _check_data(training, data, document)
    its_files = path.with_suffix(".md"), path
    from_before = [each for each in its_files if each.exists()]

    tf = tensorflow()
    import keras

    tf.config.experimental.enable_op_determinism()
    with preserved():  # Keras draws the seeds of the layers that it builds from the global generators
        keras.utils.set_random_seed(training.seed)
        model = build(training, data.train_images.shape[1:], classes, document)
    checkpoint = _checkpoint(training, data, path)
    with _naming_failures(training.name):
        epoch, validation_accuracy = _fit(model, training, data, checkpoint, progress)
    content = content_of(model)
    trained = TrainingResult(
        model=path,
        card=path.with_suffix(".md"),
        parameters=model.count_params(),
        epoch=epoch,
        validation_accuracy=validation_accuracy,
        test_accuracy=_accuracy(model, data.test_images, data.test_labels),
        sha256=hashlib.sha256(content).hexdigest(),
    )
    _refuse_existing(each for each in its_files if each not in from_before)
    write_whole(trained.card, card(trained, training, data, model, command).encode())
    write_whole(trained.model, content)
    checkpoint.remove()
    return trained


def refuse(training: Training, data: Split, document: Document) -> None:
    """Raise `InputError` if a training on this data cannot start; parameters as for `train_on`."""
    classes = _check_data(training, data, document)
    with preserved():
        build(training, data.train_images.shape[1:], classes, document)


def _is_trained(training: Training, data: Split, path: Path) -> bool:
    """Return whether this model exists and its card shows the same training, data and versions."""
    its_card = path.with_suffix(".md")
    if not (path.is_file() and its_card.is_file()):
        return False
    text = inputs.read(its_card, named=True).decode(errors="replace")
    return tells_of(text, inputs.digest_of(path, named=True), training, data)


def _refuse_others(training: Training, data: Split, path: Path) -> None:
    """Refuse to overwrite a model or a card, unless this training was interrupted while it wrote them."""
    if _checkpoint(training, data, path).read() is not None:
        return
    _refuse_existing((path, path.with_suffix(".md")))


def _refuse_existing(paths: Iterable[Path]) -> None:
    for path in paths:
        if path.exists():
            raise InputError(
                f"{path}: the file exists, and was not written by this training with these settings; "
                "choose another --out, or remove the file"
            )


def _checkpoint(training: Training, data: Split, path: Path) -> Checkpoint:
    """Return the checkpoint of a training; it belongs to one combination of settings, images and versions."""
    versions = ", ".join(f"{name} {version}" for name, version in versions_of().items())
    settings = json.dumps(asdict(training), sort_keys=True)
    belongs_to = {"settings": settings, "images": digest_of(data), "versions of its packages": versions}
    return Checkpoint(path.with_suffix(CHECKPOINT), belongs_to)


def _writable(path: Path) -> Path:
    if path.suffix != ".keras":
        raise InputError(f"--out {path}: expected a path ending in .keras")
    if not path.parent.is_dir():
        raise InputError(f"--out {path}: no folder {str(path.parent)!r}; create it first")
    return path


def _check_data(training: Training, data: Split, document: Document) -> int:
    """Return the number of classes; refuse settings that do not fit the images."""
    if training.validation >= len(data.train_images):
        raise document.error(
            ("validation",),
            f"got {training.validation}, expected fewer than the {len(data.train_images)} training images",
        )
    side = min(data.train_images.shape[1:3])
    if training.shift >= side:
        raise document.error(("shift",), f"got {training.shift}, expected less than the side of an image, {side}")
    return int(max(data.train_labels.max(), data.test_labels.max())) + 1


# --- Fitting ------------------------------------------------------------------------------------------------


def _fit(model: Any, training: Training, data: Split, checkpoint: Checkpoint, progress: bool) -> tuple[int, float]:
    """Train the model, set the weights of its best epoch, and return this epoch, from 1, and its validation accuracy.

    An epoch depends only on the variables, including those of Dropout, and on ``rng``. Every call of ``fit`` shuffles
    in the same way, whatever the process did before. So a training can resume after any epoch with the same bits.
    """
    import keras

    rng = np.random.default_rng(training.seed)
    held_out, kept = np.split(rng.permutation(len(data.train_images)), [training.validation])
    images, labels = data.train_images[kept], data.train_labels[kept]
    steps = math.ceil(len(kept) / training.batch_size)
    rate = keras.optimizers.schedules.CosineDecay(training.learning_rate, decay_steps=training.epochs * steps)
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", jit_compile=False)
    model.optimizer.build(model.trainable_variables)
    variables = [*model.variables, *model.optimizer.variables]

    state = checkpoint.read() or State(0, (-1.0, 0), rng.bit_generator.state, model.get_weights(), [])
    best, weights = state.best, state.weights
    rng.bit_generator.state = state.rng
    for variable, value in zip(variables, state.variables, strict=bool(state.epoch)):
        variable.assign(value)
    with _Progress(training, steps, state.epoch, progress) as shown_progress:
        watch = keras.callbacks.LambdaCallback(on_train_batch_end=shown_progress.batch)
        for epoch in range(state.epoch + 1, training.epochs + 1):
            moved = _shifted(images, training.shift, rng)
            model.fit(moved, labels, batch_size=training.batch_size, verbose=0, callbacks=[watch])
            accuracy = _accuracy(model, data.train_images[held_out], data.train_labels[held_out])
            if (accuracy, epoch) > best:  # the last of several best epochs
                best, weights = (accuracy, epoch), model.get_weights()
            values = [np.asarray(variable) for variable in variables]
            checkpoint.write(State(epoch, best, rng.bit_generator.state, weights, values))
            shown_progress.epoch(epoch, accuracy)
    model.set_weights(weights)
    return best[1], best[0]


@contextlib.contextmanager
def _naming_failures(name: str) -> Iterator[None]:
    """Convert an error of Keras or TensorFlow to one line."""
    try:
        yield
    except FooldeapError:
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {in_a_line(error)}"
        raise RunError(f"training {name!r} failed ({reason}); change its layers") from error


def _shifted(images: Images, most: int, rng: Rng) -> Images:
    """Move each image by up to ``most`` pixels in each direction; new pixels at the border are 0."""
    if not most:
        return images
    count, height, width = images.shape[:3]
    down, right = rng.integers(0, 2 * most + 1, (2, count, 1, 1))
    rows = down + np.arange(height)[None, :, None]
    columns = right + np.arange(width)[None, None, :]
    padded = np.pad(images, ((0, 0), (most, most), (most, most), (0, 0)))
    moved: Images = padded[np.arange(count)[:, None, None], rows, columns]
    return moved


def _accuracy(model: Any, images: Images, labels: NDArray[Any]) -> float:
    predicted = model.predict(images, batch_size=PREDICTED, verbose=0).argmax(axis=1)
    return float((predicted == labels).mean())


class _Progress:
    """Progress on stderr: a bar on a terminal, otherwise one line per epoch."""

    def __init__(self, training: Training, steps: int, done: int, wanted: bool) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._console = Console(stderr=True, quiet=not wanted, highlight=False)
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._epochs = training.epochs
        total, completed = training.epochs * steps, done * steps
        self._task = self._bar.add_task(f"training {training.name}", total=total, completed=completed)

    def __enter__(self) -> "_Progress":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def batch(self, *_: object, **__: object) -> None:
        self._bar.advance(self._task)

    def epoch(self, epoch: int, accuracy: float) -> None:
        self._console.print(f"epoch {epoch} of {self._epochs}: validation accuracy {accuracy:.4f}")


# --- Paths in the card --------------------------------------------------------------------------------------


def _named(path: str | Path) -> str:
    """Return a path as the model card shows it; of an absolute path only the name, because machines differ."""
    return Path(path).name if Path(path).is_absolute() else Path(path).as_posix()
