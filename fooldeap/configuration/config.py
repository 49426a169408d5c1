"""Loads an experiment file as a typed, validated `Experiment`. Every mistake is reported in one line with its cure."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import Any

from fooldeap import registry as registries
from fooldeap import terminal_text
from fooldeap.configuration import document as documents
from fooldeap.configuration import reading
from fooldeap.configuration.checks import Checker, keys_of
from fooldeap.configuration.choices import Choice, marked
from fooldeap.configuration.document import Document, Key, dotted
from fooldeap.configuration.experiment import CHOICES, LISTS, Experiment, PlainKeys
from fooldeap.configuration.reading import found_again
from fooldeap.configuration.stopping import Stop
from fooldeap.errors import InputError, did_you_mean, nearest
from fooldeap.options import NO_OPTIONS, Options
from fooldeap.parameters import shown
from fooldeap.plugin import FITNESS_FEEDBACK, OPERATORS, Plugin
from fooldeap.registry import Registry

MOST_COUNTED = 10**15  # images or generations of a run
DEFAULTS = "defaults"  # the source of default values in messages


def load(
    source: str | Path | Mapping[str, Any] | Experiment,
    overrides: Iterable[str] = (),
    *,
    arguments: Mapping[str, Any] | None = None,
    plugins: Iterable[Any] = (),
    options: Options = NO_OPTIONS,
) -> Experiment:
    """Read and check an experiment.

    Parameters
    ----------
    source : a YAML file, or its content as a mapping
    overrides : ``key=value`` strings with values in YAML; ``key`` may be dotted
    arguments : overrides as plain data from Python
    plugins : files, folders, or decorated functions and classes, in addition to those that the file names
    options : what the user permits

    Raises
    ------
    InputError
        One line for each mistake: file, line, column, key, the value, the expected values, the cure.
    """
    document = merged_config(source, overrides, arguments)
    experiment = checked(document, registry_of(document, plugins, options), options)
    admit_commands([experiment])
    return experiment


def merged_config(
    source: str | Path | Mapping[str, Any] | Experiment,
    overrides: Iterable[str] = (),
    arguments: Mapping[str, Any] | None = None,
    *,
    unnamed: str = "experiment",
) -> Document:
    """Return the merged configuration of an experiment, from defaults to command line. It is not checked yet.

    ``unnamed`` is the name of an experiment without a name and without a file.
    """
    if isinstance(source, Experiment):
        source = source.data()
    if not isinstance(source, Mapping | str | Path):
        raise InputError(f"{unnamed}: got {source!r}, expected a YAML file, or its content as a mapping")
    if isinstance(source, Mapping):
        document, name = documents.from_mapping(source), unnamed
    else:
        document, name = reading.read(Path(source)), as_name(Path(source).stem)
        document = found_again(document, Path(source).parent)
    document = documents.from_mapping(_without_objects(arguments or {})).merge_onto(document)
    document = reading.from_overrides(overrides).merge_onto(document)
    document.data.setdefault("name", name)
    return document.merge_onto(_defaults())


def checked(document: Document, registry: Registry, options: Options, *, also: tuple[str, ...] = ()) -> Experiment:
    """Return the experiment in a document.

    ``also`` are additional keys that messages suggest.

    Raises
    ------
    InputError
        The document has mistakes. The message has one line for each.
    """
    return _ExperimentChecker(document, registry).experiment(options, also)


def executor_for(workers: int | str | None, **parameters: Any) -> dict[str, Any]:
    """Return the key ``executor`` for ``--workers``. Empty if ``workers`` is None.

    A number or ``auto`` is for the executor in ``workers.yaml``. ``NAME`` and ``NAME:NUMBER`` are for the executor of
    this name. ``NAME://HOST:PORT`` sets its parameter ``scheduler`` to this address, with TLS.
    """
    if workers is None:
        return {}
    text, number = str(workers), r"auto|0*[1-9]\d{0,5}"
    if not re.fullmatch(rf"{number}|[A-Za-z][\w-]*(:({number}|//[^\s/]+))?", text):
        raise InputError(
            f"workers: got {text[:60]!r}, expected a number of at least 1, auto, or an executor: NAME, NAME:NUMBER or "
            "NAME://HOST:PORT"
        )
    name, _, value = ("", "", text) if re.fullmatch(number, text) else text.partition(":")
    chosen: dict[str, Any] = {"name": name} if name else dict(_data_file("workers.yaml").data)
    if value.startswith("//"):
        chosen["scheduler"] = f"tls:{value}"
    elif value:
        chosen["workers"] = int(value) if value.isdecimal() else value
    return {"executor": {**chosen, **parameters}}


def _without_objects(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments with an executor in memory, such as a Dask client, replaced by the settings of its plugin.

    Raises
    ------
    InputError
        No executor takes it.
    """
    executor = arguments.get("executor")
    if executor is None or isinstance(executor, str | Mapping):
        return dict(arguments)
    for plugin in registries.load().all("executor"):
        settings = getattr(plugin.target, "from_object", lambda _: None)(executor)
        if settings is not None:
            return {**arguments, "executor": settings}
    got = f"{type(executor).__module__}.{type(executor).__qualname__}"
    raise InputError(f"executor: got a {got}, expected a name, a mapping, or a Dask client or cluster")


def as_name(stem: str) -> str:
    """Return the stem of a file's name, converted to a valid name of an experiment."""
    return re.sub(r"^[^A-Za-z0-9]+", "", re.sub(r"[^A-Za-z0-9._-]+", "-", stem))[:64] or "experiment"


def _defaults() -> Document:
    stop = documents.from_mapping({"stop": asdict(Stop())}, DEFAULTS)
    return _data_file("defaults.yaml").merge_onto(stop)


def _data_file(name: str) -> Document:
    text = (resources.files("fooldeap.data") / name).read_text(encoding="utf-8")
    return reading.parse(text, DEFAULTS, Path.cwd())


def registry_of(document: Document, more: Iterable[Any], options: Options) -> Registry:
    """Return a registry with the document's plugins and ``more``. Store the paths of all of them in the document.

    Plugins that a file names are announced, or refused, before anything is imported. If a file or folder of the
    document does not exist, a path in ``more`` with the same name replaces it.
    """
    more, paths = registries.each(more), document.data["plugins"]
    if not isinstance(paths, list):
        raise document.error(("plugins",), f"got {shown(paths)}, expected a list of files and folders")
    # Resolve paths once, so that the resolved configuration is valid in any folder and a resumed run finds them.
    given = [_as_text(Path(source).resolve()) for source in more if isinstance(source, str | Path)]
    moved = {Path(path).name for path in given}
    named = {("plugins", index): _resolved(document, index, path) for index, path in enumerate(paths)}
    found = {key: path for key, path in named.items() if Path(path).exists() or Path(path).name not in moved}
    for key, path in found.items():
        if not Path(path).exists():
            raise document.error(key, f"no file or folder {path!r}; give its new path: --plugins PATH")
    for key, path in found.items():
        _admit(document, key, f"runs the plugins in {path}", options)
    registry = registries.load(more)
    for key, path in found.items():
        try:
            registry.include(path)
        except InputError as error:
            raise document.error(key, str(error)) from error
    document.data["plugins"] = list(dict.fromkeys([*found.values(), *given]))
    return registry


def _resolved(document: Document, index: int, path: Any) -> str:
    key: Key = ("plugins", index)
    if not isinstance(path, str):
        raise document.error(key, f"got {shown(path)}, expected the path of a file or folder")
    try:
        return _as_text((document.place(key).folder / path).resolve())
    except InputError as error:
        raise document.error(key, str(error)) from None
    except (OSError, ValueError, RuntimeError):  # a NUL byte, a loop of links
        raise document.error(key, f"got {shown(path)}, expected the path of a file or folder") from None


def _as_text(path: Path) -> str:
    try:
        return os.fsencode(path).decode()
    except UnicodeDecodeError:  # the resolved configuration could not contain it
        raise InputError(f"got the path {str(path)!r}, expected UTF-8; rename the file") from None


def admit_commands(experiments: Iterable[Experiment]) -> None:
    """Announce each command that a file makes plugins run, once, or refuse it."""
    announced = set()
    for experiment in experiments:
        for path, value in _commands(experiment):
            if (path, value) not in announced:
                _admit(experiment.document, path, f"uses {dotted(path)}: {value}", experiment.options)
            announced.add((path, value))


def _commands(experiment: Experiment) -> Iterator[tuple[Key, str]]:
    """Yield the commands and addresses given to plugins, except defaults."""
    for key, choice in experiment.choices():
        for name, parameter in choice.plugin.parameters.items():
            value = choice.values[name]
            if marked(parameter.annotation, "command") and value != parameter.default:
                yield (*key, name), str(value)


def _admit(document: Document, path: Key, what: str, options: Options) -> None:
    """Announce what a file makes fooldeap run, or refuse it.

    Values from the command line or from Python are accepted silently.
    """
    place = document.place(path)
    if not place.line:
        return
    if options.no_plugins:
        raise document.error(
            path,
            f"{what}, which --no-plugins forbids; check it, then omit --no-plugins or give it on the command line",
        )
    terminal_text.tell(f"{what}, named in {place.source}".replace("\n", "\\n"))


def unused_operators(experiment: Experiment) -> Iterator[str]:
    """Yield a warning for each operator that was chosen although the algorithm does not use it.

    An operator that a file inherits from its base, or that an override of the algorithm leaves, is not a mistake.
    """
    algorithm, document, defaults = experiment.algorithm.plugin, experiment.document, _defaults().data
    chosen_in = {document.place(("algorithm",)).source, documents.COMMAND_LINE, documents.ARGUMENT} - {DEFAULTS}
    for kind in OPERATORS:
        choice: Choice = getattr(experiment, kind)
        by_default = {name: each.default for name, each in choice.plugin.parameters.items()}
        if choice.plugin.name == defaults[kind] and choice.values == by_default:
            continue  # as in a resolved configuration
        places = [place for path, place in document.values.items() if path[0:1] == (kind,)]
        place = next((each for each in places if each.source in chosen_in), None)
        if kind not in algorithm.options["uses"] and place is not None:
            used = ", ".join(algorithm.options["uses"]) or "no operators"
            yield (
                f"{place}: {kind}: {choice.plugin.name!r} has no effect, because the algorithm "
                f"{algorithm.name!r} uses {used}; remove it or choose another algorithm"
            )


class _ExperimentChecker(Checker):
    """Converts a document to an experiment."""

    def experiment(self, options: Options, also: tuple[str, ...]) -> Experiment:
        data = self.document.data
        plain = {key: value for key, value in data.items() if key not in (*CHOICES, "stop", *LISTS.values())}
        values = self.values(keys_of(PlainKeys), plain, (), also=(*CHOICES, "stop", *LISTS.values(), "base", *also))
        stop = self.stop(data.get("stop"))
        self.generations = stop.get("generations", 0)
        choices = {kind: self.choice(kind, data.get(kind), (kind,)) for kind in CHOICES}
        lists = {key: self.listed(kind, data.get(key)) for kind, key in LISTS.items()}
        self.check_targets(values.get("targets"))
        self.check_fit(choices, lists["statistics"])
        self.check_objectives(choices["fitness"], choices["algorithm"], choices["selection"])
        self.check_feedback(choices)
        self.finish()
        if values["targets"] != "all" and not isinstance(values["targets"], tuple):
            values["targets"] = (values["targets"],)
        return Experiment(
            **values,
            stop=Stop(**stop),
            **{key: tuple(choice for choice in found if choice) for key, found in lists.items()},  # type: ignore[arg-type]
            document=self.document,
            options=options,
            **choices,  # type: ignore[arg-type]
        )

    def listed(self, kind: str, data: Any) -> list[Choice | None]:
        """Return the plugins in the list of a kind, each one once."""
        key = LISTS[kind]
        if not isinstance(data, list):
            example = ", ".join(plugin.name for plugin in self.registry.all(kind)[:2])
            self.problem((key,), f"got {shown(data)}, expected a list such as [{example}]")
            return []
        choices = [self.choice(kind, item, (key, index)) for index, item in enumerate(data)]
        names = [choice.plugin.name if choice else None for choice in choices]
        for index, name in enumerate(names):
            if name is not None and name in names[:index]:
                self.problem((key, index), f"got {name!r} twice, expected each {kind} once")
        return choices

    def stop(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, dict):
            self.problem(("stop",), f"got {shown(data)}, expected a mapping such as {{confidence: 0.9999}}")
            return {}
        values = self.values(keys_of(Stop), data, ("stop",))
        for name, value in values.items():
            if isinstance(value, int) and value > MOST_COUNTED:
                self.problem(("stop", name), f"got {value}, expected at most {MOST_COUNTED}")
        return values

    def check_targets(self, targets: Any) -> None:
        seen = set()
        for index, target in enumerate(targets if isinstance(targets, tuple) else ()):
            if target in seen:
                self.problem(("targets", index), f"got {target} twice, expected each target once")
                return
            seen.add(target)

    def check_fit(self, choices: Mapping[str, Choice | None], statistics: Sequence[Choice | None]) -> None:
        """Record operators and statistics that do not work on the chosen genome."""
        genome = choices["genome"]
        if genome is None:
            return
        algorithm = choices["algorithm"]
        unused = set(OPERATORS) - set(algorithm.plugin.options["uses"]) if algorithm else set()
        for kind, choice in choices.items():
            if kind in unused:
                continue
            chosen = [((), choice), *choice.inner()] if choice is not None else []
            for path, each in chosen:
                if not fits(each.plugin, genome.plugin):
                    self.misfit((kind, *path), each.plugin, genome.plugin)
        for index, statistic in enumerate(statistics):
            if statistic is not None and not fits(statistic.plugin, genome.plugin):
                self.misfit(("statistics", index), statistic.plugin, genome.plugin)

    def check_objectives(self, fitness: Choice | None, algorithm: Choice | None, selection: Choice | None) -> None:
        """Record an algorithm or a selection that takes one objective if the fitness has several."""
        if fitness is None or algorithm is None or len(names := fitness.plugin.options["objectives"]) < 2:
            return
        needed = [algorithm] + ([selection] if selection and "selection" in algorithm.plugin.options["uses"] else [])
        choice = next((each for each in needed if each.plugin.options["objectives"] == "one"), None)
        if choice is None:
            return
        able = f"an algorithm of: {', '.join(self._able('algorithm'))}"
        if choice is selection:
            able = f"a selection of: {', '.join(self._able('selection'))}, or {able}"
        single = [each.name for each in self.registry.all("fitness") if len(each.options["objectives"]) == 1]
        kind = choice.plugin.kind
        by_default = self.document.place((kind,)).source == DEFAULTS
        self.problem(
            ("fitness",) if by_default else (kind,),
            f"the {kind} {choice.plugin.name!r} takes one objective, but the fitness {fitness.plugin.name!r} has "
            f"{len(names)} ({', '.join(names)}); choose {able}, or a fitness of one objective: "
            f"{', '.join(single)}",
        )

    def check_feedback(self, choices: Mapping[str, Choice | None]) -> None:
        """Record operators that ask for the fitness of parents if an image has several values of fitness."""
        fitness, algorithm = choices["fitness"], choices["algorithm"]
        if fitness is None or algorithm is None:
            return
        why = ""
        if algorithm.plugin.options["targets"] == "all":
            why = f"the algorithm {algorithm.plugin.name!r} pursues all targets together"
        elif len(fitness.plugin.options["objectives"]) > 1:
            why = f"the fitness {fitness.plugin.name!r} has several objectives"
        for kind in algorithm.plugin.options["uses"] if why else ():
            choice = choices[kind]
            chosen = [((), choice), *choice.inner()] if choice is not None else []
            for path, each in chosen:
                asked = [name for name in each.plugin.feedback if name in FITNESS_FEEDBACK]
                if asked:
                    needs = f"{each.plugin.name!r} needs one fitness for each image ({', '.join(asked)}), but {why}"
                    self.problem((kind, *path), f"{needs}; choose another {kind}")

    def _able(self, kind: str) -> list[str]:
        """Return the plugins that take several objectives and need no selection."""
        found = [each for each in self.registry.all(kind) if each.options["objectives"] == "any"]
        return [each.name for each in found if "selection" not in each.options.get("uses", ())]

    def misfit(self, path: Key, operator: Plugin, genome: Plugin) -> None:
        """Record an operator that does not fit. If it is a default, the message points at the genome."""
        able = [plugin.name for plugin in self.registry.all(operator.kind) if fits(plugin, genome)]
        cure = f"choose one of: {', '.join(able)}" if able else f"no {operator.kind} supports it; write one"
        genomes = [each.name for each in self.registry.all("genome")]
        for name in named_by(operator):
            if name not in genomes and nearest(name, genomes):
                cure = f"no genome is named {name!r}{did_you_mean(name, genomes)}"
        if self.document.place(path).source == DEFAULTS:
            self.problem(("genome",), f"the default {operator.kind} {operator.name!r} does not work on it; {cure}")
        else:
            self.problem(path, f"{operator.name!r} does not work on the genome {genome.name!r}; {cure}")


_WHOLE: dict[Any, Any] = {"uint8": (0, 255), "bool": (0, 1)}  # the full range of a dtype


def fits(operator: Plugin, genome: Plugin) -> bool:
    """Return whether an operator works on a genome, see `fooldeap.plugin.mutation`."""
    declared = operator.options.get("genome", "any")
    if declared == "any":
        return True
    dtype, bounds = getattr(genome.target, "dtype", None), getattr(genome.target, "bounds", None)
    if declared is None:
        return dtype is not None
    named = named_by(operator)
    # An operator that names a dtype may return any value of it.
    return genome.name in named or (dtype in named and bounds in (None, _WHOLE.get(dtype)))


def named_by(operator: Plugin) -> tuple[str, ...]:
    """Return the genomes and dtypes that an operator names."""
    declared = operator.options.get("genome", "any")
    return () if declared in (None, "any") else (declared,) if isinstance(declared, str) else tuple(declared)
