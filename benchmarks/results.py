"""Count evaluations to 99.99 % on both shipped networks: the tables of docs/results.md (python benchmarks/results.py).

There are six seeds and ten digits, with the configuration ``configs/mnist.yaml`` and a budget of 25 000 evaluations per
run.
"""

import statistics
from collections.abc import Iterator

import fooldeap

SEEDS = 6


def main() -> None:
    """Print the tables as Markdown."""
    for model, config in (("mnist_cnn", "configs/mnist.yaml"), ("mnist_lenet", "configs/mnist_lenet.yaml")):
        result = fooldeap.fool({"name": "keras", "model": model}, "all", seeds=SEEDS)
        reached = sum(run.reached for run in result)
        print(f"## {model}\n\n`fooldeap run {config} seeds={SEEDS}`: {reached} of {len(result)} reached.\n")
        print("\n".join(table(result)), "\n")


def table(result: fooldeap.Result) -> Iterator[str]:
    """Yield the lines of a table with one row per digit and one column per seed."""
    seeds = sorted({run.seed for run in result})
    yield f"| digit | {' | '.join(f'seed {seed}' for seed in seeds)} | median |"
    yield "|---:" * (len(seeds) + 2) + "|"
    for target in sorted({run.target for run in result}):
        spent = [run.evaluations_to_goal for run in result if run.target == target]
        known = [25_001 if each is None else each for each in spent]
        cells = ["not reached" if each is None else f"{each:,}" for each in spent]
        yield f"| {target} | {' | '.join(cells)} | {statistics.median(known):,.0f} |"
    totals = [sum(run.evaluations for run in result if run.seed == seed) for seed in seeds]
    yield f"| all | {' | '.join(f'{total:,}' for total in totals)} | {statistics.median(totals):,.0f} |"


if __name__ == "__main__":
    main()
