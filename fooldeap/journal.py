"""What the classifier answered, append-only: a run is started again from its seed and answered from here.

A file is a sequence of records, each ``length uint32 | crc32 uint32 | kind 1 byte | body``, little-endian, the checksum
over kind and body. Kinds: ``H``, what the journal belongs to, JSON; ``A``, an answer: digest of the batch's images (16
bytes), rows and classes (uint32 each), logits float32 of the images newly shown, then gradients float32 if any were
asked for; ``E``, an end that cannot be computed again (the clock), its reason as text.

A record that the end of the file cuts short is what a killed process leaves: it is cut off, and evaluated again to the
same bits. A damaged record with others behind it is an error.
"""

import fcntl
import json
import math
import struct
import time
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from fooldeap.errors import InputError

_HEAD = struct.Struct("<II")
_ANSWER = struct.Struct("<16sII")
_LONGEST_HEADER = 65_536  # bytes
WRITE_SECONDS = 0.1  # between two writes
LOCK_TRIES = 50
_LOCK_PAUSE = 0.1  # seconds
_FLOAT = np.dtype("<f4")


@dataclass(frozen=True)
class Answer:
    """What the classifier said to the new images of one batch."""

    digest: bytes
    logits: NDArray[np.float32]
    gradient: NDArray[np.float32] | None = None


class Journal:
    """The journal of one run: first it is read to its end, then it is written."""

    def __init__(self, path: Path, belongs_to: dict[str, Any]) -> None:
        self.path = path
        self._ahead: tuple[bytes, bytes] | None = None
        self._replaying = True
        self._waiting, self._written = bytearray(), -math.inf
        self._file: BinaryIO = path.open("r+b" if path.exists() else "x+b", buffering=0)
        try:
            self._lock()
            self._open(belongs_to)
        except BaseException:
            self.close()
            raise

    @property
    def replaying(self) -> bool:
        """Whether there are records left to read."""
        return self._peek() is not None

    def next_answer(self) -> Answer | None:
        """Return the next recorded answer, or None where the journal goes no further."""
        found = self._peek()
        if found is None or found[0] != b"A":
            return None
        self._ahead = None
        return _decode(found[1])

    def recorded_end(self) -> str | None:
        """Return the reason, where the run was ended by the clock at this point."""
        found = self._peek()
        return found[1].decode() if found is not None and found[0] == b"E" else None

    def write_answer(self, answer: Answer) -> None:
        """Append an answer, to be written soon: a killed process loses the last moment, and perhaps tears a record."""
        rows, classes = answer.logits.shape
        parts = [
            _ANSWER.pack(answer.digest, rows, classes),
            answer.logits.astype(_FLOAT, copy=False).tobytes(),
        ]
        if answer.gradient is not None:
            parts.append(answer.gradient.astype(_FLOAT, copy=False).tobytes())
        self._append(b"A", b"".join(parts))

    def write_end(self, reason: str) -> None:
        """Append an end that a replay could not compute."""
        self._append(b"E", reason.encode())

    def close(self) -> None:
        """Write what is waiting, and close the file."""
        try:
            self._write()
        finally:
            self._file.close()

    def _open(self, belongs_to: dict[str, Any]) -> None:
        found = self._peek()
        if found is None:
            self._append(b"H", json.dumps(belongs_to, sort_keys=True).encode())
            return
        self._ahead = None
        self._check_belonging(found, belongs_to)

    def _lock(self) -> None:
        """Keep other processes out; one that is about to end, after its root was killed, gets the time to."""
        for _ in range(LOCK_TRIES):
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                time.sleep(_LOCK_PAUSE)
            else:
                return
        raise InputError(f"{self.path}: another process works on it; wait until that ends, or end it")

    def _append(self, kind: bytes, body: bytes) -> None:
        payload = kind + body
        self._waiting += _HEAD.pack(len(payload), zlib.crc32(payload)) + payload
        if time.monotonic() - self._written >= WRITE_SECONDS:
            self._write()

    def _write(self) -> None:
        waiting, self._waiting = memoryview(self._waiting), bytearray()
        while waiting:  # a write may be short
            waiting = waiting[self._file.write(waiting) :]
        self._written = time.monotonic()

    def _peek(self) -> tuple[bytes, bytes] | None:
        if self._ahead is None and self._replaying:
            self._ahead = self._read()
            self._replaying = self._ahead is not None
        return self._ahead

    def _read(self) -> tuple[bytes, bytes] | None:
        start = self._file.tell()
        head = self._file.read(_HEAD.size)
        if len(head) == _HEAD.size:
            length, checksum = _HEAD.unpack(head)
            payload = self._file.read(length) if length <= self._size() - start else b""
            if len(payload) == length > 0 and zlib.crc32(payload) == checksum:
                return payload[:1], payload[1:]
            torn = start + _HEAD.size + length >= self._size() or self._only_zeros(start)
            if not torn or (start == 0 and self._size() > _LONGEST_HEADER):
                raise InputError(f"{self.path}: damaged at byte {start}; restore the file from a copy, or start anew")
        self._file.truncate(start)
        self._file.seek(start)
        return None

    def _only_zeros(self, start: int) -> bool:
        """Tell whether nothing but zeros follows, as some file systems leave it after a power cut."""
        self._file.seek(start)
        return not self._file.read().strip(b"\0")

    def _size(self) -> int:
        return self.path.stat().st_size

    def _check_belonging(self, found: tuple[bytes, bytes], belongs_to: dict[str, Any]) -> None:
        written = json.loads(found[1]) if found[0] == b"H" else {}
        for key, value in belongs_to.items():
            if written.get(key) != value:
                raise InputError(
                    f"{self.path}: was written with another {key} ({written.get(key)!r}, now {value!r}); "
                    "resume with what it was started with, or start a new run"
                )


def _decode(body: bytes) -> Answer:
    digest, rows, classes = _ANSWER.unpack_from(body)
    floats = np.frombuffer(body, _FLOAT, offset=_ANSWER.size)
    logits, rest = floats[: rows * classes], floats[rows * classes :]
    gradient = rest.reshape(rows, -1) if len(rest) else None
    return Answer(digest, logits.reshape(rows, classes), gradient)
