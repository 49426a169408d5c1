"""The tables of docs/paper.md: the configurations of configs/paper/, generation by generation, and what they took.

    python benchmarks/paper.py [configs/paper/direct.yaml ...] [key=value ...] [--images DIR]

Each configuration is run with all its seeds, and with what ``key=value`` says. The first table says how certain the
network is of the best images until a generation: the median over the digits, of which the median over the seeds, the
least and the largest. The second says what it took: distinct images shown until the first at the goal, 99.99 %.
``--images`` leaves a contact sheet of the first seed of each configuration in a folder.
"""

import argparse
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median

from fooldeap.configuration import config
from fooldeap.images.pictures import contact_sheet
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
            (arguments.images / f"{path.stem}.png").write_bytes(contact_sheet(first_seed(result)))
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
    """Yield the lines of the table of images shown."""
    yield "| | digits at 99.99 % | images to 99.99 %, median digit | the most of those that came there | images shown |"
    yield "|---|---:|---:|---:|---:|"
    for name, result in results.items():
        reached = [run.evaluations_to_goal for run in result if run.evaluations_to_goal is not None]
        middle = median(reached + [math.inf] * (len(result) - len(reached)))
        most = f"{max(reached):,}" if reached else "-"
        yield f"| `{name}` | {len(reached)} of {len(result)} | {middle:,.0f} | {most} | {result.evaluations:,} |"


def at(result: Result, generation: int) -> list[list[float]]:
    """Return the highest confidence until a generation, a list a seed of one a digit."""
    seeds = sorted({run.seed for run in result})
    return [[best(run, generation) for run in result if run.seed == seed] for seed in seeds]


def best(run: RunResult, generation: int) -> float:
    """Return the highest confidence of a run until a generation; what ended before stays as it was."""
    return max(row.confidence for row in run.log if row.generation <= generation)


def spread(values: list[float]) -> str:
    """Return the median of some confidences, and the least and the largest, in per cent."""
    middle, low, high = map(per_cent, (median(values), min(values), max(values)))
    return f"{middle} ({low} to {high})"


def per_cent(value: float) -> str:
    """Return a share in per cent, rounded down, so that 100 is nothing less."""
    digits = 3 if value > 0.99 else 1 if value > 0.001 else 4
    return f"{math.floor(100 * value * 10**digits) / 10**digits:.{digits}f}"


def first_seed(result: Result) -> Result:
    """Return the runs of the first seed alone."""
    first = min(run.seed for run in result)
    return replace(result, runs=tuple(run for run in result if run.seed == first))


if __name__ == "__main__":
    main()
