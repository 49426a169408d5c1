"""The tables of a study: exact CSV, strict JSON, escaped LaTeX, and formatted numbers."""

import csv
import dataclasses
import io
import json
import re
from typing import get_type_hints

import numpy as np
import pytest
from helpers import outcomes
from helpers.outcomes import SPACE
from hypothesis import given
from hypothesis import strategies as st

from fooldeap import formatting
from fooldeap.report import latex
from fooldeap.study import tables
from fooldeap.study.analysis import analyse
from fooldeap.study.outcome import RunRow
from fooldeap.study.report import build_report
from fooldeap.study.stats import Estimate

# --- CSV ------------------------------------------------------------------------------------------------------------

counts = st.integers(0, 10**9)
perhaps = st.none() | counts
floats = st.floats(allow_nan=False)
names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1)
rows = st.builds(
    RunRow, names, counts, counts, perhaps, perhaps, perhaps, perhaps, counts, counts, names, counts, *[floats] * 4
)


def read(text):
    """Return the rows of ``runs.csv``, each cell converted to the type of its column."""
    kinds = get_type_hints(RunRow)
    return tuple(
        RunRow(**{name: value(kinds[name], cell) for name, cell in row.items()})
        for row in csv.DictReader(io.StringIO(text, newline=""))
    )


def value(kind, cell):
    if kind in (str, int, float):
        return kind(cell)
    return int(cell) if cell else None


@given(st.lists(rows, max_size=6, unique_by=lambda run: run[:3]))
def test_runs_csv_reads_back_exactly(runs):
    outcome = dataclasses.replace(outcomes.outcome({}), runs=tuple(runs))
    text = tables.runs_csv(outcome)
    again = read(text)
    assert again == tuple(sorted(runs, key=lambda run: run[:3]))
    assert [list(map(type, run)) for run in again] == [
        list(map(type, run)) for run in sorted(runs, key=lambda r: r[:3])
    ]
    assert tables.runs_csv(dataclasses.replace(outcome, runs=again)) == text


def test_runs_csv_exact_text():
    change = {("a", 0, 1): {"confidence": np.float64(1 / 3), "area": 1e-17}}
    text = tables.runs_csv(outcomes.outcome({"a": [[None]]}, change=change))
    assert text == (
        "variant,target,seed,evaluations_to_goal,evaluations_to_50,evaluations_to_90,evaluations_to_99,evaluations,"
        "generations,stopped,predicted,confidence,score,area,diversity\n"
        "a,0,1,,,,,10000,50,evaluations,0,0.3333333333333333,1.5,1e-17,70.5\n"
    )


def test_curves_csv_exact_text():
    text = tables.curves_csv(outcomes.outcome({"b, or c": [[7]], "a": [[None]]}, budget=8))
    assert text == (
        "variant,target,seed,evaluations,confidence\n"
        "a,0,1,0,0.1\na,0,1,4,0.41000000000000003\na,0,1,8,0.3\n"
        '"b, or c",0,1,0,0.1\n"b, or c",0,1,4,0.41000000000000003\n"b, or c",0,1,8,0.99991\n'
    )


# --- JSON, LaTeX ----------------------------------------------------------------------------------------------------


def test_summary_is_strict_json_with_all_of_the_analysis():
    outcome = outcomes.outcome(
        {"a": [[100, 200, 300]], "b": [[150, 250, None]], "never": [[None, None, None]]}, failed={"z": "broken"}
    )
    analysis = analyse(outcome)
    text = tables.summary_json(outcome, analysis)
    summary = json.loads(text, parse_constant=pytest.fail)
    assert text == json.dumps(summary, sort_keys=True, indent=1, ensure_ascii=False) + "\n"
    assert summary["study"] == {
        "name": "made up",
        "classifier": "a classifier",
        "goal": {"confidence": 0.9999},
        "budget": 10_000,
        "block_budget": 10_000,
        "variants": ["a", "b", "never"],
        "targets": [0],
        "seeds": [1, 2, 3],
        "joint": [],
        "paired": True,
        "failed": {"z": "broken"},
        "extended": False,
        "left_out": [],
        "forced": [],
        "candidate": None,
    }
    never = summary["variants"]["never"]
    assert never["overall"]["running_time"] == {"value": None, "low": None, "high": None}
    assert never["by_target"]["0"]["success"]["high"] == analysis.variants[2].overall.success.high
    assert "infinite" in summary["null"]
    for pair, data in zip(analysis.pairs, summary["pairs"], strict=True):
        assert data["a12"] == pair.a12._asdict()
        assert data == {**data, "p_holm": pair.p_holm, "separated": pair.separated, "identical": pair.identical}
    assert summary["friedman"] == analysis.friedman._asdict()
    assert {caution["kind"] for caution in summary["cautions"]} == {"few_seeds", "no_power", "censored"}


def test_latex_tables_are_rectangular_and_escaped():
    outcome = outcomes.outcome({"50%_a&b": [[1500, None]], "[c]^~\\{#$}": [[None, None]]})
    for text in latex.render(build_report(outcome, analyse(outcome))).values():
        lines = text.splitlines()
        columns = len(re.fullmatch(r"\\begin\{tabular\}\{([lr]+)\}", lines[0])[1])
        rows = [line for line in lines if line.endswith(r" \\")]
        assert [len(re.split(r"(?<!\\)&", row)) for row in rows] == [columns] * len(rows)
        assert (lines[1], lines[3], lines[-2], lines[-1]) == (
            r"\toprule",
            r"\midrule",
            r"\bottomrule",
            r"\end{tabular}",
        )
    main = latex.render(build_report(outcome, analyse(outcome)))["variants.tex"]
    assert r"50\%\_a\&b & 50 \%" in main
    assert r"{[}c]\textasciicircum{}\textasciitilde{}\textbackslash{}\{\#\$\} & 0 \%" in main
    assert r"$\infty$" in main
    assert r"10\,000" in main
    assert not set(main) & {"∞", SPACE}


def test_a_table_longer_than_a_page_is_a_longtable():
    pairs = latex.render(build_report(o := outcomes.outcome(outcomes.drawn(11, 1, 3)), analyse(o)))["pairs.tex"]
    assert pairs.count(r" \\") == 56
    assert pairs.startswith(r"\begin{longtable}{llrrr}")
    assert r"\endhead" in pairs


# --- Numbers as text ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.284, ".28"), (1, "1"), (0, "0"), (0.998, ".998"), (1.004, "1.004"), (0.004, ".004"), (3.2, "3.20"),
     (12.345, "12.35"), (1234.5, "1 234"), (float("inf"), "∞")],
)  # fmt: skip
def test_decimals(value, text):
    assert tables.decimal(value).replace(SPACE, " ") == text


@pytest.mark.parametrize(
    ("p", "text"),
    [(0, "< .001"), (0.00099, "< .001"), (0.0012, ".001"), (0.04949, ".049"), (0.0498, "< .05"), (0.05, ".050"),
     (0.31, ".310"), (0.99996, "1"), (1, "1")],
)  # fmt: skip
def test_probabilities(p, text):
    assert tables.probability(p) == text


def test_evaluations_shares_and_intervals():
    assert formatting.grouped(15800.4) == f"15{SPACE}800"
    assert tables.share(Estimate(0.98667, 0.9527, 1)) == "98.7 % [95.3, 100]"
    assert tables.interval(Estimate(0.28, 0.24, float("inf")), tables.decimal) == ".28 [.24, ∞]"
