"""Cost of the live view: the share of the main job's time in its calls, on terminals of two sizes.

python benchmarks/watching.py [--repeats 9] [--json FILE] [--disturbed]

With ``--disturbed``, repeats that were disturbed by other processes are not discarded.
"""

import argparse
import contextlib
import fcntl
import os
import pty
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from _measure import Figure, Spread, ratio, repeated, report

from fooldeap.configuration import config
from fooldeap.contracts import Reporter
from fooldeap.runs.environment import current_environment
from fooldeap.runs.experiment_session import ExperimentSession
from fooldeap.runs.run_folder import RunFolder

CONFIG = Path(__file__).parent.parent / "configs" / "mnist.yaml"
TERMINALS = ((80, 24), (140, 40))
MOST = 0.02


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--disturbed", action="store_true")
    arguments = parser.parse_args()
    os.environ |= {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
    with ExperimentSession(config.load(CONFIG, ["reporters=[console]"])) as prepared:
        if arguments.disturbed:
            rows = [measure(prepared) for _ in range(arguments.repeats)]
            measured, discarded = {name: [row[name] for row in rows] for name in rows[0]}, 0
        else:
            measured, discarded = repeated(lambda: measure(prepared), arguments.repeats)
    figures = []
    for terminal in TERMINALS:
        name = _name(terminal)
        share = ratio(measured, f"inside {name}", f"total {name}")
        figures += [
            Figure(f"{name}: time in the live view's calls / the run", share, most=MOST),
            Figure(f"{name}: drawings per second", ratio(measured, f"drawings {name}", f"total {name}")),
            Figure(f"{name}: seconds of a run", Spread.of(measured[f"total {name}"])),
        ]
    return report(figures, [f"{discarded} repeats discarded"], arguments.json, environment=current_environment())


def measure(prepared: ExperimentSession) -> dict[str, float]:
    """Run the main job on each terminal; return the seconds in the calls and of the run, and the number of drawings."""
    figures = {}
    for terminal in TERMINALS:
        with tempfile.TemporaryDirectory() as name, _terminal(*terminal), _timed_calls() as clock:
            result = prepared.run(RunFolder.create(prepared.experiment, Path(name) / "run"))
        figures |= {f"{key} {_name(terminal)}": value for key, value in clock.items()}
        figures[f"total {_name(terminal)}"] = result.seconds
    return figures


def _name(terminal: tuple[int, int]) -> str:
    return f"{terminal[0]} x {terminal[1]}"


@contextlib.contextmanager
def _terminal(columns: int, lines: int) -> Iterator[None]:
    """Replace standard output by a terminal of this size; another process reads what is drawn."""
    primary, secondary = pty.openpty()
    fcntl.ioctl(secondary, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    reader = subprocess.Popen(["cat"], stdin=primary, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(primary)
    screen = os.fdopen(secondary, "w")
    before, sys.stdout = sys.stdout, screen
    try:
        yield
    finally:
        sys.stdout = before
        screen.close()
        reader.wait()


@contextlib.contextmanager
def _timed_calls() -> Iterator[dict[str, float]]:
    """Add up the seconds in the reporter's calls and count its drawings while the context is active."""
    from fooldeap import registry

    console: Any = registry.load().get("reporter", "console").target
    clock = {"inside": 0.0, "drawings": 0.0}
    originals = {name: getattr(console, name) for name in [*vars(Reporter), "_draw"] if name.startswith(("on_", "_dr"))}
    originals.pop("on_screen")

    def timed(name: str) -> Any:
        def wrapper(*arguments: Any) -> Any:
            start = time.perf_counter()
            try:
                return originals[name](*arguments)
            finally:
                clock["drawings" if name == "_draw" else "inside"] += (
                    1 if name == "_draw" else time.perf_counter() - start
                )

        return wrapper

    for name in originals:
        setattr(console, name, timed(name))
    try:
        yield clock
    finally:
        for name, original in originals.items():
            setattr(console, name, original)


if __name__ == "__main__":
    sys.exit(main())
