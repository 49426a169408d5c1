"""How far a training has come: a file that is whole and checked, from which it goes on to the same bytes.

The SHA-256 of the rest, in hexadecimal; a line of JSON; and all arrays as an ``.npz`` file, without pickles.
"""

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from fooldeap.errors import InputError
from fooldeap.storage import npz
from fooldeap.storage.files import remove, write_whole
from fooldeap.storage.inputs import parsed, read

Arrays = Sequence[NDArray[Any]]


@dataclass(frozen=True)
class State:
    """What there was after an epoch.

    Parameters
    ----------
    epoch : how many are done
    best : the highest validation accuracy and its epoch, and ``weights`` then
    variables : of the model, of the optimizer, in their order
    rng : the state of the generator that moves images
    """

    epoch: int
    best: tuple[float, int]
    rng: Mapping[str, Any]
    weights: Arrays
    variables: Arrays


class Checkpoint:
    """The file of a training.

    Parameters
    ----------
    path : of the file
    belongs_to : by name, what decides the bytes that the training ends in
    """

    def __init__(self, path: Path, belongs_to: Mapping[str, str]) -> None:
        self.path, self._belongs_to = path, dict(belongs_to)

    def read(self) -> State | None:
        """Return the last state, None where there is none; raise `InputError` where it is no use here."""
        if not self.path.exists():
            return None
        try:
            said, arrays = _unpacked(read(self.path))
            belongs_to = dict(said["belongs_to"])
            state = State(
                int(said["epoch"]),
                (float(said["best"][0]), int(said["best"][1])),
                said["rng"],
                [arrays[f"weights-{index}"] for index in range(said["weights"])],
                [arrays[f"variables-{index}"] for index in range(said["variables"])],
            )
        except (ValueError, KeyError, TypeError, IndexError, BadZipFile):
            raise InputError(f"{self.path}: is damaged; remove it, and the training begins anew") from None
        changed = [name for name, each in self._belongs_to.items() if belongs_to.get(name) != each]
        if changed:
            raise InputError(
                f"{self.path}: is of a training with other {' and '.join(changed)}; "
                "go on with what it was begun with, or remove it, and the training begins anew"
            )
        return state

    def write(self, state: State) -> None:
        """Replace the state before."""
        said = {
            "belongs_to": self._belongs_to,
            "epoch": state.epoch,
            "best": state.best,
            "rng": state.rng,
            "weights": len(state.weights),
            "variables": len(state.variables),
        }
        arrays = {f"weights-{index}": each for index, each in enumerate(state.weights)}
        arrays |= {f"variables-{index}": each for index, each in enumerate(state.variables)}
        packed = io.BytesIO()
        np.savez(packed, **arrays)  # type: ignore[arg-type]
        rest = json.dumps(said).encode() + b"\n" + packed.getvalue()
        write_whole(self.path, _digest(rest) + b"\n" + rest)

    def remove(self) -> None:
        """Remove the file: the training is done."""
        remove(self.path)


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()


def _unpacked(content: bytes) -> tuple[Any, dict[str, NDArray[Any]]]:
    digest, _, rest = content.partition(b"\n")
    if digest != _digest(rest):
        raise ValueError("it is not as it was written")
    said, _, packed = rest.partition(b"\n")
    with npz.opened(io.BytesIO(packed)) as arrays:
        return parsed(said), dict(arrays)
