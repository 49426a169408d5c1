"""Run the configurations of configs/paper/: the tables of docs/paper.md.

    python benchmarks/paper.py [configs/paper/direct.yaml ...] [key=value ...] [--images DIR]

Each configuration runs with all its seeds; ``key=value`` overrides keys. The first table gives the confidence of the
best images so far at some generations: the median over the digits, and of these medians the median, minimum and maximum
over the seeds. The second table gives the evaluations until the first image with 99.99 %. ``--images`` writes a contact
sheet of the first seed of each configuration to a folder.
"""

import argparse
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median

from fooldeap.configuration import config
from fooldeap.images.pictures import contact_sheets
from fooldeap.plugin import Result, RunResult
from fooldeap.runs.experiment_session import ExperimentSession

FOLDER = Path(__file__).parent.parent / "configs" / "paper"
CONFIGS = [FOLDER / f"{name}.yaml" for name in ("direct", "cppn", "gradient", "gradient_l2")]
GENERATIONS = (5, 20, 50, 100, 200)


def main() -> None:
    """Print the tables as Markdown."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("words", nargs="*", metavar="CONFIG or key=value")
    parser.add_argument("--images", type=Path)
    arguments = parser.parse_args()
    overrides = [word for word in arguments.words if "=" in word]
    configs = [Path(word) for word in arguments.words if "=" not in word] or CONFIGS
    results = {}
    for path in configs:
        with ExperimentSession(config.load(path, overrides, arguments={"reporters": []})) as prepared:
            results[path.stem] = result = prepared.run(None)
        if arguments.images:
            arguments.images.mkdir(parents=True, exist_ok=True)
            (arguments.images / f"{path.stem}.png").write_bytes(next(contact_sheets(first_seed(result))))
    print("\n".join(confidences(results)))
    print("\n".join(["", *evaluations(results)]))


def confidences(results: dict[str, Result]) -> Iterator[str]:
    """Yield the lines of the table of confidences."""
    yield f"| | {' | '.join(f'generation {each}' for each in GENERATIONS)} | worst digit at {GENERATIONS[-1]} |"
    yield "|---" + "|---:" * (len(GENERATIONS) + 1) + "|"
    for name, result in results.items():
        medians = [spread([median(digits) for digits in at(result, generation)]) for generation in GENERATIONS]
        worst = spread([min(digits) for digits in at(result, GENERATIONS[-1])])
        yield f"| `{name}` | {' | '.join(medians)} | {worst} |"


def evaluations(results: dict[str, Result]) -> Iterator[str]:
    """Yield the lines of the table of evaluations."""
    yield "| | runs at 99.99 % | evaluations to 99.99 %, median run | maximum of the successful runs | evaluations |"
    yield "|---|---:|---:|---:|---:|"
    for name, result in results.items():
        reached = [run.evaluations_to_goal for run in result if run.evaluations_to_goal is not None]
        middle = median(reached + [math.inf] * (len(result) - len(reached)))
        most = f"{max(reached):,}" if reached else "-"
        yield f"| `{name}` | {len(reached)} of {len(result)} | {middle:,.0f} | {most} | {result.evaluations:,} |"


def at(result: Result, generation: int) -> list[list[float]]:
    """Return for each seed a list with the highest confidence of each digit until a generation."""
    seeds = sorted({run.seed for run in result})
    return [[best(run, generation) for run in result if run.seed == seed] for seed in seeds]


def best(run: RunResult, generation: int) -> float:
    """Return the highest confidence of a run until a generation, or until its end if it ended earlier."""
    return max(row.confidence for row in run.log if row.generation <= generation)


def spread(values: list[float]) -> str:
    """Return the median, the minimum and the maximum of confidences in percent."""
    middle, low, high = map(percent, (median(values), min(values), max(values)))
    return f"{middle} ({low} to {high})"


def percent(value: float) -> str:
    """Return a share in percent, rounded down, so that 100 means exactly 1."""
    digits = 3 if value > 0.99 else 1 if value > 0.001 else 4
    return f"{math.floor(100 * value * 10**digits) / 10**digits:.{digits}f}"


def first_seed(result: Result) -> Result:
    """Return only the runs of the first seed."""
    first = min(run.seed for run in result)
    return replace(result, runs=tuple(run for run in result if run.seed == first))


if __name__ == "__main__":
    main()
