"""Studies without runs: an `Outcome` from evaluations to the goal."""

import numpy as np

from fooldeap.report import latex, markdown, terminal
from fooldeap.study import tables
from fooldeap.study.analysis import analyse
from fooldeap.study.outcome import Outcome, RunRow
from fooldeap.study.report import build_report

BUDGET = 10_000
SPACE = "\u202f"  # groups digits


def outcome(evaluations, *, targets=None, seeds=None, budget=BUDGET, joint=(), change=None, **fields):
    """Return a study of variants by name, each with evaluations to the goal as (targets, seeds); None: not reached.

    ``change`` are columns of rows by (variant, target, seed) that differ from what is made up here.
    """
    rows, images, curves = [], {}, {}
    grid = np.array([0, budget // 2, budget])
    for variant, table in evaluations.items():
        for target, counts in zip(targets or range(len(table)), table, strict=True):
            for seed, count in zip(seeds or range(1, len(counts) + 1), counts, strict=True):
                key = variant, target, seed
                spent = budget * (len(table) if variant in joint else 1)
                row = _row(*key, None if count is None else int(count), spent)
                rows.append(row._replace(**(change or {}).get(key, {})))
                images[key] = np.full((2, 2, 1), target, np.uint8)
                curves[key] = np.array([0.1, 0.4 + 0.01 * seed, rows[-1].confidence])
    defaults = {"name": "made up", "classifier": "a classifier", "goal": {"confidence": 0.9999}}
    return Outcome(
        **{**defaults, **fields},
        budget=budget,
        runs=tuple(sorted(rows, key=lambda run: run[:3])),
        grid=grid,
        curves=curves,
        images=images,
        joint=frozenset(joint),
    )


def _row(variant, target, seed, count, budget):
    return RunRow(
        variant=variant,
        target=target,
        seed=seed,
        evaluations_to_goal=count,
        evaluations_to_50=None if count is None else max(1, count // 4),
        evaluations_to_90=None if count is None else max(1, count // 2),
        evaluations_to_99=None if count is None else max(1, count * 3 // 4),
        evaluations=budget if count is None else count + 3,
        generations=50,
        stopped="evaluations" if count is None else "goal",
        predicted=target,
        confidence=0.3 if count is None else 0.99991,
        score=1.5,
        area=0.25,
        diversity=70.5,
    )


def drawn(variants=4, targets=3, seeds=8, rng=None, budget=BUDGET):
    """Return evaluations to the goal of variants of falling speed, some None."""
    rng = rng or np.random.default_rng(1)
    tables = {}
    for index in range(variants):
        values = rng.lognormal(7.5 + 0.25 * index, 0.6, (targets, seeds)).astype(int) + 1
        tables[f"v{index:02}"] = [[int(v) if v <= budget else None for v in row] for row in values]
    return tables


def files(outcome):
    """Return everything that is written of a study, by name."""
    analysis = analyse(outcome)
    report = build_report(outcome, analysis)
    return {
        "runs.csv": tables.runs_csv(outcome),
        "curves.csv": tables.curves_csv(outcome),
        "summary.json": tables.summary_json(outcome, analysis),
        "report.json": report.to_json(),
        "report.md": markdown.render(report),
        "terminal": terminal.render(report),
        **latex.render(report),
    }
