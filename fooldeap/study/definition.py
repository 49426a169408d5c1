"""Load and check study files.

A study file is an experiment file that also has the keys ``vary``, ``variants``, ``factors``, ``goal``, ``budget`` or
``candidate``.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from fooldeap.configuration import config, reading
from fooldeap.configuration import document as documents
from fooldeap.configuration.checks import Checker, keys_of
from fooldeap.configuration.document import Document, Key
from fooldeap.configuration.experiment import CHOICES, Experiment
from fooldeap.configuration.stopping import GOALS, Stop
from fooldeap.configuration.writing import check_size, values_in
from fooldeap.errors import InputError
from fooldeap.options import NO_OPTIONS, Options
from fooldeap.parameters import shown
from fooldeap.plugin import OPERATORS
from fooldeap.registry import Registry
from fooldeap.study.variants import COMMON, ELSEWHERE, KEYS, factors, variants

# A run ends by its budget, not by generations, unless somebody says so: even where many images are known already.
GENERATIONS_AN_EVALUATION = 4

STOPS = ("generations", "stop_at_goal")  # the stop criteria of a study; it sets goals and budget by its own keys
MOST_REPEATED = 20_000  # values of all variants; of more, what they have in common is written once

Source = str | Path | Mapping[str, Any]


@dataclass(frozen=True)
class Study:
    """Experiments to compare. They share targets, seeds, goal and budget.

    ``budget`` is the number of evaluations per target. A run that pursues several targets jointly has this budget for
    each of them; see `resolved`. ``candidate`` is the variant to compare with each of the others; None: all pairs are
    compared. ``factors`` maps each factor, such as a key of a grid, to the level of each variant.
    """

    name: str
    variants: dict[str, Experiment]
    budget: int
    candidate: str | None = None
    factors: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def common(self) -> Experiment:
        """One of the experiments, for the settings that all of them share."""
        return next(iter(self.variants.values()))

    @property
    def goal(self) -> dict[str, float]:
        """The goal of every run, for example ``{"confidence": 0.9999}``."""
        return self.common.stop.goal

    def data(self) -> dict[str, Any]:
        """Return the study as plain data. The same data read from YAML give the same study."""
        common = self.common.data()
        shared, variants = _apart({name: _own(experiment.data()) for name, experiment in self.variants.items()})
        return {
            **{key: common[key] for key in COMMON if key != "reporters"},
            **shared,
            "goal": self.goal,
            "budget": self.budget,
            **({"candidate": self.candidate} if self.candidate else {}),
            "variants": variants,
            **({"factors": {name: dict(levels) for name, levels in self.factors.items()}} if self.factors else {}),
        }


def _own(data: Mapping[str, Any]) -> dict[str, Any]:
    own, stop = {kind: data[kind] for kind in CHOICES if kind not in COMMON}, data["stop"]
    by_default = {"generations": GENERATIONS_AN_EVALUATION * stop["evaluations"]}  # left out: it follows the budget
    return {**own, "stop": {name: stop[name] for name in STOPS if stop[name] != by_default.get(name)}}


def _apart(variants: dict[str, dict[str, Any]]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Return what all variants have in common, and the rest of each: of few variants, nothing and all of each."""
    if values_in(variants) <= MOST_REPEATED:
        return {}, variants
    first, *others = variants.values()
    text = {key: json.dumps(value) for key, value in first.items()}
    shared = {key: first[key] for key in first if all(json.dumps(other[key]) == text[key] for other in others)}
    return shared, {name: {key: own[key] for key in own if key not in shared} for name, own in variants.items()}


def load(
    source: Source,
    overrides: Iterable[str] = (),
    *,
    arguments: Mapping[str, Any] | None = None,
    plugins: Iterable[Any] = (),
    options: Options = NO_OPTIONS,
) -> Study:
    """Read and check a study. Parameters and errors are those of `fooldeap.configuration.config.load`."""
    document = named_by_its_file(config.merged_config(source, overrides, arguments, unnamed="study"), source)
    study, base = document, document.without(*KEYS)
    registry = config.registry_of(base, plugins, options)
    base = with_goal_and_budget(study, base, registry)
    parts = dict(variants(study))
    if len(parts) < 2:
        message = f"got {len(parts) or 'none'}, expected at least two variants to compare; add some"
        raise study.error(("vary",) if "vary" in study.data else ("variants",), message)
    experiments = _checked(parts, base, registry, options)
    config.admit_commands(experiments.values())
    _check_used(study, experiments.values())
    candidate = study.data.get("candidate")
    if candidate is not None and (not isinstance(candidate, str) or candidate not in experiments):
        raise study.error(("candidate",), f"got {shown(candidate)}, expected a variant: {', '.join(experiments)}")
    any_of_them = next(iter(experiments.values()))
    budget = any_of_them.stop.evaluations or 0
    made = Study(any_of_them.name, experiments, budget, candidate, factors(study, experiments))
    check_size(made.data())  # now, and not after all variants were rehearsed
    return made


def resolved(study: Study) -> tuple[Study, frozenset[str]]:
    """Return the study with the total budget of each run, and the variants that pursue their targets jointly."""
    variants = dict(study.variants)
    joint = frozenset(name for name, each in variants.items() if each.algorithm.plugin.options["targets"] == "all")
    for name in joint:
        experiment = variants[name]
        everything = experiment.targets == "all"
        targets = experiment.build_classifier().classes if everything else len(experiment.targets)
        stop = replace(experiment.stop, evaluations=study.budget * targets)
        variants[name] = replace(experiment, stop=stop)
    return replace(study, variants=variants), joint


def named_by_its_file(document: Document, source: Source) -> Document:
    """Name a study after its file if the file does not name it. The name of its base is not inherited."""
    if not isinstance(source, str | Path):
        return document
    own = {documents.COMMAND_LINE, documents.ARGUMENT, config.DEFAULTS, reading.source_of(Path(source))}
    if document.place(("name",)).source in own:
        return document
    return documents.from_mapping({"name": config.as_name(Path(source).stem)}).merge_onto(document)


def _checked(
    parts: Mapping[str, Document], base: Document, registry: Registry, options: Options
) -> dict[str, Experiment]:
    """Return the variants as experiments. Report all errors, and an error of the base only once."""
    experiments, problems = {}, dict[str, None]()
    for name, part in parts.items():
        try:
            experiments[name] = experiment_of(part.merge_onto(base), registry, options)
        except InputError as error:
            problems.update(dict.fromkeys(str(error).splitlines()))
    if problems:
        raise InputError("\n".join(problems))
    return experiments


def experiment_of(
    document: Document, registry: Registry, options: Options, *, also: tuple[str, ...] = KEYS
) -> Experiment:
    """Return an experiment with a goal and a budget, which end its runs. ``also`` are keys that messages suggest."""
    stop = document.data.get("stop")
    budget = stop.get("evaluations") if isinstance(stop, dict) else None
    if isinstance(budget, int) and budget > 0 and document.place(("stop", "generations")).source == config.DEFAULTS:
        generations = GENERATIONS_AN_EVALUATION * budget
        document = documents.from_mapping({"stop.generations": generations}, "budget").merge_onto(document)
    experiment = config.checked(document, registry, options, also=also)
    for name, default in asdict(Stop()).items():
        if name not in (*GOALS, "evaluations", *STOPS) and getattr(experiment.stop, name) != default:
            raise document.error(
                ("stop", name),
                "ends runs for what is itself compared, which would bias the comparison; set it to "
                f"{shown(default)}, and let 'budget' end them",
            )
    goals = {name: getattr(experiment.stop, name) for name in GOALS if getattr(experiment.stop, name) is not None}
    if not goals:
        raise document.error(("goal",), "is missing; expected a mapping such as {confidence: 0.9999}")
    if len(goals) > 1:
        raise document.error(("stop", "score"), f"got {shown(goals)}, expected one goal: 'goal: {{score: ...}}'")
    if experiment.stop.evaluations is None:
        raise document.error(("budget",), "is missing; expected the evaluations that a run may take")
    return experiment


def with_goal_and_budget(study: Document, base: Document, registry: Registry) -> Document:
    """Return the base with the keys ``goal`` and ``budget`` of a study as its stop criteria."""
    _check_said_once(study)
    _check_own(study, registry)
    return _budgeted(study, _aimed(study, base))


def _aimed(study: Document, base: Document) -> Document:
    """Return the base with the goal of the study as its only goal."""
    goal = study.data.get("goal")
    if goal is None:
        return base
    if not isinstance(goal, dict) or not goal or not set(goal) <= set(GOALS):
        raise study.error(("goal",), f"got {shown(goal)}, expected a mapping such as {{confidence: 0.9999}}")
    if sum(value is not None for value in goal.values()) != 1:
        raise study.error(("goal",), f"got {shown(goal)}, expected one goal; set that of the base to null")
    nothing = documents.from_mapping({f"stop.{name}": None for name in GOALS})
    return study.subtree(("goal",), ("stop",)).merge_onto(nothing.merge_onto(base))


def _budgeted(study: Document, base: Document) -> Document:
    if study.data.get("budget") is None:
        return base
    return study.subtree(("budget",), ("stop", "evaluations")).merge_onto(base)


def _check_own(study: Document, registry: Registry) -> None:
    """Check goal and budget with the limits of the stop criteria. Messages use the key names of the study."""
    checker, stops = Checker(study, registry), keys_of(Stop)
    goal, budget = study.data.get("goal"), study.data.get("budget")
    if isinstance(goal, dict):
        checker.values({name: stops[name] for name in GOALS if name in goal}, goal, ("goal",), also=GOALS)
    checker.values({"budget": replace(stops["evaluations"], name="budget")}, {"budget": budget}, ())
    checker.finish()


def _check_said_once(study: Document) -> None:
    """Refuse a stop criterion that ``goal`` or ``budget`` would override, unless it comes from a base."""
    stop = study.data.get("stop")
    for key, own in ELSEWHERE.items():
        path: Key = tuple(key.split("."))
        source = study.place(path).source
        if study.data.get(own) is None or not isinstance(stop, dict) or stop.get(path[-1]) is None:
            continue
        if source in (documents.COMMAND_LINE, documents.ARGUMENT, study.place((own,)).source):
            say = f"{own}=..." if own == "budget" else f"{own}.{path[-1]}=..."
            raise study.error(path, f"is overruled by the study's {own!r}; say {say!r} in its place", at_key=True)


def _check_used(study: Document, experiments: Iterable[Experiment]) -> None:
    """Refuse to vary an operator that no algorithm of the study calls. All its variants would be the same."""
    algorithms = [each.algorithm.plugin for each in experiments]
    used = {kind for plugin in algorithms for kind in plugin.options["uses"]}
    for key, options in (study.data.get("vary") or {}).items():
        kind = key.partition(".")[0]
        if options is not None and kind in OPERATORS and kind not in used:
            names = ", ".join(sorted({plugin.name for plugin in algorithms}))
            raise study.error(
                ("vary", key), f"no algorithm here uses a {kind} ({names}), so nothing would differ", at_key=True
            )
