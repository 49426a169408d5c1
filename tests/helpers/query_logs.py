"""Whether the books of a run folder add up: its ledger, its journals, its result and its budget."""

import csv
import json
import struct
from pathlib import Path

from ruamel.yaml import YAML

SUM = ("classifier", "gradients", "padding", "probes", "lost")


def sessions(folder: Path) -> list[dict[str, int]]:
    """Return the rows of ``queries.csv``."""
    with (folder / "queries.csv").open(newline="") as file:
        return [{name: int(value) for name, value in row.items() if name != "crc32"} for row in csv.DictReader(file)]


def answered(journal: bytes) -> int:
    """Return how many images a journal has an answer to: read from its bytes, as its format is documented."""
    place, images = 0, 0
    while place + 9 <= len(journal):
        (length,) = struct.unpack_from("<I", journal, place)
        if journal[place + 8 : place + 9] in (b"A", b"P") and place + 8 + length <= len(journal):
            images += struct.unpack_from("<I", journal, place + 9 + 16)[0]
        place += 8 + length
    return images


def check_adds_up(folder: Path) -> None:
    """Assert of a finished run that no session showed more than its budget, and that all sums are right."""
    result = json.loads((folder / "result.json").read_text())
    budget = YAML(typ="safe").load(folder / "config.yaml")["stop"]["evaluations"]
    of_runs = [answered(path.read_bytes()) for path in folder.glob("journal/*.journal")]
    assert sum(of_runs) == result["evaluations"]
    if budget is not None:
        assert all(0 < evaluations <= budget for evaluations in of_runs)
        assert all(run["evaluations"] <= budget for run in result["runs"])
    for row in sessions(folder):
        assert row["asked"] == row["cache"] + row["journal"] + row["classifier"]
        assert row["shown"] == sum(row[name] for name in SUM)
    last = sessions(folder)[-1]
    assert last["journal"] + last["classifier"] == result["evaluations"], "each image was answered once"


def check_study_adds_up(folder: Path) -> None:
    """Assert of a study whose sessions all ended: each image of each run was shown once, and all sums are right."""
    with (folder / "runs.csv").open(newline="") as file:
        runs = {(row["variant"], row["seed"], row["target"]): int(row["evaluations"]) for row in csv.DictReader(file)}
    rows = sessions(folder)
    for row in rows:
        assert row["asked"] == row["cache"] + row["journal"] + row["classifier"]
        assert row["shown"] == sum(row[name] for name in SUM)
    assert sum(row["classifier"] for row in rows) == sum(runs.values())
    assert max(runs.values()) <= YAML(typ="safe").load(folder / "study.yaml")["budget"]
