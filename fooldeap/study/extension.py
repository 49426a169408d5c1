"""Extend a study: a larger budget, a higher goal, more seeds or more targets."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from fooldeap.configuration import reading
from fooldeap.errors import InputError
from fooldeap.storage.files import remove
from fooldeap.study.definition import GENERATIONS_AN_EVALUATION, Study, resolved
from fooldeap.study.plan import StudyFolder

EXTENDING = ("budget", "goal", "seeds", "targets")
_SESSION = ("executor", "on_error", "concurrent_runs", "report")  # keys that change no result


def check_keys(overrides: Iterable[str], arguments: Mapping[str, Any]) -> None:
    """Refuse overrides of the study in a folder, except those that extend it or hold for one session.

    Raises
    ------
    InputError
        Another key is overridden.
    """
    for word in [*overrides, *arguments]:
        if re.split(r"[.=]", word)[0] not in (*EXTENDING, *_SESSION):
            raise InputError(
                f"--resume: got {word!r}, expected an extension by {', '.join(EXTENDING)}, or one of "
                f"{', '.join(_SESSION)}; for other settings, start a new study"
            )


def extended(study: Study, folder: StudyFolder) -> Study:
    """Return a study that may extend the one in a folder, such that it accepts the journals and records made before.

    The digests of the earlier experiments are stored in ``folder.extension``.

    Raises
    ------
    InputError
        The budget or the goal is smaller than before.
    """
    # Fooldeap writes both keys; a file that a person has put there may lack them.
    data = {"budget": study.budget, "goal": study.goal} | reading.read(folder.config).data
    budget, goal = data["budget"], data["goal"]
    if not isinstance(budget, int) or not isinstance(goal, dict) or len(goal) != 1:
        raise InputError(f"{folder.config}: got the budget {budget!r} and the goal {goal!r}, expected those of a study")
    _check_not_less(study, folder, budget, goal)
    if (budget, goal) != (study.budget, study.goal):
        same_goal = goal == study.goal
        found = dict(_earlier(study, budget, goal, same_goal=same_goal))
        before = folder.environment.earlier_budgets
        # With another goal, no run of any earlier experiment is kept.
        folder.extension = {**({} if same_goal else dict.fromkeys(before, 0)), **found}
    earlier = tuple(dict.fromkeys([*folder.environment.earlier, *folder.extension]))
    variants = {
        name: replace(each, options=replace(each.options, earlier=earlier)) for name, each in study.variants.items()
    }
    return replace(study, variants=variants)


def record(folder: StudyFolder) -> None:
    """Write ``folder.extension`` to the folder. With another goal, runs that are not finished start again."""
    if not folder.extension:
        return
    folder.environment.note_earlier(*folder.extension)
    folder.environment.note_budgets(folder.extension)
    if 0 in folder.extension.values():
        for path in folder.journals.glob("*.journal"):
            remove(path)


def _check_not_less(study: Study, folder: StudyFolder, budget: int, goal: Mapping[str, float]) -> None:
    new = f"for less, start a new study: fooldeap compare {folder.config}"
    had = f"as the study in {folder.path} had before"
    if study.budget < budget:
        raise InputError(
            f"--resume: budget: got {study.budget}, expected {budget} or more, {had}; {new} budget={study.budget}"
        )
    ((name, value),) = goal.items()
    now = study.goal.get(name)
    if now is None or now < value:
        ((key, got),) = study.goal.items()
        raise InputError(
            f"--resume: goal.{key}: got {got}, expected {name} {value} or more, {had}; {new} 'goal={{{key}: {got}}}'"
        )


def _earlier(study: Study, budget: int, goal: Mapping[str, float], *, same_goal: bool) -> Iterator[tuple[str, int]]:
    """Yield the digest of each experiment with the earlier budget and goal, and the budget of its runs.

    With another goal, this budget is 0: no run is kept.
    """
    whole, _ = resolved(study)
    for name, experiment in whole.variants.items():
        share = (experiment.stop.evaluations or 0) // study.budget  # a run for several targets has several budgets
        by_default = study.variants[name].stop.generations == GENERATIONS_AN_EVALUATION * study.budget
        generations = GENERATIONS_AN_EVALUATION * budget if by_default else experiment.stop.generations
        limits: dict[str, Any] = {"evaluations": share * budget, "generations": generations}
        limits |= {**dict.fromkeys(study.goal), **goal}
        before = replace(experiment, stop=replace(experiment.stop, **limits))
        yield before.digest, share * budget if same_goal else 0
