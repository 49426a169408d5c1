"""Run all benchmarks and write one table and one JSON file.

    python benchmarks/all.py [--json FILE] [--repeats 9]

The exit status is 1 if a figure misses its goal or a benchmark fails. This takes more than an hour on an idle machine
with two cores, mostly for DEAP as in its tutorials. Libraries that are not installed (the extra ``peers``) are skipped.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from _measure import HEAD, Figure, Spread, options

from fooldeap.runs.environment import current_environment

PARTS = (
    "operators",
    "scale",
    "algorithms",
    "genomes",
    "study",
    "journal",
    "watching",
    "parallel",
    "footprint",
    "peers",
)


def main() -> int:
    arguments = options(__doc__).parse_args()
    figures: list[Figure] = []
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        for part in PARTS:
            print(f"{part} ...", file=sys.stderr, flush=True)
            file = Path(folder) / f"{part}.json"
            script = Path(__file__).with_name(f"{part}.py")
            command = [sys.executable, str(script), "--repeats", str(arguments.repeats), "--json", str(file)]
            ended = subprocess.run(command, capture_output=True, text=True)
            if file.exists():
                figures += [_figure(row) for row in json.loads(file.read_text())["figures"]]
            else:
                failed.append(f"{part}: {ended.stderr.strip().splitlines()[-1] if ended.stderr else 'no figures'}")
    print("\n".join([HEAD, *(figure.row() for figure in figures), *failed]))
    if arguments.json:
        rows = [{**figure._asdict(), "spread": figure.spread._asdict()} for figure in figures]
        arguments.json.write_text(json.dumps({"figures": rows, "environment": current_environment()}, indent=2) + "\n")
    return int(bool(failed) or any(figure.missed for figure in figures))


def _figure(row: dict[str, object]) -> Figure:
    return Figure(**{**row, "spread": Spread(**row["spread"])})  # type: ignore[arg-type]


if __name__ == "__main__":
    sys.exit(main())
