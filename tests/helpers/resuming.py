"""WorkerTask that is interrupted, and runs whose journals end anywhere, resumed to the same bits."""

import contextlib
import itertools
import random
import shutil

import pytest

from fooldeap.runs.experiment_session import ExperimentSession
from fooldeap.runs.run_folder import RunFolder
from helpers.experiments import bits, run


@contextlib.contextmanager
def interrupted(owner, method, *, after):
    """Have a method of a class raise KeyboardInterrupt once it was called so often; the block must end by it.

    Yields what `pytest.raises` does.
    """
    calls, called = itertools.count(), getattr(owner, method)

    def call(*arguments, **named):
        if next(calls) == after:
            raise KeyboardInterrupt
        return called(*arguments, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, method, call)
        with pytest.raises(KeyboardInterrupt) as raised:
            yield raised


def check_resumes_wherever_cut(experiment, place, times):
    """Run an experiment, and resume copies of its folder whose journals are cut at random places; all in ``place``.

    Asserts that all end in the same bits. Returns the result of the whole run.
    """
    whole = place / "whole"
    result, _ = run(experiment, whole)
    expected, chance = bits(whole), random.Random(1)
    for number in range(times):
        folder = place / f"cut_{number}"
        shutil.copytree(whole, folder)
        (folder / "result.json").unlink()
        for path in folder.glob("journal/*"):
            path.write_bytes(path.read_bytes()[: chance.randrange(path.stat().st_size + 1)])
        ExperimentSession(experiment).run(RunFolder.open(folder), resumed=True)
        assert bits(folder) == expected
    return result
