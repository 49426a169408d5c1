"""Stop criteria: the keys below ``stop`` of a YAML file, and the reasons why a run ends.

A criterion is a field of `Stop` and an entry of `REASONS`. Everything else follows from them: checks, defaults, JSON
Schemas, documentation, results and reports.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Annotated, Any, NamedTuple, Protocol

from annotated_types import Ge, Gt, Lt
from pydantic import Field

Count = Annotated[int, Ge(1)]

GOALS = ("confidence", "score")  # the criteria that mean success
_IN_EVERY_DIGEST = frozenset(
    {"confidence", "score", "evaluations", "generations", "seconds", "stagnation", "stop_at_goal"}
)


@dataclass(frozen=True, kw_only=True)
class Stop:
    """Stop criteria. The first one that holds ends a run. None disables a criterion, except `generations`."""

    confidence: Annotated[
        Annotated[float, Gt(0), Lt(1)] | None,
        Field(
            description="the goal: the confidence in the target class that must be reached. For most classifiers, the "
            "confidence is the softmax probability of the class; the classifier's parameter `outputs` can change this"
        ),
    ] = 0.9999
    score: Annotated[
        float | None,
        Field(
            description="a goal for the fitness: the value that must be reached. If both goals are set, reaching one "
            "of them is enough"
        ),
    ] = None
    evaluations: Annotated[
        Count | None,
        Field(description="the budget: the maximum number of evaluations of a run. It is never exceeded"),
    ] = 25000
    generations: Annotated[
        int, Ge(0), Field(description="the maximum number of generations after the first population")
    ] = 10000
    seconds: Annotated[
        Annotated[float, Gt(0)] | None,
        Field(
            description="the maximum duration of the evolution of a run. After an interruption, the run has only the "
            "remaining time. With this criterion, results differ between machines"
        ),
    ] = None
    stagnation: Annotated[
        Count | None,
        Field(description="the maximum number of generations without an improvement of the best fitness"),
    ] = None
    stop_at_goal: Annotated[
        bool,
        Field(
            description="whether reaching the goal ends the run; with false, the goal is recorded and the run "
            "continues until another criterion is met"
        ),
    ] = True

    @property
    def goal(self) -> dict[str, float]:
        """The stop criteria that mean success."""
        return {name: value for name in GOALS if (value := getattr(self, name)) is not None}

    def identity(self) -> dict[str, Any]:
        """Return the criteria that identify an experiment.

        A criterion that was added later is left out while it has its default, so older folders can be resumed.
        """
        default = asdict(type(self)())
        return {
            name: value for name, value in asdict(self).items() if name in _IN_EVERY_DIGEST or value != default[name]
        }


class Progress(Protocol):
    """The state of a run after a generation. A run may have several targets."""

    evaluations: int
    generation: int
    batches_without_new: int  # consecutive batches without a new image

    @property
    def reached(self) -> bool:
        """Whether every target has reached the goal."""

    @property
    def stagnant(self) -> int:
        """The number of generations since the best fitness of any target improved."""

    @property
    def seconds(self) -> float:
        """The duration of the run, over all its sessions."""


class Reason(NamedTuple):
    """A reason why a run ends.

    Attributes
    ----------
    name : the value of ``stopped`` in results
    clause : completes "the run ended because"
    holds : whether it ends a run; None: the engine decides
    replayable : whether a replay of the journal computes the same; if not, the journal records the end
    """

    name: str
    clause: str
    holds: Callable[[Stop, Progress], bool] | None = None
    replayable: bool = True


STALLED_AFTER = 100  # batches
# Ordered: if several criteria hold, the first one is the reason.
REASONS = (
    Reason(
        "goal", "an image reached the goal", lambda stop, run: stop.stop_at_goal and bool(stop.goal) and run.reached
    ),
    Reason(
        "evaluations",
        "the limit of evaluations was reached",
        lambda stop, run: stop.evaluations is not None and run.evaluations >= stop.evaluations,
    ),
    Reason(
        "generations",
        "the limit of generations was reached",
        lambda stop, run: run.generation >= stop.generations,
    ),
    Reason(
        "stalled",
        f"{STALLED_AFTER} batches in a row had no new image",
        lambda stop, run: run.batches_without_new >= STALLED_AFTER,
    ),
    Reason(
        "stagnation",
        "the fitness stopped improving",
        lambda stop, run: stop.stagnation is not None and run.stagnant >= stop.stagnation,
    ),
    Reason(
        "seconds",
        "the time limit was reached",
        lambda stop, run: stop.seconds is not None and run.seconds >= stop.seconds,
        replayable=False,
    ),
    Reason("finished", "the algorithm ended by itself, before it reached a limit"),
    Reason("failed", "the run failed, with on_error: skip"),
)


def reason_to_stop(stop: Stop, run: Progress, *, replaying: bool = False) -> Reason | None:
    """Return the first reason to end a run, or None. In a replay, leave out those that the journal records."""
    for reason in REASONS:
        if reason.holds is not None and (reason.replayable or not replaying) and reason.holds(stop, run):
            return reason
    return None
