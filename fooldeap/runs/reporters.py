"""Calls all reporters of an experiment."""

from dataclasses import replace
from typing import Any

from fooldeap.configuration.choices import Choice
from fooldeap.configuration.experiment import Experiment
from fooldeap.engine.evolution import Observer
from fooldeap.errors import blaming
from fooldeap.plugin import BestYet, Reporter
from fooldeap.results import LogRow, RunInfo, RunResult


class Reporters(Observer):
    """The reporters of an experiment, called together. An error names the reporter that raised it.

    ``quiet`` leaves out reporters that print to the screen. Without ``images``, these reporters show no images.
    """

    def __init__(self, experiment: Experiment, *, quiet: bool = False, images: bool = True) -> None:
        self._named: list[tuple[str, Reporter]] = [
            (str(choice.plugin), (choice if images else _without_images(choice)).build())
            for choice in experiment.reporters
            if not (quiet and _on_screen(choice))
        ]

    def call(self, event: str, *arguments: Any) -> None:
        """Call a method of every reporter."""
        for name, reporter in self._named:
            with blaming(name, f" in {event}"):
                getattr(reporter, event)(*arguments)

    def on_run_start(self, run: RunInfo, best: BestYet) -> None:
        """Call ``on_run_start`` of every reporter before a run."""
        self.call("on_run_start", run, best)

    def on_generation(self, run: RunInfo, row: LogRow) -> None:
        """Call ``on_generation`` of every reporter after each generation, for each target."""
        self.call("on_generation", run, row)

    def on_run_end(self, results: list[RunResult]) -> None:
        """Call ``on_run_end`` of every reporter after a run."""
        self.call("on_run_end", results)

    def abort(self) -> None:
        """Tell every reporter that there will be no result."""
        self.call("on_abort")


def _on_screen(choice: Choice) -> bool:
    return getattr(choice.plugin.target, "on_screen", False)


def _without_images(choice: Choice) -> Choice:
    shows = _on_screen(choice) and "images" in choice.plugin.parameters
    return replace(choice, values={**choice.values, "images": False}) if shows else choice
