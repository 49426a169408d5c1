"""The Python functions of fooldeap: `run`, `resume`, `fool` and `toolbox`."""

import importlib
import importlib.util
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from operator import attrgetter
from pathlib import Path
from typing import Any

from fooldeap import registry as registries
from fooldeap.configuration import config, reading
from fooldeap.configuration.choices import Choice
from fooldeap.configuration.experiment import Experiment
from fooldeap.errors import InputError
from fooldeap.options import Options
from fooldeap.plugin import Classifier, Plugin, Toolbox, plugin_of
from fooldeap.registry import Registry
from fooldeap.results import Result
from fooldeap.runs.experiment_session import ExperimentSession
from fooldeap.runs.run_folder import RunFolder, load
from fooldeap.runs.session import warn
from fooldeap.storage.sums import PAGE

IN_MEMORY = "(in memory)"
Source = str | Path | Mapping[str, Any] | Experiment
# Keys that extend an experiment. They change only how many images a run shows, not which, so its journal stays valid.
_LIMITS = ("stop.evaluations", "stop.generations", "stop.confidence", "stop.stagnation", "seeds")
_EXTENDING = (*_LIMITS, "targets")


def run(
    source: Source,
    *overrides: str,
    out: str | Path | None = None,
    plugins: Iterable[Any] = (),
    workers: int | str | None = None,
    quiet: bool = False,
    images: bool = True,
    trust_model: bool = False,
    no_plugins: bool = False,
    **arguments: Any,
) -> Result:
    """Run an experiment and return its result. All files are written to a new folder, ``result.folder``.

    Parameters
    ----------
    source : a YAML file, or its content as a mapping
    overrides : keys as on the command line, ``"mutation.rate=0.02"``
    out : the folder; None: the next one below ``runs/<name>/``
    plugins : files, folders, or decorated functions and classes, in addition to the installed plugins
    workers : number of processes that evaluate, or another value of ``--workers``; None: as configured
    quiet : leave out reporters that print to the screen
    images : whether these reporters show images
    trust_model : allow code in the model's file, or named by it; only for files from people you trust
    no_plugins : refuse a file that names plugins or commands
    arguments : top-level keys of the file, ``seed=2``. The executor may also be an object in memory that an executor
        plugin accepts, such as a Dask client: ``executor=client``

    Raises
    ------
    InputError
        The input is wrong. Nothing was written.
    RunError
        The run failed. The folder is kept and can be resumed.
    """
    arguments = {**config.executor_for(workers), **arguments}
    options = Options(trust_model, no_plugins)
    experiment = config.load(source, overrides, arguments=arguments, plugins=plugins, options=options)
    for text in config.unused_operators(experiment):
        warn(text)
    with ExperimentSession(experiment) as prepared:
        folder = RunFolder.create(prepared.experiment, Path(out) if out is not None else None)
        result = prepared.run(folder, quiet=quiet, images=images)
    return _report(folder, result, wanted=prepared.experiment.report)


def resume(
    folder: str | Path,
    *overrides: str,
    plugins: Iterable[Any] = (),
    workers: int | str | None = None,
    executor: Any = None,
    quiet: bool = False,
    images: bool = True,
    trust_model: bool = False,
    no_plugins: bool = False,
    force: bool = False,
) -> Result:
    """Resume the experiment in a folder. If it is finished, return its result, see `load`.

    Runs that failed and were skipped continue from their journals. ``plugins`` are plugins that were passed as
    functions or classes, or files that were moved. ``force`` resumes although packages, plugins, the classifier or the
    configuration have changed; the result records this. The executor and ``workers`` may differ from the earlier
    session; results stay bit-identical. A folder does not record that its model is trusted, so pass ``trust_model``
    again. All other parameters are those of `run`.

    ``overrides`` may only set ``"on_error=skip"``, the executor, ``"executor=serial"``, and settings that extend the
    experiment: a larger budget, ``"stop.evaluations=50000"``, a higher goal, more seeds or more targets. The result is
    then the same as that of a run with these settings from the start.
    """
    session, extending = _split(overrides)
    opened = RunFolder.open(Path(folder), force=force)
    options = Options(trust_model, no_plugins, force, opened.environment.earlier)
    before: Experiment | None = None
    if extending or not opened.settled:
        arguments = config.executor_for(workers) if executor is None else {"executor": executor}
        experiment = config.load(opened.config, session, arguments=arguments, plugins=plugins, options=options)
    if extending:
        options = replace(options, earlier=(*options.earlier, experiment.digest))
        extended = config.load(experiment, extending, plugins=plugins, options=options)
        if _extends(experiment, extended, opened.path):
            before, experiment = experiment, extended
    if opened.settled and before is None:  # a process that was killed at its end leaves no page
        opened.remove_unlisted_journals()
        missing = not (opened.path / PAGE).exists()
        return _report(opened, load(folder), wanted=missing and reading.read(opened.config).data.get("report", True))
    with ExperimentSession(experiment, rows=opened.rows) as prepared:
        result = prepared.run(opened, resumed=True, extends=before, quiet=quiet, images=images)
    return _report(opened, result, wanted=experiment.report)


def fool(
    model: Any,
    target: int | str | list[int | str] = "all",
    *overrides: str,
    plugins: Iterable[Any] = (),
    workers: int | str | None = None,
    quiet: bool = False,
    trust_model: bool = False,
    **arguments: Any,
) -> Result:
    """Evolve images that fool a model, and return the result. No file is written.

    Parameters
    ----------
    model : a model in memory that a classifier plugin accepts (a Keras model, a PyTorch module, an ONNX session or a
        function), a classifier, a model file, or a value of the key ``classifier``: a mapping or the name of a plugin.
        For a model in memory, ``classifier={"shape": [28, 28, 1]}`` sets the parameters of its plugin
    target : a class by number or name, a list of classes, or ``"all"``
    overrides, plugins, workers, quiet, trust_model, arguments : as for `run`, but by default without reporters; other
        processes need a model that they can load
    """
    plugins, named = registries.each(plugins), isinstance(model, str | Path | Mapping)
    if isinstance(model, str | Path) and (reader := registries.load(plugins).formats().get(Path(model).suffix.lower())):
        model = {"name": reader, "model": str(model)}
    taker = None if named or _is_classifier(model) else _plugin_for(model, registries.load(plugins))
    if taker is not None:
        arguments["classifier"] = {"name": taker.name, _source(taker): IN_MEMORY, **_settings(taker, arguments)}
    given = {"targets": target, "reporters": [], **({"classifier": model} if named else {})}
    arguments = {**given, **config.executor_for(workers), **arguments}
    options = Options(trust_model)
    experiment = config.load({}, overrides, arguments=arguments, plugins=plugins, options=options)
    for text in config.unused_operators(experiment):
        warn(text)
    classifier = None if named else model
    if taker is not None:
        values = {name: value for name, value in experiment.classifier.values.items() if name != _source(taker)}
        with experiment.blaming("classifier"):
            classifier = taker.target.from_object(model, **values)  # type: ignore[attr-defined]
    elif classifier is not None:
        experiment = replace(experiment, classifier=_choice_of(classifier))
    with ExperimentSession(experiment, classifier) as prepared:
        return prepared.run(None, quiet=quiet)


def toolbox(
    source: Source,
    *overrides: str,
    plugins: Iterable[Any] = (),
    trust_model: bool = False,
    no_plugins: bool = False,
    **arguments: Any,
) -> Toolbox:
    """Return the ``deap.base.Toolbox`` of an experiment's first run, see `fooldeap.engine.toolboxes`.

    The parameters are those of `run`.
    """
    options = Options(trust_model, no_plugins)
    prepared = ExperimentSession(config.load(source, overrides, arguments=arguments, plugins=plugins, options=options))
    return prepared.toolbox(prepared.runs[0])


def _report(folder: RunFolder, result: Result, *, wanted: bool) -> Result:
    """Write the page of a finished run. Reports are an application: they are imported by name, and may be absent."""
    if wanted and importlib.util.find_spec("fooldeap.report") is not None:
        importlib.import_module("fooldeap.report.run").write(folder, result)
    return result


def _split(overrides: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return the overrides that hold for one session, and those that extend the experiment.

    Raises
    ------
    InputError
        Another key is overridden.
    """
    session, extending = list[str](), list[str]()
    for word in overrides:
        if word.partition("=")[0] in _EXTENDING:
            extending.append(word)
        elif re.match(r"executor[.=]|on_error=", word):
            session.append(word)
        else:
            raise InputError(
                f"--resume: got {word!r}, expected on_error=skip, keys of the executor, as executor.mode=runs, or an "
                f"extension by {', '.join(_EXTENDING)}; for other settings, start a new run"
            )
    return session, extending


def _extends(before: Experiment, now: Experiment, folder: Path) -> bool:
    """Return whether an experiment differs from what it was before.

    Raises
    ------
    InputError
        A limit is smaller than before.
    """
    for key in _LIMITS:
        old, new = attrgetter(key)(before), attrgetter(key)(now)
        if new is not None and (old is None or new < old):
            expected = "null, no limit" if old is None else f"{old} or more"
            raise InputError(
                f"--resume: {key}: got {new}, expected {expected}, as the experiment in {folder} had before; for less, "
                f"start a new run: fooldeap run {folder / 'config.yaml'} {key}={new}"
            )
    values = attrgetter(*_EXTENDING)
    return bool(values(before) != values(now))


def _is_classifier(model: Any) -> bool:
    return all(hasattr(model, name) for name in ("input_shape", "classes", "logits"))


def _plugin_for(model: Any, registry: Registry) -> Plugin:
    """Return the classifier plugin that takes a model in memory.

    Raises
    ------
    InputError
        No plugin takes it.
    """
    for plugin in registry.all("classifier"):
        takes = getattr(plugin.target, "takes", None)
        if takes is not None and takes(model):
            return plugin
    cure = "wrap it in a function of images, see docs/classifiers.md"
    if hasattr(model, "predict_proba"):
        cure = "wrap model.predict_proba in a function of images, see 'scikit-learn' in docs/classifiers.md"
    raise InputError(
        f"got a {type(model).__module__}.{type(model).__qualname__}, expected a model that a classifier plugin takes, "
        f"or an object with input_shape, classes and logits(images); {cure}"
    )


def _source(plugin: Plugin) -> str:
    """Return the parameter of a classifier plugin that names the model."""
    return "model" if "model" in plugin.parameters else "function"


def _settings(plugin: Plugin, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters for a model in memory, ``classifier={"input_range": [0, 1]}``."""
    settings = arguments.get("classifier", {})
    settings = {"name": settings} if isinstance(settings, str) else dict(settings)
    if settings.setdefault("name", plugin.name) != plugin.name:
        raise InputError(f"classifier: got {settings['name']!r} for a model of {plugin.name!r}; leave 'name' out")
    return settings


def _choice_of(classifier: Classifier) -> Choice:
    """Return a choice that names a classifier in memory: its plugin or its class."""
    own = type(classifier)
    return Choice(plugin_of(own) or Plugin("classifier", own.__name__, own, {}, {"suffixes": ()}), {})
