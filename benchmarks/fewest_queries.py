"""How few images do ten fooled digits take? The tables of docs/fewest_queries.md.

    python benchmarks/fewest_queries.py [--seeds 11] [--seed 1] [--model FILE ...] [--quick] [key=value ...]

Counted are the distinct images that the classifier was shown until the last of the ten digits was reached with
99.99 %, in all: those of one run for all targets, or of ten runs together; with what came in the same batch. Each
strategy is run with the same seeds on both shipped classifiers and on those that ``--model`` names. ``--quick`` leaves
out all but configs/fewest_queries.yaml, which ``key=value`` changes. ``--images`` keeps the first seed's images.
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median

from fooldeap.configuration import config
from fooldeap.images.pictures import contact_sheet
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
    "`gradient_ascent` on the pixels, ten runs; sees gradients": (
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
    print("| classifier | strategy | digits reached | images shown, median | each seed |\n|---|---|---:|---:|---|")
    for model in (*SHIPPED, *arguments.model):
        for name, (file, settings) in strategies.items():
            given = [*settings, *(arguments.overrides if name == FEWEST else ())]
            seeds = {"seed": arguments.seed, "seeds": arguments.seeds, "classifier": {"name": "keras", "model": model}}
            experiment = config.load(CONFIGS / file, given, arguments={"reporters": [], **seeds})
            with ExperimentSession(experiment) as prepared:
                result = prepared.run(None)
            print(row(model, name, result, experiment.algorithm.plugin.options["targets"] == "all"), flush=True)
            if arguments.images and name == FEWEST:
                arguments.images.mkdir(parents=True, exist_ok=True)
                (arguments.images / f"{Path(model).stem}.png").write_bytes(contact_sheet(first_seed(result)))


def row(model: str, name: str, result: Result, joint: bool) -> str:
    """Return one strategy's row; of ``joint`` runs an image counts once for all targets."""
    counts = list(shown(result, joint))
    reached = sum(run.evaluations_to_goal is not None for run in result)
    each = " ".join(f"{count}" for count in sorted(counts))
    return f"| `{Path(model).stem}` | {name} | {reached} of {len(result)} | **{median(counts):.0f}** | {each} |"


def shown(result: Result, joint: bool) -> Iterator[int]:
    """Yield how many images each seed took."""
    for seed in sorted({run.seed for run in result}):
        counts = [run.evaluations for run in result if run.seed == seed]
        yield max(counts) if joint else sum(counts)


def first_seed(result: Result) -> Result:
    """Return the runs of the first seed alone."""
    first = min(run.seed for run in result)
    return replace(result, runs=tuple(run for run in result if run.seed == first))


if __name__ == "__main__":
    main()
