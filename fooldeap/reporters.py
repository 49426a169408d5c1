"""The reporters of an experiment, called as one."""

from typing import Any

from fooldeap.config import Experiment
from fooldeap.errors import blaming
from fooldeap.evolution import Observer
from fooldeap.plugin import Reporter
from fooldeap.results import LogRow, RunInfo, RunResult


class Reporters(Observer):
    """The reporters of an experiment, called together; an error names the one that raised it."""

    def __init__(self, experiment: Experiment, quiet: bool) -> None:
        self._named: list[tuple[str, Reporter]] = [
            (str(choice.plugin), choice.build())
            for choice in experiment.reporters
            if not (quiet and getattr(choice.plugin.target, "on_screen", False))
        ]

    def call(self, event: str, *arguments: Any) -> None:
        """Call a method of every reporter."""
        for name, reporter in self._named:
            with blaming(name, f" in {event}"):
                getattr(reporter, event)(*arguments)

    def on_generation(self, run: RunInfo, row: LogRow) -> None:
        """After each generation, for each target."""
        self.call("on_generation", run, row)

    def on_run_end(self, results: list[RunResult]) -> None:
        """After the end of each run."""
        self.call("on_run_end", results)

    def abort(self) -> None:
        """Tell every reporter that there will be no result."""
        self.call("on_abort")
