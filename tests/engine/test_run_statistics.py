"""The statistics of a run that pursues many targets."""

import numpy as np

from fooldeap.configuration.stopping import Stop
from fooldeap.engine import run_statistics
from fooldeap.engine.evaluation import Batch
from fooldeap.engine.run_statistics import RunStatistics
from fooldeap.plugin import Predictions, Reply
from fooldeap.results import LogRow, RunInfo


def enter_generations(statistics: RunStatistics, count: int, classes: int) -> list[LogRow]:
    """Record generations of two random images each; return the rows in order."""
    rng, rows, both = np.random.default_rng(0), [], np.arange(2)
    for _ in range(count):
        images = rng.integers(256, size=(2, 3, 3, 1), dtype=np.uint8)
        predictions = Predictions(rng.standard_normal((2, classes)).astype(np.float32), images)
        reply = Reply(predictions, statistics.info.targets, lambda shown, target: shown.probabilities[:, target])
        rows += statistics.enter(Batch(images, [], both, both), reply)
    return rows


def test_the_log_is_ordered_by_generation_and_each_result_has_its_own_rows():
    statistics = RunStatistics(RunInfo(1, (4, 0, 2)), Stop(), lambda: 0.0)
    rows = enter_generations(statistics, 3, classes=5)
    assert statistics.log == rows
    assert [(row.generation, row.target) for row in rows[:4]] == [(0, 4), (0, 0), (0, 2), (1, 4)]
    for result in statistics.results("generations"):
        assert result.log == tuple(row for row in rows if row.target == result.target)


def test_results_do_not_search_the_log_of_all_targets(monkeypatch):
    reads = []

    class CountedRow(LogRow):
        @property
        def target(self):
            reads.append(1)
            return self[1]

    monkeypatch.setattr(run_statistics, "LogRow", CountedRow)
    statistics = RunStatistics(RunInfo(1, tuple(range(30))), Stop(), lambda: 0.0)
    rows = enter_generations(statistics, 4, classes=30)
    reads.clear()
    assert sum(len(result.log) for result in statistics.results("generations")) == len(rows)
    assert len(reads) <= len(rows)
