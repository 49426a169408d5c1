"""Checkpoints of trainings: a training that resumes from its checkpoint gives the same bytes as without interruption.

A checkpoint file is written completely or not at all. Its first line is the SHA-256 of the rest in hexadecimal. A line
of JSON follows, then all arrays as an ``.npz`` file without pickles.
"""

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fooldeap.errors import InputError, blaming_damage
from fooldeap.storage import npz
from fooldeap.storage.files import remove, write_whole
from fooldeap.storage.inputs import parsed, read

Arrays = Sequence[NDArray[Any]]


@dataclass(frozen=True)
class State:
    """The state of a training after an epoch.

    Parameters
    ----------
    epoch : number of finished epochs
    best : the highest validation accuracy and its epoch
    weights : the weights of the model after the best epoch
    variables : the variables of the model, then those of the optimizer
    rng : the state of the generator that moves images
    """

    epoch: int
    best: tuple[float, int]
    rng: Mapping[str, Any]
    weights: Arrays
    variables: Arrays


class Checkpoint:
    """The checkpoint file of a training.

    Parameters
    ----------
    path : of the file
    belongs_to : everything that determines the resulting bytes, by name; a checkpoint with other values is refused
    """

    def __init__(self, path: Path, belongs_to: Mapping[str, str]) -> None:
        self.path, self._belongs_to = path, dict(belongs_to)

    def read(self) -> State | None:
        """Return the state; None without a file. A damaged file, or one of a different training, is refused."""
        if not self.path.exists():
            return None
        with blaming_damage(self.path, "remove it to start the training again"):
            header, arrays = _unpack(read(self.path))
            belongs_to = dict(header["belongs_to"])
            state = State(
                int(header["epoch"]),
                (float(header["best"][0]), int(header["best"][1])),
                header["rng"],
                [arrays[f"weights-{index}"] for index in range(header["weights"])],
                [arrays[f"variables-{index}"] for index in range(header["variables"])],
            )
        changed = [name for name, each in self._belongs_to.items() if belongs_to.get(name) != each]
        if changed:
            raise InputError(
                f"{self.path}: belongs to a training with other {' and '.join(changed)}; "
                "restore these to resume it, or remove the file to start again"
            )
        return state

    def write(self, state: State) -> None:
        """Write a state over the previous one."""
        header = {
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
        rest = json.dumps(header).encode() + b"\n" + packed.getvalue()
        write_whole(self.path, _digest(rest) + b"\n" + rest)

    def remove(self) -> None:
        """Remove the file after the training."""
        remove(self.path)


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()


def _unpack(content: bytes) -> tuple[Any, dict[str, NDArray[Any]]]:
    digest, _, rest = content.partition(b"\n")
    if digest != _digest(rest):
        raise ValueError("wrong checksum")
    header, _, packed = rest.partition(b"\n")
    with npz.opened(io.BytesIO(packed)) as arrays:
        return parsed(header), dict(arrays)
