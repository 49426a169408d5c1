"""The journal of a run: the answers of the classifier. A resumed run replays it.

Records are appended. Only the last answer can be replaced, by a longer one, if a smaller budget had cut its batch.

A file is a sequence of records, each ``length uint32 | crc32 uint32 | kind 1 byte | body``, little-endian. The checksum
covers kind and body. Kinds:

- ``H``, the header: what the journal belongs to, JSON
- ``A``, an answer: digest of the batch's images (16 bytes), rows and classes (uint32 each), logits float32 of the
  new images, then gradients float32 if they cannot be computed again
- ``P``, part of an answer: like ``A``, with the rows of one query; an ``A`` with the other rows follows, perhaps none
- ``E``, a stop that a replay cannot compute (by the clock): its reason as text

A killed process leaves an incomplete last record. It is removed, and its images are evaluated again with bit-identical
results. A damaged last answer is handled in the same way. Any other damage is an error when the file is opened: damage
before other records, and damage of a stop, which cannot be computed again.
"""

import fcntl
import json
import math
import re
import struct
import time
import zlib
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fooldeap.errors import InputError
from fooldeap.storage.files import Appended
from fooldeap.storage.inputs import parsed

_HEAD = struct.Struct("<II")
_ANSWER = struct.Struct("<16sII")
_LONGEST_HEADER = 65_536  # bytes
WRITE_SECONDS = 0.1  # between two writes
LOCK_TRIES = 50
_LOCK_PAUSE = 0.1  # seconds
_FLOAT = np.dtype("<f4")


@dataclass(frozen=True)
class Answer:
    """The classifier's answer to the new images of one batch, or to the first of them if not ``complete``."""

    digest: bytes
    logits: NDArray[np.float32]
    gradient: NDArray[np.float32] | None = None  # of all new images, one row each
    complete: bool = True


class Journal:
    """The journal of one run. It is first read to its end, and then written.

    Parameters
    ----------
    path : the file
    belongs_to : what the journal belongs to, by name
    earlier : digests of the experiment before it was extended, which the journal may belong to, too
    anyway : whether to continue a journal that belongs to something else
    at_once : whether each answer is on the disk before `write_answer` returns; otherwise a killed process loses the
        answers of the last tenth of a second

    Raises
    ------
    InputError
        The journal is damaged, belongs to something else, or another process uses it.
    """

    def __init__(
        self,
        path: Path,
        belongs_to: dict[str, Any],
        *,
        earlier: Collection[str] = (),
        anyway: bool = False,
        at_once: bool = False,
    ) -> None:
        self.path, self._earlier, self._anyway, self._at_once = path, earlier, anyway, at_once
        self._answer_at = 0  # where the last answer starts
        self._continued: NDArray[np.float32] | None = None
        self._waiting, self._written = bytearray(), -math.inf
        self._worth = False  # whether it has more than its header; a header alone is not worth waiting for the disk
        self._file = Appended(path)
        try:
            self._lock()
            self._place = self._end = 0  # the reading position, and the end of the complete records
            self._check()
            self._open(belongs_to)
        except BaseException:
            self.close()
            raise

    @property
    def replaying(self) -> bool:
        """Whether there are records left to read."""
        return self._place < self._end

    def next_answer(self) -> Answer | None:
        """Return the next recorded answer, or None after the last one.

        Raises
        ------
        InputError
            The record is invalid.
        """
        try:
            return self._next_answer()
        except (struct.error, ValueError):  # the checksum is right, so the record was forged
            raise self._damaged(self._place) from None

    def _next_answer(self) -> Answer | None:
        parts = list[Answer]()
        while (record := self._peek())[:1] in (b"A", b"P"):
            if not parts:
                self._answer_at = self._place
            parts.append(_decode(record))
            self._place += _HEAD.size + len(record)
            if parts[-1].complete:
                break
        if not parts:
            return None
        if any(part.digest != parts[0].digest for part in parts):
            raise ValueError("the parts of an answer belong to different batches")
        logits = parts[0].logits if len(parts) == 1 else np.concatenate([part.logits for part in parts])
        last = parts[-1]
        gradient = None if last.gradient is None else last.gradient.reshape(len(logits), -1)
        return Answer(last.digest, logits, gradient, last.complete)

    def recorded_end(self) -> str | None:
        """Return the recorded stop reason at this point, or None."""
        record = self._peek()
        return record[1:].decode(errors="replace") if record[:1] == b"E" else None

    def continue_last(self, logits: NDArray[np.float32]) -> None:
        """Let the next answer replace the last one that was read. ``logits`` are its first rows.

        A smaller budget had cut the batch of the last answer. It stays in the file until the next answer is written.
        """
        self._continued = logits

    def write_answer(self, answer: Answer) -> None:
        """Append an answer."""
        continues, self._continued = self._continued, None
        if continues is not None:
            answer = replace(answer, logits=np.concatenate([continues, answer.logits]))
            self._file.cut(self._answer_at)
        rows, classes = answer.logits.shape
        parts = [
            _ANSWER.pack(answer.digest, rows, classes),
            answer.logits.astype(_FLOAT, copy=False).tobytes(),
        ]
        if answer.gradient is not None:
            parts.append(answer.gradient.astype(_FLOAT, copy=False).tobytes())
        self._append(b"A" if answer.complete else b"P", b"".join(parts))
        if self._at_once or continues is not None:
            self._write()
            self._file.sync()

    def write_end(self, reason: str) -> None:
        """Append a stop that a replay cannot compute."""
        self._append(b"E", reason.encode())

    def close(self) -> None:
        """Write all waiting records, sync them to the disk, and close the file."""
        try:
            self._write()
            if self._worth:
                self._file.sync()
        finally:
            self._file.close()

    def _open(self, belongs_to: dict[str, Any]) -> None:
        header = self._peek()
        if not header:
            self._append(b"H", json.dumps(belongs_to, sort_keys=True).encode())
            return
        self._place = _HEAD.size + len(header)
        if not self._anyway:
            self._check_belonging(header[1:], belongs_to)

    def _lock(self) -> None:
        """Lock the journal against other processes. Wait up to five seconds for a process that is about to end."""
        for _ in range(LOCK_TRIES):
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(_LOCK_PAUSE)
            except OSError:
                return  # a file system without locks; the folder has its own lock
            else:
                return
        raise InputError(f"{self.path}: in use by another process; wait until it ends, or end it")

    def _append(self, kind: bytes, body: bytes) -> None:
        self._worth = self._worth or kind != b"H"
        payload = kind + body
        self._waiting += _HEAD.pack(len(payload), zlib.crc32(payload)) + payload
        if time.monotonic() - self._written >= WRITE_SECONDS:
            self._write()

    def _write(self) -> None:
        waiting, self._waiting = bytes(self._waiting), bytearray()
        if waiting:
            self._file.append(waiting)
        self._written = time.monotonic()

    def _peek(self) -> bytes:
        """Return kind and body of the next record, or nothing after the last one."""
        if not self.replaying:
            return b""
        record = self._payload(self._place)
        if record is None:  # it was complete when the journal was opened
            raise self._damaged(self._place)
        return record

    def _check(self) -> None:
        """Find the end of the complete records, and remove an incomplete last record.

        Raises
        ------
        InputError
            The file is damaged in another way.
        """
        end = 0
        while (payload := self._payload(end)) is not None:
            if payload[:1] not in ((b"A", b"P", b"E") if end else (b"H",)):
                raise self._damaged(end)
            end += _HEAD.size + len(payload)
        rest = self._file.read(self._file.size - end, end)
        if not _is_torn(rest, first=end == 0):
            raise self._damaged(end)
        self._file.cut(end)
        self._end = end

    def _damaged(self, place: int) -> InputError:
        cure = "restore it from a copy, or remove it to repeat the run"
        return InputError(f"{self.path}: damaged at byte {place}; {cure}")

    def _payload(self, start: int) -> bytes | None:
        """Return kind and body of the record at an offset, or None if the record is incomplete."""
        head = self._file.read(_HEAD.size, start)
        if len(head) < _HEAD.size:
            return None
        length, checksum = _HEAD.unpack(head)
        if not 0 < length <= self._file.size - start - _HEAD.size:
            return None
        payload = self._file.read(length, start + _HEAD.size)
        return payload if zlib.crc32(payload) == checksum else None

    def _check_belonging(self, header: bytes, belongs_to: dict[str, Any]) -> None:
        try:
            written = dict(parsed(header))
        except (ValueError, TypeError):  # the checksum is right, so the header was forged
            raise self._damaged(0) from None
        for key, value in belongs_to.items():
            if written.get(key) != value and not (key == "experiment" and written.get(key) in self._earlier):
                raise InputError(
                    f"{self.path}: {key} has changed (was {written.get(key)!r}, is {value!r}); "
                    "restore it, or start a new run"
                )


def without_header(content: bytes) -> bytes:
    """Return the content of an undamaged journal without its first record."""
    return content[_HEAD.size + _HEAD.unpack_from(content)[0] :]


def _is_torn(rest: bytes, *, first: bool) -> bool:
    """Return whether the rest of a file may be removed: it contains no complete record."""
    if not rest.strip(b"\0") or not rest[_HEAD.size :].strip(b"\0"):
        return True  # some file systems leave zeros after a power cut
    if first and (len(rest) > _LONGEST_HEADER or rest[_HEAD.size :][:1] != b"H"):
        return False  # not a journal
    starts = (kind.start() - _HEAD.size for kind in re.finditer(b"[APE]", rest))
    return not _is_end(rest) and not any(_begins(rest, start) for start in starts if start > 0)


def _is_end(rest: bytes) -> bool:
    """Return whether a damaged record was a stop, and not an incomplete answer."""
    length, checksum = _HEAD.unpack_from(rest)
    payload = rest[_HEAD.size :]
    if zlib.crc32(payload) == checksum:  # the damage is in the length
        return payload[:1] == b"E"
    if payload.endswith(b"\0"):  # its last bytes never reached the disk
        return False
    return bool(length == len(payload) and (payload[:1] == b"E" or length <= _ANSWER.size))


def _begins(rest: bytes, start: int) -> bool:
    """Return whether a complete record starts at an offset."""
    length, checksum = _HEAD.unpack_from(rest, start)
    payload = rest[start + _HEAD.size :][:length] if length <= len(rest) else b""
    return bool(len(payload) == length > 0 and zlib.crc32(payload) == checksum)


def _decode(record: bytes) -> Answer:
    kind, body = record[:1], record[1:]
    digest, rows, classes = _ANSWER.unpack_from(body)
    floats = np.frombuffer(body, _FLOAT, offset=_ANSWER.size)
    logits, rest = floats[: rows * classes], floats[rows * classes :]
    return Answer(digest, logits.reshape(rows, classes), rest if len(rest) else None, kind == b"A")
