"""The command line. Exit codes: 0 done, 1 failed while running, 2 the input is wrong, 130 interrupted."""

import os
import sys
import warnings
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from fooldeap import guard, lines
from fooldeap.errors import FooldeapError, FooldeapWarning, InputError, Interrupted, PluginError, RunError

app = typer.Typer(
    name="fooldeap",
    help="Evolve images that fool an image classifier: noise to a person, a certain '3' to a network.",
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
plugins_app = typer.Typer(help="List the plugins, show, check or begin one.", invoke_without_command=True)
app.add_typer(plugins_app, name="plugins")

# Typer brings a click of its own in some versions, and uses an installed one in others: this is its class in both.
ClickException: Any = typer.BadParameter.__mro__[2]

Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="KEY=VALUE", help="Override keys: seed=2 mutation.rate=0.02"),
]
Plugins = Annotated[
    list[Path] | None,
    typer.Option("--plugins", metavar="PATH", help="A file or folder with plugins; may be given several times."),
]
Workers = Annotated[
    str | None,
    typer.Option(metavar="N", help="Processes that evaluate, by SCOOP; auto: one a core. Default: as in the file."),
]
Force = Annotated[
    bool,
    typer.Option("--force", help="Resume although packages, plugins or the file changed; the result says so."),
]
TrustModel = Annotated[
    bool, typer.Option("--trust-model", help="Run code that the model's file holds or names: only if you trust it.")
]
NoPlugins = Annotated[bool, typer.Option("--no-plugins", help="Refuse a file that names plugins or commands to run.")]


@app.callback()
@plugins_app.callback()
def _help(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())


@app.command()
def run(
    config: Annotated[Path | None, typer.Argument(metavar="CONFIG", help="The experiment, a YAML file.")] = None,
    overrides: Overrides = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The folder to write; default: runs/<name>/<number>.")
    ] = None,
    resume: Annotated[Path | None, typer.Option(metavar="DIR", help="Continue the experiment in this folder.")] = None,
    workers: Workers = None,
    plugins: Plugins = None,
    no_plugins: NoPlugins = False,
    trust_model: TrustModel = False,
    force: Force = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show nothing but errors.")] = False,
) -> None:
    """Run the experiment that a YAML file describes, or continue one."""
    from fooldeap import Result, experiment

    options: dict[str, Any] = {
        "workers": _count(workers),
        "quiet": quiet,
        "trust_model": trust_model,
        "no_plugins": no_plugins,
    }
    words = list(overrides or ())
    if resume is not None and config is not None and "=" in config.name:  # there it is no file
        words, config = [str(config), *words], None
    if resume is None and config is None:
        raise InputError("name the experiment, a YAML file: fooldeap run configs/mnist.yaml")
    if resume is not None and (config is not None or out is not None or plugins):
        raise InputError("--resume DIR goes alone: the folder holds its configuration")
    if force and resume is None:
        raise InputError("--force: got no --resume DIR, which it is for; leave it out")
    try:
        if config is not None:
            done: Result | None = experiment.run(config, *words, out=out, plugins=plugins or (), **options)
        elif resume is not None:
            done = experiment.resume(resume, *words, force=force, **options)
            if done is None and not quiet:
                _say(f"{resume}: is finished already; see {resume / 'result.json'}")
        if done is not None and done.failures:
            raise RunError(f"{len(done.failures)} of the runs failed; the others are in {done.folder}")
    except KeyboardInterrupt as interrupt:
        raise Interrupted(str(interrupt) or "interrupted") from None


@app.command()
def compare(
    study: Annotated[Path | None, typer.Argument(metavar="STUDY", help="The study, a YAML file.")] = None,
    overrides: Overrides = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The folder to write; default: runs/<name>/<number>.")
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Make only what is missing in this folder, and its report anew.")
    ] = None,
    tried: Annotated[
        Path | None,
        typer.Option("--try", metavar="FILE", help="Compare the plugin in FILE with the stock ones of its kind."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it would take.")] = False,
    workers: Workers = None,
    plugins: Plugins = None,
    no_plugins: NoPlugins = False,
    trust_model: TrustModel = False,
    force: Force = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show nothing but errors.")] = False,
) -> None:
    """Compare the variants of a study, or try a plugin.

    It ends in a report with honest statistics.
    """
    from fooldeap.study import comparison
    from fooldeap.study.forecast import forecast
    from fooldeap.study.plan import StudyFolder
    from fooldeap.trust import trusting

    words = list(overrides or ())
    if study is not None and "=" in study.name and not study.exists():  # with --resume or --try there need be no file
        words, study = [str(study), *words], None
    options: dict[str, Any] = {
        "out": out,
        "resume": resume,
        "plugin_file": tried,
        "plugins": plugins or (),
        "workers": _count(workers),
    }
    try:
        if dry_run:
            with trusting(model=trust_model, no_plugins=no_plugins):
                loaded = comparison.load(study, *words, **options)
                folder = None if resume is None else StudyFolder.open(resume)
                _say(f"{loaded.name}: {forecast(loaded, folder)}")
            return
        options |= {"trust_model": trust_model, "no_plugins": no_plugins, "force": force}
        done = comparison.compare(study, *words, **options, quiet=quiet)
    except KeyboardInterrupt as interrupt:
        raise Interrupted(str(interrupt) or "interrupted") from None
    if not quiet:
        _say(f"\n{done}\n\n{done.folder / 'report.md'}")
    if done.outcome.failed:
        raise RunError(f"{', '.join(done.outcome.failed)} failed; the others are in {done.folder}")


def _count(workers: str | None) -> int | Literal["auto"] | None:
    if workers is None and _scoop_runs():
        return "auto"  # SCOOP's launcher has started them
    if workers is None or workers == "auto":
        return workers  # type: ignore[return-value]
    if not workers.isdecimal() or int(workers) < 1:
        raise InputError(f"--workers: got {workers!r}, expected a number of at least 1, or auto")
    return int(workers)


@app.command()
def retrain(
    config: Annotated[Path | None, typer.Argument(metavar="CONFIG", help="The retraining, a YAML file.")] = None,
    overrides: Overrides = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The folder to write; default: runs/<name>/<number>.")
    ] = None,
    resume: Annotated[Path | None, typer.Option(metavar="DIR", help="Go on with the chain in this folder.")] = None,
    workers: Workers = None,
    plugins: Plugins = None,
    no_plugins: NoPlugins = False,
    force: Force = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show nothing but errors.")] = False,
) -> None:
    """Train networks on the images that fooled the ones before.

    And see whether they are harder to fool.
    """
    from fooldeap.retrain.chain import retrain as make_chain

    options: dict[str, Any] = {"plugins": plugins or (), "workers": _count(workers), "force": force, "quiet": quiet}
    try:
        done = make_chain(config, *(overrides or ()), out=out, resume=resume, no_plugins=no_plugins, **options)
    except KeyboardInterrupt as interrupt:
        raise Interrupted(str(interrupt) or "interrupted") from None
    if done is None:
        _say(f"{resume}: is finished already; see {Path(str(resume)) / 'report.md'}")
    elif not quiet:
        _say(f"\n{done}\n\n{done.folder / 'report.md'}")


@app.command()
def train(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="The classifier, a YAML file.")],
    overrides: Overrides = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The model file to write; default: <name>.keras.")
    ] = None,
    plugins: Plugins = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show nothing but errors.")] = False,
) -> None:
    """Train the classifier that a YAML file describes."""
    from fooldeap.train import train as train_classifier

    try:
        trained = train_classifier(config, overrides or (), out, progress=not quiet, plugins=plugins or ())
    except KeyboardInterrupt:
        raise Interrupted("interrupted; the same command goes on after the last epoch that was finished") from None
    if trained is None and not quiet:
        _say(f"{out or config}: is trained already; nothing was done")
    elif trained is not None and not quiet:
        _say(f"{trained.model}: test accuracy {trained.test_accuracy:.4f}; model card: {trained.card}")


@app.command()
def schema(
    study: Annotated[bool, typer.Option("--study", help="Of a study file, not an experiment's.")] = False,
    training: Annotated[bool, typer.Option("--training", help="Of a training file, not an experiment's.")] = False,
    retraining: Annotated[bool, typer.Option("--retraining", help="Of a retraining file.")] = False,
    plugins: Plugins = None,
) -> None:
    """Print the JSON Schema of the YAML files, for your editor."""
    from fooldeap import registry
    from fooldeap import schema as schemas

    known = registry.load(plugins or ())
    wanted = schemas.experiment(known)
    if training:
        wanted = schemas.training()
    elif study:
        wanted = schemas.study(known)
    elif retraining:
        wanted = schemas.retraining(known)
    print(schemas.text(wanted), end="")


@app.command()
def verify(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a finished run or study.")],
    sample: Annotated[
        int | None,
        typer.Option(metavar="K", help="Only K batches of a run, or K runs of a study; default: everything."),
    ] = None,
    workers: Workers = None,
    no_plugins: NoPlugins = False,
    trust_model: TrustModel = False,
) -> None:
    """Replay a finished run or study, and compare every bit."""
    from fooldeap.trust import trusting
    from fooldeap.verify import verify as verdict_on

    if sample is not None and sample < 1:
        raise InputError(f"--sample: got {sample}, expected a number of at least 1")
    with trusting(model=trust_model, no_plugins=no_plugins):
        verdict = verdict_on(folder, sample=sample, workers=_count(workers))
    if not verdict.reproduced:
        raise RunError(str(verdict))
    _say(str(verdict))


@plugins_app.command("list")
def list_plugins(
    kind: Annotated[str | None, typer.Argument(metavar="KIND", help="Only plugins of this kind.")] = None,
    plugins: Plugins = None,
) -> None:
    """List the plugins by kind."""
    from fooldeap import catalogue, registry

    _say(catalogue.listing(registry.load(plugins or ()), kind))


@plugins_app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The plugin's name, or kind/name.")],
    plugins: Plugins = None,
) -> None:
    """Show what a plugin does and its parameters."""
    from fooldeap import catalogue, registry

    _say(catalogue.description(registry.load(plugins or ()), name))


@plugins_app.command()
def new(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="mutation, crossover, selection, ...")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name, small letters and '_'.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder to write to.")] = Path(),
) -> None:
    """Write a working plugin to begin with, and its test."""
    from fooldeap import scaffold

    plugin, test = scaffold.write(kind, name, out)
    _say(f"{plugin}: a {kind} that works; change it. {test}: its test, for pytest.")
    _say(f"Try: fooldeap plugins check {plugin}")


@plugins_app.command()
def check(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FILE] [KEY=VALUE]",
            help="Files or folders, without: all installed plugins; and parameters: rate=0.02, or mutation.rate=0.02.",
        ),
    ] = None,
    plugins: Plugins = None,
) -> None:
    """Check plugins: name each promise that one breaks."""
    from fooldeap import testing

    values = [word for word in words or () if "=" in word and not Path(word).exists()]
    files = [Path(word) for word in words or () if word not in values]
    verdicts = testing.check(files, plugins or (), values)
    text = "\n".join(map(str, verdicts))
    if files and any(verdict.unchecked for verdict in verdicts):
        raise InputError(text)
    if any(verdict.broken for verdict in verdicts):
        raise PluginError(text)
    _say(text)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit."""
    warnings.showwarning = _show_warning  # type: ignore[assignment]
    guard.last_resort = _end_at_once
    try:
        code = app(arguments, standalone_mode=False) or 0
        if code == Interrupted.exit_code:  # which some versions of Typer return without a word
            raise Interrupted("interrupted")
    except FooldeapError as error:
        code = _fail(str(error), error.exit_code)
    except ClickException as error:
        code = _fail(error.format_message(), error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        code = _fail("interrupted", Interrupted.exit_code)
    if code or not _scoop_runs():  # whose root must not exit, but return
        sys.exit(code)


def _scoop_runs() -> bool:
    """Tell whether SCOOP's own launcher started this process: ``python -m scoop -n 4 "$(which fooldeap)" run ...``."""
    scoop = sys.modules.get("scoop")
    return scoop is not None and scoop.IS_RUNNING and scoop.MAIN_MODULE != "fooldeap"  # which is what our pool says


def _fail(message: str, code: int) -> int:
    lines.tell(message)
    return code


def _end_at_once(message: str) -> None:
    os._exit(_fail(f"{message}; a folder that it was run in can be resumed", RunError.exit_code))


def _say(text: str) -> None:
    print(lines.printable(text))


def _show_warning(message: Warning | str, category: type[Warning], *place: Any) -> None:
    # A warning of ours is for the user; one of a library is for its developers.
    if issubclass(category, FooldeapWarning):
        lines.tell(f"warning: {message}")
