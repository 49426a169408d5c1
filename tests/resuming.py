"""Runs whose journals end anywhere, resumed: to what bits, and with what result."""

import random
import shutil

from conftest import bits, run

from fooldeap.prepared import Prepared
from fooldeap.rundir import RunFolder


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
        Prepared(experiment).run(RunFolder.open(folder), resumed=True)
        assert bits(folder) == expected
    return result
