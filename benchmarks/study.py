"""Overhead of a study relative to the bare forward pass: the stock variants of configs/studies/selection.yaml.

    python benchmarks/study.py [--repeats 9] [--json FILE]

The study has ten targets, one seed and a small budget. Journals and records are written as usual. scale.py explains how
the bare pass is measured.
"""

import sys
import tempfile
from pathlib import Path

from _measure import Figure, Spread, options, ratio, repeated, report
from scale import SHAPES, Alternating, network

from fooldeap.runs.environment import current_environment
from fooldeap.runs.session import Session
from fooldeap.storage.timings import Timings
from fooldeap.study import definition
from fooldeap.study.progress import Progress
from fooldeap.study.records import Records

STUDY = Path(__file__).parent.parent / "configs/studies/selection.yaml"
BUDGET = 2000
GOAL = 0.8


def main() -> int:
    arguments = options(__doc__).parse_args()
    study = definition.load(STUDY, ["seeds=1", f"budget={BUDGET}"])
    stock = {name: each for name, each in study.variants.items() if each.selection.plugin.name != "deap"}
    classifier = Alternating(network(SHAPES[0]))
    with Session(stock, classifier) as bench:
        measured, discarded = repeated(lambda: evolve(bench, classifier), arguments.repeats)
    figure = Figure(f"study of {len(stock)} selections: loop / forward", ratio(measured, "bare", "loop"), GOAL)
    spent = {side: Spread.of(values).median for side, values in measured.items()}
    note = (
        f"{spent['loop']:.1f} us per image, {spent['bare']:.1f} of them in the bare pass; {discarded} repeats discarded"
    )
    return report([figure], [note], arguments.json, environment=current_environment())


def evolve(bench: Session, classifier: Alternating) -> dict[str, float]:
    """Run all runs of the study; return the microseconds per image of the loop and of the bare pass."""
    budgets = dict.fromkeys(bench.starts, BUDGET)
    with tempfile.TemporaryDirectory() as name, classifier.alternating():
        folder = Path(name)
        (folder / "journal").mkdir()
        records, timings, shown = Records(folder / "variants"), Timings(), 0
        board = Progress(bench.runs, (), budgets, quiet=True)
        for ended in bench.evolve(bench.runs, folder / "journal", board, timings):
            board.ended(ended.info, ended.results, failed=False)
            records.keep(ended, BUDGET, {})
            shown += ended.evaluations
        loop = timings.seconds - classifier.aside
    return {"loop": 1e6 * loop / shown, "bare": 1e6 * classifier.bare / shown}


if __name__ == "__main__":
    sys.exit(main())
