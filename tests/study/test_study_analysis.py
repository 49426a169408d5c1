"""The analysis of a study: against other libraries, by hand, and independent of the other variants."""

import csv
import dataclasses
import io
import itertools
import math
import os
import subprocess
import sys

import numpy as np
import pytest
from helpers import outcomes

from fooldeap.study import stats
from fooldeap.study.analysis import analyse
from fooldeap.study.tables import runs_csv

INF = math.inf


def columns(outcome):
    """Return evaluations to the goal by variant and target, read from ``runs.csv``. Empty cells become infinite."""
    found = {}
    for row in csv.DictReader(io.StringIO(runs_csv(outcome))):
        value = float(row["evaluations_to_goal"] or "inf")
        found.setdefault(row["variant"], {}).setdefault(row["target"], []).append(value)
    return {name: np.array(list(targets.values())) for name, targets in found.items()}


@pytest.fixture(scope="module")
def study():
    return outcomes.outcome(outcomes.drawn(4, 5, 12, budget=5000), budget=5000)


@pytest.fixture(scope="module")
def analysis(study):
    return analyse(study)


# --- Against the libraries ------------------------------------------------------------------------------------------


def test_the_study_has_censored_runs(study):
    assert 10 < sum(run.evaluations_to_goal is None for run in study.runs) < len(study.runs) / 2


def test_friedman_and_mean_ranks_match_scipy(study, analysis):
    from scipy.stats import friedmanchisquare, rankdata

    data = {name: values.ravel() for name, values in columns(study).items()}
    expected = friedmanchisquare(*data.values())
    assert analysis.friedman == pytest.approx((expected.statistic, 3, 60, expected.pvalue))
    ranks = rankdata(list(data.values()), axis=0).mean(axis=1)
    assert {each.name: each.mean_rank for each in analysis.variants} == pytest.approx(
        dict(zip(data, ranks, strict=True))
    )
    assert [each.mean_rank for each in analysis.variants] == sorted(ranks)


def test_pairs_without_censored_runs_match_scikit_posthocs():
    import pandas as pd
    import scikit_posthocs

    tables = {name: (np.array(table) / 7).astype(int) for name, table in outcomes.drawn(4, 5, 12, budget=1e9).items()}
    study = outcomes.outcome(tables, budget=100_000)
    frame = pd.read_csv(io.StringIO(runs_csv(study))).sort_values(["variant", "target", "seed"])
    assert not frame["evaluations_to_goal"].isna().any()
    expected = scikit_posthocs.posthoc_wilcoxon(
        frame, "evaluations_to_goal", "variant", zero_method="pratt", method="asymptotic", p_adjust="holm"
    )
    got = analyse(study).pairs
    assert len(got) == 6
    assert {pair.separated for pair in got} == {True, False}
    for pair in got:
        assert pair.p_holm == pytest.approx(expected.loc[pair.first, pair.second], rel=1e-9)


def worst_ranked(one, other):
    """Return the differences in a loop. A success against a failure is larger than every other difference."""
    largest = max(abs(a - b) for a, b in zip(one, other, strict=True) if math.isfinite(a) and math.isfinite(b))
    found = []
    for a, b in zip(one, other, strict=True):
        if math.isinf(a) and math.isinf(b):
            found.append(0)
        elif math.isinf(a) or math.isinf(b):
            found.append(math.copysign(largest + 1, 1 if math.isinf(a) else -1))
        else:
            found.append(a - b)
    return found


def test_pairs_with_censored_runs_match_scipy_on_worst_ranks_and_statsmodels_holm(study, analysis):
    from scipy.stats import wilcoxon
    from statsmodels.stats.multitest import multipletests

    data = {name: values.ravel() for name, values in columns(study).items()}
    couples = list(itertools.combinations(data, 2))
    differences = [worst_ranked(data[one], data[other]) for one, other in couples]
    tested = [wilcoxon(each, zero_method="pratt", method="asymptotic").pvalue for each in differences]
    adjusted = multipletests(tested, method="holm")[1]
    for couple, each, p, p_holm in zip(couples, differences, tested, adjusted, strict=True):
        pair = analysis.pair(*couple)
        # With at most 50 differing blocks, this p is exact and scipy's is approximate.
        tolerance = 1e-9 if np.count_nonzero(each) > stats.EXACT else 0.05
        assert (pair.p, pair.p_holm) == pytest.approx((p, p_holm), rel=tolerance)
    assert any(np.count_nonzero(each) > stats.EXACT for each in differences)


def test_a12_matches_scipy_mannwhitneyu_within_targets(study, analysis):
    from scipy.stats import mannwhitneyu

    data = columns(study)
    for pair in analysis.pairs:
        shares = [
            1 - mannwhitneyu(one, other, method="asymptotic").statistic / len(one) ** 2
            for one, other in zip(data[pair.first], data[pair.second], strict=True)
        ]
        assert pair.a12.value == pytest.approx(np.mean(shares))
        assert pair.a12.low < pair.a12.value < pair.a12.high


def test_success_rates_match_statsmodels(study, analysis):
    from statsmodels.stats.proportion import proportion_confint

    data = columns(study)
    for variant in analysis.variants:
        for rows, measures in [
            (data[variant.name], variant.overall),
            *((data[variant.name][target], variant.by_target[target]) for target in study.targets),
        ]:
            reached = int(np.isfinite(rows).sum())
            assert (measures.reached, measures.runs) == (reached, rows.size)
            interval = proportion_confint(reached, rows.size, method="wilson")
            assert measures.success == pytest.approx((reached / rows.size, *interval))


def test_the_interval_of_the_ratio_matches_scipy_bootstrap():
    from scipy.stats import bootstrap

    study = outcomes.outcome(outcomes.drawn(2, 1, 30))
    pair = analyse(study).pair("v00", "v01")
    data = columns(study)
    samples = [np.minimum(data[name].ravel(), study.budget) for name in (pair.first, pair.second)]
    expected = bootstrap(
        samples,
        lambda one, other, axis: one.mean(axis=axis) / other.mean(axis=axis),
        paired=True,
        method="percentile",
        rng=np.random.default_rng(0),
    )
    assert pair.ratio.value == pytest.approx(samples[0].mean() / samples[1].mean())
    # Different random resamples: the bounds agree within a few hundredths of the width.
    width = pair.ratio.high - pair.ratio.low
    assert pair.ratio[1:] == pytest.approx(tuple(expected.confidence_interval), abs=0.08 * width)


# --- By hand --------------------------------------------------------------------------------------------------------


def test_measures_by_hand():
    study = outcomes.outcome({"a": [[100, 300, None], [200, None, 700]]}, budget=1000)
    (variant,) = analyse(study).variants
    all_targets = variant.overall
    assert (all_targets.runs, all_targets.reached) == (6, 4)
    assert all_targets.to_goal == (225, 500, INF)  # 100 200 300 700 inf inf
    assert all_targets.running_time.value == (100 + 300 + 1000 + 200 + 1000 + 700) / 4
    assert all_targets.restricted_mean == 3300 / 6
    assert (all_targets.to_50, all_targets.to_90, all_targets.to_99) == (125, 250, 375)
    assert all_targets.confidence == 0.99991
    assert (all_targets.area, all_targets.diversity) == (0.25, 70.5)
    assert variant.by_target[0].to_goal == (200, 300, INF)
    assert variant.by_target[1].running_time.value == 1900 / 2


def test_a_failed_run_costs_what_it_spent_and_counts_as_the_budget():
    early = {("a", 0, 2): {"evaluations": 400, "stopped": "stalled"}}
    study = outcomes.outcome({"a": [[100, None]]}, budget=1000, change=early)
    (variant,) = analyse(study).variants
    assert variant.overall.running_time.value == 500
    assert variant.overall.restricted_mean == 550


def test_blocks_of_joint_runs_are_seeds():
    """A joint variant counts until the last target is reached; another variant counts the sum over its runs."""
    study = outcomes.outcome(
        {"one run": [[100, 900], [500, 200]], "many": [[100, 150], [300, None]]}, joint=["one run"]
    )
    analysis = analyse(study)
    one, many = (next(each for each in analysis.variants if each.name == name) for name in ("one run", "many"))
    assert (one.joint, many.joint) == (True, False)
    assert (one.overall.runs, one.overall.to_goal) == (2, (600, 700, 800))
    assert (many.overall.runs, many.overall.reached, many.overall.to_goal) == (2, 1, (INF, INF, INF))
    assert one.overall.restricted_mean == 700
    assert many.overall.restricted_mean == (400 + 20_000) / 2
    assert many.overall.running_time.value == 400 + 150 + 10_000
    assert many.by_target[1].restricted_mean == (300 + 10_000) / 2
    pair = analysis.pair("many", "one run")
    assert (pair.blocks, pair.first) == (2, "one run")
    assert pair.a12.value == 0.5  # 500 and 900 against 400 and inf
    assert pair.ratio.value == 700 / 10_200


def test_evaluations_of_a_failed_joint_run_count_once():
    spent = {("a", target, 1): {"evaluations": 20_000} for target in (0, 1)}
    study = outcomes.outcome({"a": [[None, 30], [70, 40]]}, joint=["a"], change=spent)
    (variant,) = analyse(study).variants
    assert variant.overall.running_time.value == 20_040
    assert variant.overall.restricted_mean == (20_000 + 40) / 2
    assert variant.by_target[0].restricted_mean == (20_000 + 30) / 2


def test_worst_ranks_by_hand():
    """Six blocks: differences -10, 20, -30, 40, and two failures of b. The ranks against b are 1, 3, 5.5, 5.5 of 21."""
    a = [[10, 40, 10, 80, 500, 600]]
    b = [[20, 20, 40, 40, None, None]]
    pair = analyse(outcomes.outcome({"a": a, "b": b})).pair("a", "b")
    ranks = np.array([1, 2, 3, 4, 5.5, 5.5])
    sums = np.array([np.dot(signs, ranks) for signs in itertools.product([0, 1], repeat=6)])
    assert pair.p == pytest.approx(np.mean(abs(sums - 10.5) >= 15 - 10.5))
    assert pair.p_holm == pair.p


def test_variants_that_tie_in_every_block_are_identical():
    same = [[100, 300, None], [200, 250, 700]]
    analysis = analyse(outcomes.outcome({"a": same, "b": same, "c": same}))
    assert all(pair.identical for pair in analysis.pairs)
    for pair in analysis.pairs:
        assert (pair.p, pair.p_holm, pair.a12, pair.ratio) == (1, 1, (0.5, 0.5, 0.5), (1, 1, 1))
    assert analysis.friedman == (0, 2, 6, 1)
    assert analysis.cliques == (("a", "b", "c"),)
    assert [each.mean_rank for each in analysis.variants] == [2, 2, 2]


def test_variants_that_differ_in_one_block_are_not_identical():
    pair = analyse(outcomes.outcome({"a": [[100, 300, None]], "b": [[100, 301, None]]})).pairs[0]
    assert (pair.tied, pair.blocks, pair.identical) == (2, 3, False)


def test_a_variant_that_never_reaches_the_goal():
    analysis = analyse(outcomes.outcome({"a": [[100, 300, 500]], "never": [[None, None, None]]}))
    never = analysis.variants[1]
    assert never.name == "never"
    assert never.overall.to_goal == (INF, INF, INF)
    assert never.overall.running_time == (INF, INF, INF)
    assert never.overall.restricted_mean == outcomes.BUDGET
    assert analysis.pair("a", "never").a12 == (1, 1, 1)


def test_intervals_of_one_seed_are_unbounded():
    analysis = analyse(outcomes.outcome({"a": [[100], [50]], "b": [[300], [None]]}))
    pair = analysis.pair("a", "b")
    assert (pair.a12, pair.ratio) == ((1, 0, 1), (150 / 10_300, 0, INF))
    assert analysis.variants[0].overall.running_time == (75, 0, INF)


def test_one_variant_and_two():
    alone = analyse(outcomes.outcome({"a": [[100, 200]]}))
    assert (len(alone.variants), alone.friedman, alone.pairs, alone.cliques) == (1, None, (), ())
    two = analyse(outcomes.outcome({"a": [[100, 200]], "b": [[101, 250]]}))
    assert (two.friedman, len(two.pairs), two.cliques) == (None, 1, (("a", "b"),))


def test_no_variant_at_all():
    analysis = analyse(outcomes.outcome({}, failed={"a": "broken"}))
    assert analysis == type(analysis)((), None, (), (), ())


def test_the_variant_with_the_smaller_restricted_mean_comes_first():
    pair = analyse(outcomes.outcome({"a": [[900, 800]], "b": [[100, 200]]})).pairs[0]
    assert (pair.first, pair.second, pair.ratio.value, pair.a12.value) == ("b", "a", 300 / 1700, 1)


def test_the_variant_on_trial_comes_first_and_only_its_pairs_are_compared():
    tables = outcomes.drawn(4, 3, 8)
    candidate, full = (analyse(outcomes.outcome(tables, candidate=candidate)) for candidate in ("v02", None))
    assert [(pair.first, pair.second) for pair in candidate.pairs] == [("v02", "v00"), ("v02", "v01"), ("v02", "v03")]
    assert [pair.p_holm for pair in candidate.pairs] == stats.holm([pair.p for pair in candidate.pairs])
    assert candidate.cliques == ()
    assert candidate.variants == full.variants
    turned, straight = candidate.pair("v00", "v02"), full.pair("v00", "v02")
    assert straight.first == "v00"
    assert turned.p == straight.p
    assert turned.a12 == pytest.approx((1 - straight.a12.value, 1 - straight.a12.high, 1 - straight.a12.low))
    assert turned.ratio == pytest.approx([1 / straight.ratio[index] for index in (0, 2, 1)], rel=1e-3)


def test_cliques_contain_no_separated_pair(analysis):
    names = [each.name for each in analysis.variants]
    assert analysis.cliques
    for clique in analysis.cliques:
        start = names.index(clique[0])
        assert list(clique) == names[start : start + len(clique)]
        assert not any(analysis.pair(*couple).separated for couple in itertools.combinations(clique, 2))


# --- Independence of other variants ---------------------------------------------------------------------------------


def test_the_order_of_runs_does_not_matter(study, analysis):
    assert analyse(dataclasses.replace(study, runs=study.runs[::-1])) == analysis


def test_statistics_of_a_pair_do_not_depend_on_other_variants():
    tables = outcomes.drawn(4, 3, 8)
    full = analyse(outcomes.outcome(tables))
    part = analyse(outcomes.outcome({name: tables[name] for name in ("v03", "v01")}))
    assert part.pairs[0]._replace(p_holm=0) == full.pair("v01", "v03")._replace(p_holm=0)
    assert {each.name: each.overall for each in part.variants}.items() <= {
        each.name: each.overall for each in full.variants
    }.items()


@pytest.mark.slow
def test_another_process_draws_the_same_resamples():
    code = (
        "from helpers import outcomes; from fooldeap.study.analysis import analyse;"
        "print(analyse(outcomes.outcome(outcomes.drawn(2, 2, 5))))"
    )
    printed = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert printed[0] == printed[1] == f"{analyse(outcomes.outcome(outcomes.drawn(2, 2, 5)))}\n"


# --- Cautions -------------------------------------------------------------------------------------------------------


def cautions(*arguments, **keywords):
    found = analyse(outcomes.outcome(*arguments, **keywords)).cautions
    return {caution.kind: (caution.subjects, caution.value) for caution in found}


FINE = outcomes.drawn(2, 3, 8)


def test_a_sound_study_has_no_cautions():
    assert cautions(FINE) == {}


def test_cautions_of_design():
    found = cautions(FINE, extended=True, paired=False, joint=["v01", "v00"], left_out=("v00/seed9-target0",))
    assert found == {
        "extended": ((), None),
        "left_out": (("v00/seed9-target0",), None),
        "matched_by_seed": ((), None),
        "joint": (("v00", "v01"), None),
    }


@pytest.mark.parametrize(("variants", "seeds", "least"), [(2, 5, 1 / 16), (2, 6, None), (3, 6, 3 / 32), (3, 7, None)])
def test_caution_if_there_are_too_few_blocks_to_separate_any_pair(variants, seeds, least):
    found = cautions(outcomes.drawn(variants, 1, seeds))
    assert found.get("no_power") == (None if least is None else ((), pytest.approx(least)))


def test_few_seeds():
    assert cautions(outcomes.drawn(2, 10, 4)) == {"few_seeds": ((), 4)}


def test_cautions_for_goals_reached_within_two_generations():
    soon = {(name, 2, seed): {"generations": 1} for name in FINE for seed in range(1, 6)}
    assert cautions(FINE, change=soon) == {"easy_targets": (("2",), None)}
    assert cautions(FINE, change={key: {"generations": 2} for key in soon}) == {}
    soon = {("v01", target, seed): {"generations": 0} for target in range(3) for seed in range(1, 5)}
    assert cautions(FINE, change=soon) == {}
    soon["v01", 0, 5] = {"generations": 0}
    assert cautions(FINE, change=soon) == {"ceiling": (("v01",), None)}


def test_caution_if_more_than_half_of_the_runs_are_censored():
    half, more = [[1, 2, None, None] * 2], [[1, None, None, None] * 2]
    assert cautions({"a": half, "b": more}) == {"censored": (("b",), None)}


def test_caution_for_runs_that_ended_before_their_budget():
    change = {("v01", 0, 1): {"evaluations_to_goal": None, "stopped": "stalled"}}
    change[("v01", 1, 1)] = {"evaluations_to_goal": None, "stopped": "generations"}
    change[("v00", 0, 2)] = {"evaluations_to_goal": None, "stopped": "evaluations"}
    assert cautions(FINE, change=change) == {"ended_early": (("v01",), 2)}
