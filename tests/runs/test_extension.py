"""A stop criterion and a column of ``log.csv`` are added in two source files, and folders of both versions work."""

import csv
import json
import shutil
import subprocess
import sys

import pytest
from helpers.experiments import KIT, ROOT, TINY, bits

import fooldeap
from fooldeap.plugin import LogRow

SHORT = {**TINY, "targets": [0, 1], "reporters": ["csv"], "stop": {"evaluations": 200, "confidence": None}}
STOPPING, RESULTS = "fooldeap/configuration/stopping.py", "fooldeap/results.py"
STATISTICS = "fooldeap/engine/run_statistics.py"
EDITS = [
    (
        STOPPING,
        "    @property\n    def goal(self)",
        '    halt: Annotated[Count | None, Field(description="the last generation")] = None\n\n',
    ),
    (STOPPING, "from dataclasses import asdict, dataclass", "import math\n"),
    (
        STOPPING,
        '    Reason("finished"',
        '    Reason("halt", "it was halted", lambda stop, run: run.generation >= (stop.halt or math.inf)),\n',
    ),
    (
        RESULTS,
        "    statistics: Mapping[str, float] = {}",
        '    half: Annotated[float, Column("half of the confidence")] = float("nan")\n',
    ),
    (
        STATISTICS,
        "\n        counts = self.generation, self.evaluations",
        "\n        numbers.append(surest / 2)",
    ),
]
# Run by the edited tree: a folder of the other version, an unfinished copy of it, and the folder for a new run.
SCRIPT = """
import json, math, sys
import fooldeap
from fooldeap import registry
from fooldeap.configuration import json_schema as schema
from fooldeap.result_tools.verify import verify

finished, unfinished, new, kit, short = *sys.argv[1:5], json.loads(sys.argv[5])
assert fooldeap.__file__.startswith(sys.argv[6])
assert "halt" in schema.experiment(registry.load())["properties"]["stop"]["properties"]

loaded = fooldeap.load(finished)
assert all(math.isnan(row.half) for run in loaded for row in run.log)
assert verify(finished).problems == ()
resumed = fooldeap.resume(unfinished, quiet=True)
assert [run.log[-1][:-2] for run in resumed] == [run.log[-1][:-2] for run in loaded]
assert resumed[0].log[3].half == resumed[0].log[3].confidence / 2

result = fooldeap.run(short, "stop.halt=4", "stop.confidence=0.9999", "report=true", plugins=[kit], out=new, quiet=True)
assert [(run.stopped, run.generations) for run in result] == [("halt", 4)] * 2
assert [run.log for run in fooldeap.load(new)] == [run.log for run in result]
assert "it was halted" in open(new + "/report.html").read()
try:
    fooldeap.compare({**short, "variants": {"a": {}, "b": {"mutation": "creep"}}, "goal": {"confidence": 0.9},
                      "stop": {"halt": 4}, "budget": 9}, plugins=[kit], out=new + "-study")
except fooldeap.InputError as error:
    assert "stop.halt: ends runs for what is itself compared" in str(error), error
else:
    raise AssertionError
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder of this version."""
    return fooldeap.run(SHORT, out=tmp_path_factory.mktemp("old") / "run", plugins=[KIT], quiet=True).folder


def test_two_source_files_each_are_enough(finished, tmp_path):
    tree, unfinished, new = tmp_path / "tree", tmp_path / "unfinished", tmp_path / "new"
    for folder, source in (("fooldeap", "fooldeap"), ("fooldeap_plugins", "plugins")):
        shutil.copytree(ROOT / source, tree / folder, ignore=shutil.ignore_patterns("__pycache__"), symlinks=True)
    for file, place, text in EDITS:
        before = (tree / file).read_text()
        assert before.count(place) == 1, (file, place)
        (tree / file).write_text(before.replace(place, text + place))
    shutil.copytree(finished, unfinished)
    for name in ("result.json", "SHA256SUMS"):
        (unfinished / name).unlink()
    journal = next((unfinished / "journal").glob("*.journal"))
    journal.write_bytes(journal.read_bytes()[: journal.stat().st_size // 2])

    words = [str(finished), str(unfinished), str(new), str(KIT), json.dumps(SHORT), str(tree)]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *words],
        env={"PYTHONPATH": str(tree)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr

    later = fooldeap.load(new)  # with a column that this version does not know
    assert [run.stopped for run in later] == ["halt", "halt"]
    with (new / "log.csv").open() as file:
        assert next(csv.reader(file))[-1] == "half"
    assert len(later[0].log) == 5
    assert {name: each for name, each in bits(unfinished).items() if name.startswith("images/")} == {
        name: each for name, each in bits(finished).items() if name.startswith("images/")
    }


def test_a_column_of_integers_must_be_there():
    with pytest.raises(KeyError, match="seed"):
        list(LogRow.from_csv([{"target": "1"}]))
