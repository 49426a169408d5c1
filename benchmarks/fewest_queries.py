"""Count the evaluations that each strategy needs to fool all ten digits: the tables of docs/fewest_queries.md.

    python benchmarks/fewest_queries.py [--seeds 11] [--seed 1] [--model FILE ...] [--quick] [key=value ...]

The count is the number of evaluations until the last of the ten digits has reached 99.99 %, the rest of its batch
included. It is that of one run for all targets, or of ten runs together. Each strategy runs with the same seeds on both
shipped classifiers and on the models of ``--model``. ``--quick`` runs only configs/fewest_queries.yaml. ``key=value``
changes only this configuration. ``--images`` saves the images of the first seed.
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median

from fooldeap.configuration import config
from fooldeap.images.pictures import contact_sheets
from fooldeap.plugin import Result
from fooldeap.runs.experiment_session import ExperimentSession

CONFIGS = Path(__file__).parent.parent / "configs"
FEWEST = "`fewest_queries.yaml`, all digits in one run"
STRATEGIES = {
    FEWEST: ("fewest_queries.yaml", ()),
    "`cma_es` (pycma), population 8, 8 x 8 frequencies, sigma 350, ten runs": (
        "cma_es.yaml",
        ("algorithm.population=8", "genome.size=8", "genome.sigma=350"),
    ),
    "`random_search` on the frequencies of `fewest_queries.yaml`": (
        "fewest_queries.yaml",
        ("algorithm={name: random_search, population: 30}",),
    ),
    "`gradient_ascent` on the pixels, ten runs; uses gradients": (
        "fewest_queries.yaml",
        ("algorithm=gradient_ascent", "genome=pixels"),
    ),
}
SHIPPED = ("mnist_cnn", "mnist_lenet")


def main() -> None:
    """Print the tables as Markdown."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("overrides", nargs="*", metavar="key=value")
    parser.add_argument("--seeds", type=int, default=11)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--model", action="append", default=[])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--images", type=Path)
    arguments = parser.parse_args()
    strategies = {FEWEST: STRATEGIES[FEWEST]} if arguments.quick else STRATEGIES
    print("| classifier | strategy | digits reached | evaluations, median | each seed |\n|---|---|---:|---:|---|")
    for model in (*SHIPPED, *arguments.model):
        for name, (file, settings) in strategies.items():
            overrides = [*settings, *(arguments.overrides if name == FEWEST else ())]
            seeds = {"seed": arguments.seed, "seeds": arguments.seeds, "classifier": {"name": "keras", "model": model}}
            experiment = config.load(CONFIGS / file, overrides, arguments={"reporters": [], **seeds})
            with ExperimentSession(experiment) as prepared:
                result = prepared.run(None)
            print(row(model, name, result, experiment.algorithm.plugin.options["targets"] == "all"), flush=True)
            if arguments.images and name == FEWEST:
                arguments.images.mkdir(parents=True, exist_ok=True)
                (arguments.images / f"{Path(model).stem}.png").write_bytes(next(contact_sheets(first_seed(result))))


def row(model: str, name: str, result: Result, joint: bool) -> str:
    """Return the row of a strategy; in ``joint`` runs, an image counts once for all targets."""
    counts = list(evaluations(result, joint))
    reached = sum(run.evaluations_to_goal is not None for run in result)
    each = " ".join(f"{count}" for count in sorted(counts))
    return f"| `{Path(model).stem}` | {name} | {reached} of {len(result)} | **{median(counts):.0f}** | {each} |"


def evaluations(result: Result, joint: bool) -> Iterator[int]:
    """Yield the number of evaluations of each seed."""
    for seed in sorted({run.seed for run in result}):
        counts = [run.evaluations for run in result if run.seed == seed]
        yield max(counts) if joint else sum(counts)


def first_seed(result: Result) -> Result:
    """Return only the runs of the first seed."""
    first = min(run.seed for run in result)
    return replace(result, runs=tuple(run for run in result if run.seed == first))


if __name__ == "__main__":
    main()
