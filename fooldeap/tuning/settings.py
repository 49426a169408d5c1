"""A tuning file: an experiment file that also says what to search, on which instances, and with how many images."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le, Len

from fooldeap.configuration import config
from fooldeap.configuration.checks import Checker, keys_of
from fooldeap.configuration.choices import Choice
from fooldeap.configuration.document import Document, Key
from fooldeap.configuration.experiment import ClassName, Experiment, Target
from fooldeap.configuration.stopping import Count
from fooldeap.configuration.writing import check_size
from fooldeap.errors import InputError
from fooldeap.options import NO_OPTIONS, Options
from fooldeap.parameters import shown
from fooldeap.registry import Registry
from fooldeap.study import definition
from fooldeap.study.definition import STOPS, Source
from fooldeap.study.variants import check_key, check_name
from fooldeap.tuning.space import SEARCHED, Space, Value

KEYS = ("images", "block", "search", "strategies", "instances", "unseen")
SHARED = ("goal", "budget")  # keys that a study has, too
_ALL_KEYS = (*KEYS, *SHARED)
_OTHER_SEEDS = {"other-seeds": {"seeds": 10}}
Targets = Literal["all"] | tuple[int | str, ...]


@dataclass(frozen=True, kw_only=True)
class TuningKeys:
    """The keys of a tuning file with plain values.

    Attributes
    ----------
    images : the images that the search for each strategy may show
    block : the number of instances after which a configuration is compared with the best one
    """

    images: Annotated[int, Ge(1), Le(config.MOST_COUNTED)]
    block: Annotated[int, Ge(2), Le(1000)] = 5


@dataclass(frozen=True, kw_only=True)
class InstanceKeys:
    """The keys of a set of instances with plain values. None: as in the experiment."""

    targets: Literal["all"] | Target | ClassName | Annotated[tuple[Target | ClassName, ...], Len(1)] | None = None
    seeds: Count | None = None


@dataclass(frozen=True)
class Instances:
    """A set of instances: every classifier with every target and every seed, from the seed ``first`` on."""

    classifiers: tuple[Choice, ...]
    targets: Targets
    first: int
    seeds: int

    def data(self) -> dict[str, Any]:
        """Return the set as plain data."""
        targets = self.targets if self.targets == "all" else list(self.targets)
        return {"classifiers": [each.data() for each in self.classifiers], "targets": targets, "seeds": self.seeds}

    def experiment(self, experiment: Experiment, classifier: Choice) -> Experiment:
        """Return an experiment with the runs on one of the classifiers."""
        return replace(
            experiment, classifier=classifier, targets=self.targets, seed=self.first, seeds=self.seeds, dataset=None
        )


@dataclass(frozen=True)
class Strategy:
    """A strategy to tune: its initial configuration and its search space."""

    name: str
    initial: Experiment
    space: Space
    base: Document = field(repr=False)
    registry: Registry = field(repr=False)

    def experiment(self, values: Mapping[str, Value]) -> Experiment:
        """Return the experiment with these values.

        Raises
        ------
        InputError
            The combination of values is invalid.
        """
        document = self.space.put(values, self.base)
        return definition.experiment_of(document, self.registry, self.initial.options, also=_ALL_KEYS)


@dataclass(frozen=True)
class Tuning:
    """The content of a tuning file."""

    name: str
    strategies: dict[str, Strategy]
    instances: Instances
    unseen: dict[str, Instances]
    images: int
    block: int
    document: Document = field(repr=False)

    @property
    def common(self) -> Experiment:
        """One of the initial experiments, for the settings that all of them share."""
        return next(iter(self.strategies.values())).initial

    @property
    def budget(self) -> int:
        """The budget of a run, in evaluations per target."""
        return self.common.stop.evaluations or 0

    def data(self) -> dict[str, Any]:
        """Return plain data; written to YAML and read again, it gives the same tuning."""
        common = self.common.data()
        stop = {name: common["stop"][name] for name in STOPS}
        own = {
            "images": self.images,
            "block": self.block,
            "goal": self.common.stop.goal,
            "budget": self.budget,
            "instances": self.instances.data(),
            "unseen": {name: each.data() for name, each in self.unseen.items()},
        }
        one = self.strategies.get("")
        if one is not None:
            return {**common, "stop": stop, **own, "search": _plain(one.space)}
        strategies = {
            name: {**{kind: each.initial.data()[kind] for kind in SEARCHED}, "search": _plain(each.space)}
            for name, each in self.strategies.items()
        }
        return {**common, "stop": stop, **own, "strategies": strategies}


def load(
    source: Source,
    overrides: Iterable[str] = (),
    *,
    arguments: Mapping[str, Any] | None = None,
    plugins: Iterable[Any] = (),
    options: Options = NO_OPTIONS,
) -> Tuning:
    """Read and check a tuning; parameters and errors as for `fooldeap.configuration.config.load`."""
    document = config.merged_config(source, overrides, arguments, unnamed="tuning")
    document = definition.named_by_its_file(document, source)
    base = document.without(*_ALL_KEYS)
    registry = config.registry_of(base, plugins, options)
    checker = Checker(document, registry)
    given = {key: document.data[key] for key in keys_of(TuningKeys) if key in document.data}
    own = checker.values(keys_of(TuningKeys), given, ())
    checker.finish()
    base = definition.with_goal_and_budget(document, base, registry)
    strategies = {each.name: each for each in _strategies(document, base, registry, options)}
    config.admit_commands(each.initial for each in strategies.values())
    common = next(iter(strategies.values())).initial
    reader = _InstanceReader(document, base, registry, common)
    instances = reader.read(("instances",), document.data.get("instances") or {}, common.seed)
    unseen = dict(_unseen(reader, document, instances))
    tuning = Tuning(common.name, strategies, instances, unseen, own["images"], own["block"], document)
    check_size(tuning.data())
    return tuning


def _strategies(document: Document, base: Document, registry: Registry, options: Options) -> Iterator[Strategy]:
    given = document.data.get("strategies")
    if given is None:
        yield _strategy("", document, ("search",), base, registry, options)
        return
    if not isinstance(given, dict) or len(given) < 2:
        expected = "expected at least two strategies, each with changes and its 'search': {a: {search: ...}, b: ...}"
        raise document.error(("strategies",), f"got {shown(given)}, {expected}")
    for name, changes in given.items():
        path: Key = ("strategies", name)
        check_name(document, path, name)
        if not isinstance(changes, dict):
            raise document.error(path, f"got {shown(changes)}, expected changes of the experiment, and 'search'")
        part = Document({})
        for key in sorted(changes, key=lambda each: each.count(".")):
            if key == "search":
                continue
            check_key(document, (*path, key), key)
            if key.partition(".")[0] not in SEARCHED:
                expected = f"expected a key of {', '.join(SEARCHED)}"
                raise document.error((*path, key), f"is the same for all strategies; {expected}", at_key=True)
            part = document.subtree((*path, key), tuple(key.split("."))).merge_onto(part)
        yield _strategy(name, document, (*path, "search"), part.merge_onto(base), registry, options)


def _strategy(
    name: str, document: Document, path: Key, base: Document, registry: Registry, options: Options
) -> Strategy:
    space = Space(document, path)
    initial = definition.experiment_of(base, registry, options, also=_ALL_KEYS)
    strategy = Strategy(name, initial, space, base, registry)
    _check_conditions(space, registry)
    values, problems = space.values_of(initial), dict[str, None]()
    for corner in space.corners(values):
        try:
            changed = strategy.experiment(corner)
        except InputError as error:
            problems.update(dict.fromkeys(str(error).splitlines()))
            continue
        if _jointly(changed) != _jointly(initial):
            message = (
                f"{changed.algorithm.plugin.name} and {initial.algorithm.plugin.name} cannot be compared run by run"
            )
            cure = "one pursues all targets in a run, the other has a run for each target; tune them as strategies"
            raise document.error((*path, "algorithm"), f"{message}: {cure}")
    if problems:
        raise InputError("\n".join(problems))
    return strategy


def _check_conditions(space: Space, registry: Registry) -> None:
    """Refuse a parameter of a plugin that is searched, if another choice does not have this parameter."""
    by_key = {each.key: each for each in space.parameters}
    for each in space.parameters:
        kind, _, name = each.key.partition(".")
        if kind not in by_key or not name:
            continue
        chosen = space.document.subtree(space.path, ("search",)).data["search"][kind]
        options = chosen["choices"] if isinstance(chosen, dict) else chosen
        plugins = dict(zip(by_key[kind].choices, map(_name_of, options), strict=True))
        able = [label for label, plugin in plugins.items() if _has(registry, kind, plugin, name)]
        others = [label for label in each.when.get(kind, tuple(plugins)) if label not in able]
        if able and others:
            labels = able[0] if len(able) == 1 else f"[{', '.join(able)}]"
            message = f"{others[0]} has no parameter {name!r}; add the condition 'when: {{{kind}: {labels}}}'"
            raise space.document.error(each.path, message, at_key=True)


def _name_of(option: Any) -> str:
    return str(option.get("name", "") if isinstance(option, dict) else option)


def _has(registry: Registry, kind: str, plugin: str, parameter: str) -> bool:
    return any(each.name == plugin and parameter in each.parameters for each in registry.all(kind))


def _jointly(experiment: Experiment) -> bool:
    return bool(experiment.algorithm.plugin.options["targets"] == "all")


@dataclass(frozen=True)
class _InstanceReader:
    """Reads sets of instances from a document."""

    document: Document
    base: Document
    registry: Registry
    common: Experiment

    def read(self, path: Key, given: Any, first: int) -> Instances:
        if not isinstance(given, dict):
            expected = "expected a mapping such as {classifiers: [...], targets: all, seeds: 2}"
            raise self.document.error(path, f"got {shown(given)}, {expected}")
        checker, plain = Checker(self.document, self.registry), {**given}
        listed = plain.pop("classifiers", None)
        values = checker.values(keys_of(InstanceKeys), plain, path, also=("classifiers",))
        checker.finish()
        targets = self.common.targets if values["targets"] is None else values["targets"]
        if targets != "all" and not isinstance(targets, tuple):
            targets = (targets,)
        classifiers = tuple(self._classifiers((*path, "classifiers"), listed))
        return Instances(classifiers, targets, first, values["seeds"] or self.common.seeds)

    def _classifiers(self, path: Key, listed: Any) -> Iterator[Choice]:
        if listed is None:
            yield self.common.classifier
            return
        if not isinstance(listed, list) or not listed:
            expected = "expected a list of classifiers: [{name: keras, model: mnist_lenet}]"
            raise self.document.error(path, f"got {shown(listed)}, {expected}")
        seen: list[Choice] = []
        for index in range(len(listed)):
            part = self.document.subtree((*path, index), ("classifier",))
            whole = part.merge_onto(self.base.without("dataset"))
            whole.data["dataset"] = None
            choice = config.checked(whole, self.registry, self.common.options, also=_ALL_KEYS).classifier
            if choice in seen:
                raise self.document.error((*path, index), "got the same classifier twice, expected each one once")
            seen.append(choice)
            yield choice


def _unseen(reader: _InstanceReader, document: Document, training: Instances) -> Iterator[tuple[str, Instances]]:
    """Yield the sets of unseen instances. Their seeds follow those of the training instances."""
    given = document.data.get("unseen")
    given = _OTHER_SEEDS if given is None else given
    if not isinstance(given, dict) or not given:
        expected = "expected sets of instances by name: {other-seeds: {seeds: 10}}"
        raise document.error(("unseen",), f"got {shown(given)}, {expected}")
    for name, each in given.items():
        check_name(document, ("unseen", name), name)
        found = reader.read(("unseen", name), each, training.first + training.seeds)
        if len(found.classifiers) > 1:
            message = "got several classifiers, expected one; make a set of unseen instances for each of them"
            raise document.error(("unseen", name, "classifiers"), message)
        yield name, found


def _plain(space: Space) -> dict[str, Any]:
    """Return the content of a search space, with the full paths of files."""
    found: Any = space.document.data
    for part in space.path:
        found = found[part]
    return {key: _with_paths(value, space.document.place((*space.path, key)).folder) for key, value in found.items()}


def _with_paths(value: Any, folder: Path) -> Any:
    if isinstance(value, dict):
        return {key: _with_paths(each, folder) for key, each in value.items()}
    if isinstance(value, list):
        return [_with_paths(each, folder) for each in value]
    if isinstance(value, str) and "/" in value and (folder / value).is_file():
        return str((folder / value).resolve())
    return value
