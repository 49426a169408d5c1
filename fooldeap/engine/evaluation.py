"""Evaluation: find the images that are new to a run, and ask the classifier about those of many runs in one batch."""

import contextlib
import functools
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np
import xxhash
from numpy.typing import NDArray

from fooldeap.contract_checks import described
from fooldeap.contracts import confidence_kind_of
from fooldeap.engine.query_log import Queries, QueryLog, Row
from fooldeap.engine.timeout import TimeLimit
from fooldeap.errors import FooldeapError, InputError, PluginError
from fooldeap.plugin import Array, Classifier, Images

T = TypeVar("T")

GRADIENT_ROWS = 16  # images in a pass that computes gradients
ROWS = 32  # batches are usually padded to a multiple of it: most networks give a row the same bits in all such batches
ALIGNMENT = 64  # bytes; every slice of 32 images then starts at a multiple of it, too
MOST_ROWS = 2048
USUAL_ROWS = 1024
MOST_VALUES = 10_000_000  # of one forward pass; limits the memory that large images need


@dataclass(frozen=True)
class Rows:
    """Some rows of a batch of images, not copied yet."""

    images: Images
    rows: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.rows)


DependsOn = Literal["image", "batch", "chance"]
Query = tuple[Any, ...]  # the name of a method of a classifier, a chunk of images, and other arguments


class Evaluator:
    """Asks the classifier for logits and gradients of images, in chunks, and counts the images.

    Parameters
    ----------
    classifier : the model
    limit : the time limit of its calls, and the name of its plugin
    ask : a function from queries to their answers, in order; it may use other processes. None: use this process
    shares : minimum number of parts of a batch, for as many workers

    Attributes
    ----------
    rows : number of images in the largest chunk, a multiple of 32; does not change answers that depend on the image
        only
    depends_on : what the answer to an image depends on, see `fooldeap.engine.calibration.Calibration`
    queries : number of images shown to the classifier, by reason. A ``billable`` classifier, such as a paid service, is
        only shown images of runs
    """

    def __init__(
        self,
        classifier: Classifier,
        limit: TimeLimit | None = None,
        ask: Callable[[list[Query]], Iterable[Array]] | None = None,
        shares: int = 1,
    ) -> None:
        self.classifier, self._limit = classifier, limit or TimeLimit("the classifier")
        self._name = self._limit.name
        self._ask = ask or (lambda queries: itertools.starmap(self._call, queries))
        self.shares = shares
        self.queries = Queries()
        self._log: QueryLog | Row | None = None
        self.billable = bool(getattr(classifier, "billable", False))
        self.depends_on: DependsOn = "image"
        self._lent = aligned((0, *classifier.input_shape))
        values = int(np.prod(classifier.input_shape))
        self.most_rows = max(ROWS, min(MOST_ROWS, MOST_VALUES // values // ROWS * ROWS))
        self.rows = min(USUAL_ROWS, self.most_rows)

    @functools.cached_property
    def confidence_kind(self) -> str:
        """How the confidence follows from the logits, see `fooldeap.contracts.log_confidences`."""
        return confidence_kind_of(self.classifier)

    def record(self, log: QueryLog | Row | None) -> None:
        """Record queries in a log from now on. None stops recording and resets the counts."""
        before, self._log = self._log, log
        if before is not None:
            queries, self.queries = self.queries, Queries()
            before.write(queries)

    @contextlib.contextmanager
    def _query(self, images: int) -> Iterator[None]:
        """Count images as uncertain until the classifier has answered."""
        self.queries.uncertain += images
        if self._log is not None:
            self._log.write(self.queries)
        yield
        self.queries.uncertain -= images

    def split(self, batches: Sequence[tuple[T, Rows]]) -> Iterator[list[tuple[T, Rows]]]:
        """Split batches, each with a key, into queries.

        All batches are one query. A query to a billable classifier has at most `rows` images, so that each answer can
        be stored before the next query.
        """
        if not self.billable:
            yield list(batches)
            return
        query: list[tuple[T, Rows]] = []
        for key, batch in batches:
            for start in range(0, max(1, len(batch)), self.rows):
                part = Rows(batch.images, batch.rows[start : start + self.rows])
                if query and sum(len(rows) for _, rows in query) + len(part) > self.rows:
                    yield query
                    query = []
                query.append((key, part))
        if query:
            yield query

    def logits(self, batches: Sequence[Images | Rows]) -> list[NDArray[np.float32]]:
        """Return the logits float32 (n, classes) of each batch of images. All batches share forward passes."""
        ends = list(itertools.accumulate(map(len, batches), initial=0))
        count = ends[-1]
        if count == 0:
            return [np.empty((0, self.classifier.classes), np.float32) for _ in batches]
        missing = 0 if self.billable else -count % self.multiple
        padded = self._together(batches, count + missing)
        multiple = max(ROWS, self.multiple)
        rows = min(self.rows, math.ceil(len(padded) / self.shares / multiple) * multiple)
        chunks = [padded[start : start + rows] for start in range(0, len(padded), rows)]
        answers = []
        with self._query(len(padded)):
            for chunk, answer in zip(chunks, self._ask([("logits", chunk) for chunk in chunks]), strict=True):
                answers.append(self._checked(answer, chunk))
        self.queries.classifier += count
        self.queries.padding += missing
        logits = answers[0] if len(answers) == 1 else np.concatenate(answers)
        return [logits[start:end] for start, end in itertools.pairwise(ends)]

    def probe_logits(self, images: Images) -> NDArray[np.float32]:
        """Return the logits of images that do not belong to a run. They count as probes."""
        (logits,) = self.logits([images])
        self.queries.classifier -= len(images)
        self.queries.probes += len(images)
        return logits

    def probe_features(self, images: Images) -> NDArray[np.float32] | None:
        """Return the features of images, float32 (n, d), or None if the classifier has none. They count as probes."""
        if getattr(self.classifier, "features", None) is None:
            return None
        found = []
        for start in range(0, len(images), self.rows):
            chunk = images[start : start + self.rows]
            with self._query(len(chunk)):
                features = self._call("features", chunk)
            if features is None:
                return None
            self.queries.probes += len(chunk)
            found.append(features)
        return np.concatenate(found)

    def answers_black(self) -> bool:
        """Return whether the classifier answers black images."""
        try:
            self.probe_logits(np.zeros((ROWS, *self.classifier.input_shape), np.uint8))
        except PluginError:
            return False
        return True

    def _together(self, batches: Sequence[Images | Rows], count: int) -> Images:
        """Return all images in one array, padded with black images. The array is valid until the next call."""
        if len(self._lent) < count:
            self._lent = aligned((count, *self.classifier.input_shape))
        start = 0
        for batch in batches:
            whole = self._lent[start : start + len(batch)]
            if isinstance(batch, Rows):
                batch.images.take(batch.rows, axis=0, out=whole, mode="clip")  # other modes make a copy first
            else:
                whole[:] = batch
            start += len(batch)
        self._lent[start:count] = 0
        return self._lent[:count]

    def gradients(self, batches: Sequence[tuple[Rows, int]]) -> list[NDArray[np.float32]]:
        """Return the gradient of log p(target) with respect to the images, for batches with their targets.

        Each gradient is float32 and has the shape of the images. The batches share passes, see `shares_gradients`.
        """
        if getattr(self.classifier, "gradient", None) is None:
            raise InputError(
                "the algorithm asks for gradients, which this classifier does not have; leave 'algorithm' out, the "
                "default needs none"
            )
        if not batches:
            return []
        images = [batch.images[batch.rows] for batch, _ in batches]
        targets = [np.full(len(batch), target) for batch, target in batches]
        if not self.shares_gradients:
            return [self._gradient(*each) for each in zip(images, targets, strict=True)]
        ends = np.cumsum([len(each) for each in images])[:-1]
        return np.split(self._gradient(np.concatenate(images), np.concatenate(targets)), ends)

    def _gradient(self, images: Images, targets: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the gradient for one target for each image. Passes that runs share have a fixed size."""
        count, size = len(images), self._gradient_rows if self.shares_gradients else self.rows
        missing = -count % size if self.shares_gradients else 0
        padded = np.concatenate([images, np.zeros((missing, *images.shape[1:]), np.uint8)])
        classes = np.concatenate([targets, np.zeros(missing, targets.dtype)])
        parts = [slice(start, start + size) for start in range(0, len(padded), size)]
        found = np.empty(padded.shape, np.float32)
        with self._query(len(padded)):
            answers = self._ask([("gradient", padded[part], classes[part]) for part in parts])
            for part, answer in zip(parts, answers, strict=True):
                found[part] = self._checked_gradient(answer, padded[part].shape)
        self.queries.gradients += count
        self.queries.padding += missing
        return found[:count]

    @functools.cached_property
    def shares_gradients(self) -> bool:
        """Whether images of several runs can share a pass: the bits of a gradient depend only on its image and target.

        This is tried with two passes. If it is not so, each run has passes of its own, without padding.
        """
        if self.depends_on != "image" or self.billable:
            return False
        rng = np.random.default_rng(3)
        rows = self._gradient_rows
        images = rng.integers(0, 256, (rows, *self.classifier.input_shape), dtype=np.uint8)
        targets, order = np.arange(rows) % self.classifier.classes, rng.permutation(rows)
        try:
            with self._query(2 * rows):
                first = self._checked_gradient(self._call("gradient", images, targets), images.shape)
                second = self._checked_gradient(self._call("gradient", images[order], targets[order]), images.shape)
        except FooldeapError:
            return False  # if it also fails on images of a run, this run reports it
        self.queries.probes += 2 * rows
        return np.array_equal(first[order], second)

    def _checked_gradient(self, found: Array, shape: tuple[int, ...]) -> NDArray[np.float32]:
        valid = isinstance(found, np.ndarray) and found.dtype == np.float32 and found.shape == shape
        if not valid or not np.isfinite(found).all():
            raise PluginError(f"{self._name} returned a gradient {described(found)}, expected finite float32 {shape}")
        return found

    @functools.cached_property
    def multiple(self) -> int:
        """Batches are padded to a multiple of it. A classifier with passes of a fixed size needs no other padding.

        Calibration may set a larger one.
        """
        return min(ROWS, self._batch_size or ROWS)

    @functools.cached_property
    def _gradient_rows(self) -> int:
        return self._batch_size or GRADIENT_ROWS

    @property
    def _batch_size(self) -> int | None:
        return getattr(self.classifier, "batch_size", None)

    @property
    def keeps_gradients(self) -> bool:
        """Whether a resumed run cannot ask for a gradient again: it costs money, or the answer would be another one."""
        return self.billable or self.depends_on == "chance"

    def probe(self, images: Images) -> Array:
        """Return the logits of one unpadded batch. The images count as probes.

        Raises
        ------
        InputError
            The logits are not finite.
        """
        with self._query(len(images)):
            logits = self._call("logits", images)
        self.queries.probes += len(images)
        return self._checked(logits, images, InputError)

    def _call(self, method: str, images: Images, *more: Any) -> Any:
        """Call the classifier in this process."""
        return self._limit.call(len(images), getattr(self.classifier, method), images, *more)

    def _checked(self, logits: Array, images: Images, fault: type[FooldeapError] = PluginError) -> Array:
        expected = (len(images), self.classifier.classes)
        if not isinstance(logits, np.ndarray) or logits.shape != expected or logits.dtype != np.float32:
            raise PluginError(f"{self._name} returned {described(logits)}, expected float32 {expected}{_cure(logits)}")
        if not np.isfinite(logits).all():
            count = np.count_nonzero(~np.isfinite(logits).all(axis=1))
            cure = "; does the model overflow on noise?" if fault is InputError else ""  # InputError: before a run
            raise fault(
                f"{self._name} returned NaN or infinity for {count} of {len(images)} images, expected finite "
                f"logits{cure}"
            )
        return logits


def _cure(logits: Any) -> str:
    plain = isinstance(logits, np.ndarray) and logits.dtype.kind == "f"
    return "; return logits.astype(numpy.float32)" if plain and logits.dtype != np.float32 else ""


def aligned(shape: tuple[int, ...]) -> Images:
    """Return an array of images whose bytes start at a multiple of 64, so that TensorFlow uses it without a copy."""
    size = math.prod(shape)
    raw = np.empty(size + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + size].reshape(shape)


@dataclass(frozen=True)
class Batch:
    """A batch of images: which rows are new to the run, and where the answer of every row is stored.

    ``sources`` are indices into the rows of the previous batch, if it is cached, followed by the rows of this batch.
    """

    images: Images
    digests: list[bytes]
    sources: NDArray[np.intp]
    new: NDArray[np.intp]

    @property
    def digest(self) -> bytes:
        """Identify the images of the whole batch, 16 bytes."""
        return xxhash.xxh3_128_digest(b"".join(self.digests))

    def cut(self, left: int) -> "Batch":
        """Return the leading rows that contain at most ``left`` new images."""
        if len(self.new) <= left:
            return self
        rows = int(self.new[left])
        return Batch(self.images[:rows], self.digests[:rows], self.sources[:rows], self.new[:left])


class Cache:
    """The cache of a run: the images of its last batch by digest.

    An image of the current or the previous batch is not evaluated again. It is evaluated again if it returns later, or
    if the algorithm asks for gradients and the previous batch has none.
    """

    def __init__(self) -> None:
        self._places: dict[bytes, int] = {}
        self._logits: Array | None = None
        self._gradient: Array | None = None

    def lookup(self, images: Images, *, gradient: bool = False) -> Batch:
        """Find the new rows: images that occur neither earlier in this batch nor in the previous batch."""
        if gradient and self._gradient is None:
            self._forget()
        digests = row_digests(images)
        places, remembered = dict(self._places), 0 if self._logits is None else len(self._logits)
        # Each distinct image gets the next place. This is faster than any loop in Python.
        sources = np.fromiter(map(places.setdefault, digests, itertools.count(remembered)), np.intp, len(digests))
        new = np.flatnonzero(sources == np.arange(remembered, remembered + len(digests)))
        return Batch(images, digests, sources, new)

    def answer(self, batch: Batch, logits: Array, gradient: Array | None) -> tuple[Array, Array | None]:
        """Cache the answers to the new rows, and return logits and gradient of every row of the batch."""
        self._logits = _gathered(self._logits, logits, batch)
        self._gradient = None if gradient is None else _gathered(self._gradient, gradient, batch)
        # Equal images have equal answers, so the last of equal rows represents all of them.
        self._places = dict(zip(batch.digests, range(len(batch.digests)), strict=True))
        return self._logits, self._gradient

    def _forget(self) -> None:
        self._places, self._logits, self._gradient = {}, None, None


def row_digests(batch: Array) -> list[bytes]:
    """Return a digest of the bytes of each row, 16 bytes."""
    return list(map(xxhash.xxh3_128_digest, _rows(batch)))


def _rows(batch: Array) -> Iterable[memoryview]:
    """Yield a view of the bytes of each row; faster than iterating over the array."""
    whole = memoryview(np.ascontiguousarray(batch).reshape(-1).view(np.uint8))  # type: ignore[arg-type]
    return map(whole.__getitem__, _slices(len(batch), math.prod(batch.shape[1:]) * batch.itemsize))


@functools.lru_cache(maxsize=16)
def _slices(count: int, size: int) -> list[slice]:
    return [slice(start, start + size) for start in range(0, count * size, size)]


def _gathered(before: Array | None, new: Array, batch: Batch) -> Array:
    own = np.empty((len(batch.digests), *new.shape[1:]), new.dtype)
    own[batch.new] = new
    return (own if before is None else np.concatenate([before, own]))[batch.sources]
