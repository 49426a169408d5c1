"""The report of a tuning: the gain on unseen instances, the best configuration, and the course of the search."""

from collections.abc import Iterator, Sequence

from fooldeap.formatting import grouped
from fooldeap.report.model import (
    DOCUMENT,
    HTML,
    TERMINAL,
    Block,
    Chart,
    Charts,
    Items,
    Line,
    Report,
    Section,
    Table,
    Text,
    goal_text,
)
from fooldeap.tuning.instances import PENALTY
from fooldeap.tuning.outcome import Gain, Outcome, StrategyOutcome
from fooldeap.tuning.settings import Instances
from fooldeap.tuning.trials import EARLY

MOST_TRIALS = 20  # in the table of the best configurations


def build_report(outcome: Outcome) -> Report:
    """Return the report of a tuning."""
    return Report(
        title=outcome.tuning.name,
        lead=" ".join(_lead(outcome)),
        facts=_facts(outcome),
        sections=[
            Section("Unseen instances", _unseen(outcome), (*DOCUMENT, TERMINAL)),
            Section("Best configuration", [_values(each) for each in outcome.strategies], (*DOCUMENT, TERMINAL)),
            Section("Configurations", [_trials(each) for each in outcome.strategies]),
            Section("Search", [Charts([_chart(each) for each in outcome.strategies])], [HTML]),
            Section("Method", list(_method(outcome))),
        ],
    )


def _lead(outcome: Outcome) -> Iterator[str]:
    for each in outcome.strategies:
        name = f"{each.strategy.name}: " if each.strategy.name else ""
        if each.best.number == 0:
            yield f"{name}No configuration was better than the initial one."
        else:
            yield (
                f"{name}The best configuration needs {_ratio(each)} times the images of the initial one on the "
                "training instances."
            )
    if outcome.gains:
        carried = sum(each.carried_over for each in outcome.gains)
        if len(outcome.gains) == 1:
            yield f"The gain {'carried' if carried else 'was not shown to carry'} over to the unseen instances."
        else:
            yield f"The gain carried over in {carried} of {len(outcome.gains)} comparisons on unseen instances."


def _ratio(found: StrategyOutcome) -> str:
    return f"{found.ratio(found.best) or 1.0:.3g}"


def _facts(outcome: Outcome) -> list[tuple[str, str]]:
    return [
        ("configurations", str(sum(len(each.trials) for each in outcome.strategies))),
        ("stopped early", str(sum(t.state == "stopped early" for each in outcome.strategies for t in each.trials))),
        ("images of the search", grouped(sum(each.images for each in outcome.strategies))),
        ("training instances", str(len(outcome.strategies[0].instances))),
        ("sets of unseen instances", str(len(outcome.tuning.unseen))),
    ]


def _unseen(outcome: Outcome) -> list[Block]:
    if not outcome.gains:
        return [Text("The initial configuration was kept, so there is nothing to compare.")]
    several = len(outcome.strategies) > 1
    header = ["unseen instances", *(["strategy"] if several else []), "tuned / initial images", "95 % interval"]
    header += ["p (Holm)", "reached, initial", "reached, tuned", "gain carried over"]
    rows = []
    for each in outcome.gains:
        interval = f"{each.ratio.low:.3g} to {each.ratio.high:.3g}"
        counts = [f"{reached} of {each.runs}" for reached in each.reached]
        named = [each.unseen, *([each.strategy] if several else [])]
        answer = "yes" if each.carried_over else "no, it is worse" if each.harmful else "not shown"
        rows.append(
            [
                *named,
                f"{each.ratio.value:.3g}",
                interval,
                _p(each.p_holm).removeprefix("p = ").removeprefix("p "),
                *counts,
                answer,
            ]
        )
    return [
        Items([_conclusion(each) for each in outcome.gains]),
        Table(header, rows, left=1 + several),
        Text(
            "The ratio is that of the mean images until the goal; a run without success counts with its budget. "
            "Each set has its own study, with all tests, in the folder unseen."
        ),
    ]


def _conclusion(gain: Gain) -> str:
    named = f"{gain.unseen}, {gain.strategy}" if gain.strategy else gain.unseen
    interval = f"95 % interval {gain.ratio.low:.3g} to {gain.ratio.high:.3g}, {_p(gain.p_holm)}"
    needs = f"needs {gain.ratio.value:.3g} times the images of the initial one"
    text = f"{named}: the tuned configuration {needs} ({interval})"
    if gain.carried_over:
        return f"{text}. The gain carried over."
    if gain.harmful:
        return f"{text}. It is worse here: the gain did not carry over."
    return f"{text}. A gain is not shown."


def _p(value: float) -> str:
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def _values(found: StrategyOutcome) -> Table:
    initial, best = found.trials[0].values, found.best.values
    rows = [
        (each.key, str(each), _text(initial.get(each.key)), _text(best.get(each.key)))
        for each in found.strategy.space.parameters
    ]
    return Table(["key", "search space", "initial", "tuned"], rows, left=4, title=found.strategy.name)


def _text(value: object) -> str:
    return "–" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def _trials(found: StrategyOutcome) -> Table:
    """Return a table of the best configurations. The last column has the parameters."""
    ranked = sorted(found.trials, key=lambda each: (each.value is None, each.value or 0.0, each.number))
    rows = []
    for each in [each for each in ranked if each.results][:MOST_TRIALS]:
        ratio = found.ratio(each)
        values = ", ".join(f"{key}: {_text(value)}" for key, value in each.values.items())
        rows.append(
            [
                str(each.number),
                each.state,
                values,
                f"{len(each.results)} of {len(found.instances)}",
                grouped(each.images),
                "–" if ratio is None else f"{ratio:.3g}",
            ]
        )
    header = ["trial", "state", "configuration", "runs", "images", "relative to initial"]
    return Table(header, rows, left=3, title=found.strategy.name)


def _chart(found: StrategyOutcome) -> Chart:
    used, best, line = 0, 1.0, Line("best configuration so far", x := list[float](), y := list[float]())
    for each in found.trials:
        used += each.images
        if each.state == "complete":
            best = min(best, found.ratio(each) or best)
            x.append(used)
            y.append(best)
    title = found.strategy.name or "Search"
    return Chart(title, "images of the search", "images relative to the initial configuration", [line], log_x=False)


def _method(outcome: Outcome) -> Iterator[Block]:
    tuning = outcome.tuning
    yield Text(
        f"The goal of a run is {goal_text(tuning.common.stop.goal)}, its budget {grouped(tuning.budget)} evaluations "
        f"for each target. The training instances are {_described(tuning.instances)}. The cost of a run is the number "
        f"of images until the goal; a run without success counts as {PENALTY} times its budget (PAR{PENALTY}). "
        "Configurations are compared by the geometric mean of their costs relative to those of the initial "
        "configuration on the same instances."
    )
    yield Text(
        f"Optuna's TPE sampler proposed the configurations. The first trial is the initial configuration. After every "
        f"{tuning.block} instances, a configuration was compared with the best one, and stopped if it was worse with "
        f"p < {EARLY} (Wilcoxon's signed-rank test, one-sided). The search for each strategy showed at most "
        f"{grouped(tuning.images)} images, without padding and without repetitions after an interruption."
    )
    sets = [f"{name}: {_described(each)}" for name, each in tuning.unseen.items()]
    yield Text("The sets of unseen instances, whose seeds were not used in the search:")
    yield Items(sets)
    failed = [
        f"{_named(each)}trial {trial.number} is {trial.state}: {trial.message}"
        for each in outcome.strategies
        for trial in each.trials
        if trial.state in ("invalid", "failed")
    ]
    if failed:
        yield Text("These configurations could not be run:")
        yield Items(failed[:MOST_TRIALS], warning=True)


def _named(found: StrategyOutcome) -> str:
    return f"{found.strategy.name}: " if found.strategy.name else ""


def _described(instances: Instances) -> str:
    classifiers = " and ".join(str(each.values.get("model", each.plugin.name)) for each in instances.classifiers)
    last = instances.first + instances.seeds - 1
    seeds = f"the seed {last}" if instances.seeds == 1 else f"the seeds {instances.first} to {last}"
    return f"{classifiers} with {_targets(instances.targets)} and {seeds}"


def _targets(targets: str | Sequence[int | str]) -> str:
    if isinstance(targets, str):
        return "all targets"
    noun = "the target" if len(targets) == 1 else "the targets"
    return f"{noun} {', '.join(map(str, targets))}"
