"""What ``fooldeap run`` does with a sweep."""

import os
from pathlib import Path
from typing import Any

from fooldeap.cli.options import print_line
from fooldeap.configuration import reading
from fooldeap.errors import RunError
from fooldeap.extensions import Runner
from fooldeap.options import Options
from fooldeap.sweeps import syntax
from fooldeap.sweeps.definition import KEY, load


def _takes(config: Path | None, overrides: list[str], resume: Path | None) -> bool:
    """Return whether an override has several values, the file has the key ``sweep``, or the folder is a sweep."""
    if resume is not None:
        return os.path.isfile(resume / "sweep.yaml")  # noqa: PTH113 - Path.is_file raises an error for long names
    if config is None or not os.path.isfile(config):  # noqa: PTH113
        return False
    return any(map(syntax.is_sweep, overrides)) or KEY in reading.read(config).data


def _run(
    config: Path | None,
    overrides: list[str],
    resume: Path | None,
    *,
    out: Path | None,
    dry_run: bool,
    quiet: bool,
    plugins: Any,
    workers: Any,
    trust_model: bool,
    no_plugins: bool,
    force: bool,
    images: bool,
) -> None:
    if dry_run:
        from fooldeap.runs.forecast import forecast

        assert config is not None
        loaded = load(config, overrides, plugins=plugins, options=Options(trust_model, no_plugins))
        print_line(f"{loaded.name}: {len(loaded.combinations)} combinations, {forecast(loaded.groups)}")
        return
    from fooldeap.sweeps.session import SweepFolder, sweep

    finished = resume is not None and SweepFolder(resume).finished
    done = sweep(
        config,
        *overrides,
        out=out,
        resume=resume,
        plugins=plugins,
        workers=workers,
        quiet=quiet or finished,
        trust_model=trust_model,
        no_plugins=no_plugins,
        force=force,
    )
    if done.failed:
        raise RunError(
            f"{done.failed} runs failed; the results of the other runs are in {done.folder}; "
            f"to try again: fooldeap run --resume {done.folder}"
        )
    if finished and not quiet:
        print_line(f"{done.folder}: is already finished; see {done.folder / 'table.md'}")
    elif not quiet:
        print_line(f"\n{done}\n\n{done.folder / 'table.md'}")


RUNNER = Runner(_takes, _run)
