"""Every command that writes, killed with SIGKILL at its calls that write: it can always be finished, to the same files.

`make faults` kills at every call, `make test-slow` at some. See kill_sweep.py for what is compared.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from failing import EVERY
from kill_sweep import JOBS

SCRIPT = Path(__file__).parent / "kill_sweep.py"
PARTS = {"audit": 6, "retrain": 4, "compare": 2}  # of a job with many calls, so that several processes share it
SOME = {"run": 6, "audit": 4, "train": 2, "retrain": 1}  # kills outside `make faults`; 3 of the other jobs

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the sweep forks")


FAST = ("run", "export npz")  # in `make test`
CASES = [
    pytest.param(job, part, marks=() if job in FAST else pytest.mark.slow)
    for job in JOBS
    for part in range(PARTS.get(job, 1) if EVERY else 1)
]


@pytest.mark.parametrize(("job", "part"), CASES)
def test_a_command_killed_at_any_call_can_be_finished(job, part, tmp_path, record_property):
    chosen = f"{part}/{PARTS.get(job, 1)}" if EVERY else str(SOME.get(job, 3))
    done = subprocess.run([sys.executable, SCRIPT, job, tmp_path / "sweep", chosen], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    record_property("kills", found["kills"])
    assert found["problems"] == []
    assert found["kills"] > 0
