"""The factors of a grid: against values computed by hand, and against scipy on the geometric means."""

import json

import numpy as np
import pytest
from helpers.experiments import KIT
from helpers.outcomes import BUDGET, files, outcome
from scipy.stats import friedmanchisquare, gmean, wilcoxon

import fooldeap
from fooldeap.study import definition
from fooldeap.study.factors import analyse_factors
from fooldeap.study.figures.effects import effects

GRID = {
    "base": {},
    "classifier": "tiny",
    "targets": [0, 1],
    "seeds": 2,
    "goal": {"confidence": 0.5},
    "budget": 60,
    "algorithm": {"name": "generational", "population": 12},
}
VARY = {"mutation": ["random_pixels", "invert"], "algorithm.elites": [0, 1], "crossover": ["uniform"]}


def levels(names):
    """Return two factors for variants that are named by their two levels."""
    return {key: {name: name.split("+")[place] for name in names} for place, key in enumerate(("mutation", "rate"))}


def grid(**tables):
    """Return the factors of a study of variants such as ``a_low``, each with evaluations (targets, seeds)."""
    named = {name.replace("_", "+"): table for name, table in tables.items()}
    return analyse_factors(outcome(named, factors=levels(named)))


def test_two_by_two_grid_by_hand():
    mutation, rate = grid(a_low=[[100, 400]], a_high=[[100, 100]], b_low=[[400, 1600]], b_high=[[900, None]])
    # Seed 1, a: sqrt(100 * 100), b: sqrt(400 * 900); seed 2, a: sqrt(400 * 100), b: sqrt(1600 * BUDGET).
    assert (mutation.name, mutation.settings, mutation.friedman) == ("mutation", 2, None)
    best, other = mutation.levels
    assert (best.name, best.mean_rank, other.name, other.mean_rank) == ("a", 1.0, "b", 2.0)
    assert best.evaluations == pytest.approx((100 + 200) / 2)
    assert other.evaluations == pytest.approx((600 + np.sqrt(1600 * BUDGET)) / 2)
    assert (best.success.value, other.success.value) == (1.0, 0.75)
    # Seed 1, low: sqrt(100 * 400), high: sqrt(100 * 900); seed 2, low: 800, high: sqrt(100 * BUDGET) = 1000.
    assert [(each.name, each.mean_rank) for each in rate.levels] == [("low", 1.0), ("high", 2.0)]
    assert [each.evaluations for each in rate.levels] == pytest.approx([(200 + 800) / 2, (300 + 1000) / 2])
    (pair,) = rate.pairs
    assert (pair.first, pair.second, pair.blocks, pair.tied) == ("low", "high", 2, 0)
    assert pair.ratio.value == pytest.approx(1000 / 1300)


def test_factors_match_scipy():
    rng = np.random.default_rng(3)
    tables = {
        f"{mutation}+{rate}": np.minimum(
            rng.lognormal(6 + 0.1 * place + 0.4 * fast, 0.7, (3, 8)).astype(int) + 1, BUDGET
        )
        for place, mutation in enumerate("abc")
        for fast, rate in enumerate(("low", "high"))
    }
    mutation, rate = analyse_factors(
        outcome({name: each.tolist() for name, each in tables.items()}, factors=levels(tables))
    )
    means = {each: gmean([tables[f"{each}+low"], tables[f"{each}+high"]]).ravel() for each in "abc"}
    test = friedmanchisquare(*means.values())
    assert mutation.friedman.chi_square == pytest.approx(test.statistic)
    assert mutation.friedman.p == pytest.approx(test.pvalue)
    assert {each.name: each.evaluations for each in mutation.levels} == pytest.approx(
        {name: mean.mean() for name, mean in means.items()}
    )
    low, high = (gmean([tables[f"{each}+{level}"] for each in "abc"]).ravel() for level in ("low", "high"))
    (pair,) = rate.pairs
    assert pair.p == pytest.approx(wilcoxon(low, high, method="exact").pvalue)


def test_p_values_are_adjusted_over_all_factors():
    rng = np.random.default_rng(5)
    tables = {
        f"{mutation}+{rate}": rng.integers(100, 900, (2, 8)).tolist() for mutation in "abc" for rate in ("low", "high")
    }
    pairs = [pair for factor in analyse_factors(outcome(tables, factors=levels(tables))) for pair in factor.pairs]
    assert len(pairs) == 4
    least = min(pairs, key=lambda pair: pair.p)
    assert least.p_holm == pytest.approx(min(1.0, 4 * least.p))


def test_a_setting_without_every_level_is_left_out():
    tables = {name: [[100, 200]] for name in ("a+low", "a+high", "b+low", "b+high", "c+high", "other")}
    known = levels([name for name in tables if name != "other"])
    mutation, rate = analyse_factors(outcome(tables, factors=known))
    assert (mutation.settings, {each.name for each in mutation.levels}) == (1, {"a", "b", "c"})
    assert (rate.settings, len(rate.levels)) == (2, 2)
    alone = {name: tables[name] for name in ("a+low", "b+high")}
    assert analyse_factors(outcome(alone, factors=levels(alone))) == ()


def test_joint_variants_are_compared_by_seed():
    tables = {name: [[100, 200], [300, 100]] for name in ("a+low", "a+high", "b+low", "b+high")}
    mutation, _ = analyse_factors(outcome(tables, factors=levels(tables), joint=("a+low", "a+high")))
    assert {each.name: each.evaluations for each in mutation.levels} == pytest.approx({"a": 250.0, "b": 350.0})
    assert mutation.pairs[0].blocks == 2


def test_factors_in_report_summary_and_tables():
    rng = np.random.default_rng(7)
    tables = {
        f"{mutation}+{rate}": rng.integers(low, low + 90, (3, 8)).tolist()
        for mutation, low in (("a", 100), ("b", 400))
        for rate in ("low", "high")
    }
    written = files(outcome(tables, factors=levels(tables)))
    assert "| mutation | a | 2 | 100 % [92.6, 100] |" in written["report.md"]
    assert "- mutation: a needs fewer evaluations than b: A12 = 1, ratio " in written["report.md"]
    sentence = "By mutation, over all settings of the other factors, a needs fewer evaluations than b."
    assert sentence in written["terminal"].replace("\n  ", " ")
    assert r"mutation & a & 2 & 100 \%" in written["factors.tex"]
    first, _ = json.loads(written["summary.json"])["factors"]
    assert (first["name"], first["pairs"][0]["separated"]) == ("mutation", True)
    without = files(outcome(tables))
    assert "By factor" not in without["report.md"]
    assert "factors.tex" not in without


def test_factors_are_drawn_over_all_settings_and_in_each_setting():
    tables = {"a+low": [[100, 400]], "a+high": [[100, 100]], "b+low": [[400, 1600]], "b+high": [[900, None]]}
    study = outcome(tables, factors=levels(tables))
    mutation, rate = effects(study, analyse_factors(study)).axes
    assert [(mutation.get_title(), rate.get_title())] == [("mutation", "rate")]
    low, high, bold = (line.get_ydata() for line in mutation.lines)  # in the order of the study
    assert list(high) == [100, (900 + BUDGET) / 2]
    assert list(low) == [250, 1000]
    assert list(bold) == pytest.approx([150, (600 + np.sqrt(1600 * BUDGET)) / 2])
    assert [text.get_text() for text in mutation.get_legend().texts] == ["low", "high"]
    assert [text.get_text() for text in rate.get_xticklabels()] == ["low", "high"]  # in the order of the study


def test_many_settings_have_no_legend():
    tables = {f"{letter}+{number}": [[100, 200]] for letter in "ab" for number in range(9)}
    study = outcome(tables, factors=levels(tables))
    letter, number = effects(study, analyse_factors(study)).axes
    assert (letter.get_legend(), len(letter.lines)) == (None, 10)
    assert len(number.get_legend().texts) == 2


# --- In a study file ------------------------------------------------------------------------------------------------


def load(**keys):
    return definition.load({key: value for key, value in {**GRID, **keys}.items() if key != "base"}, plugins=[KIT])


def test_the_keys_of_a_grid_are_factors():
    study = load(vary=VARY, variants={"other": {"mutation": "block"}})
    assert study.factors == {
        "mutation": {
            "random_pixels+elites-0+uniform": "random_pixels",
            "random_pixels+elites-1+uniform": "random_pixels",
            "invert+elites-0+uniform": "invert",
            "invert+elites-1+uniform": "invert",
        },
        "algorithm.elites": {
            "random_pixels+elites-0+uniform": "elites-0",
            "random_pixels+elites-1+uniform": "elites-1",
            "invert+elites-0+uniform": "elites-0",
            "invert+elites-1+uniform": "elites-1",
        },
    }
    assert load(vary={"mutation": VARY["mutation"]}).factors == {}


def test_named_variants_may_have_factors():
    variants = {name: {"algorithm.elites": place} for place, name in enumerate(("a1", "a2", "b1", "b2"))}
    own = {"letter": {name: name[0] for name in variants}, "number": {name: f"n{name[1]}" for name in variants}}
    assert load(variants=variants, factors=own).factors == own


@pytest.mark.draws
@pytest.mark.slow
def test_a_resumed_study_has_the_same_factors(tmp_path):
    keys = {key: value for key, value in GRID.items() if key != "base"}
    done = fooldeap.compare({**keys, "vary": VARY}, plugins=[KIT], out=tmp_path / "study", quiet=True)
    expected = (tmp_path / "study/report.md").read_bytes()
    assert b"## By factor" in expected
    assert (tmp_path / "study/figures/factors.png").is_file()
    assert b"By factor" in (tmp_path / "study/report.html").read_bytes()
    header, *rows = (tmp_path / "study/factors.csv").read_text().splitlines()
    assert header == "variant,mutation,algorithm.elites"
    assert rows[0] == "invert+elites-0+uniform,invert,elites-0"
    (tmp_path / "study/report.md").unlink()
    again = fooldeap.compare(resume=tmp_path / "study", quiet=True)
    assert (tmp_path / "study/report.md").read_bytes() == expected
    assert again.analysis.factors == done.analysis.factors
