"""Studies: results, and bit-identity for any order of variants, lockstep and number of workers."""

import itertools
import json

import numpy as np
import pytest
from helpers.experiments import KIT, ROOT, TINY
from helpers.experiments import run as run_alone
from helpers.studies import BITS, SELECTIONS, STUDY, bits, compare

import fooldeap
from fooldeap.configuration import config
from fooldeap.errors import FooldeapWarning, RunError
from fooldeap.runs.session import Session
from fooldeap.study import definition
from fooldeap.study.records import Record, _area, grid

# --- Results --------------------------------------------------------------------------------------------------------


def test_runs_are_bit_identical_to_runs_outside_the_study(study):
    for name, selection in SELECTIONS.items():
        stop = {"confidence": 0.97, "evaluations": 600, "generations": 2400}
        given = {**TINY, "algorithm": STUDY["algorithm"], "selection": selection, "stop": stop, "seeds": 3}
        result, _ = run_alone(config.load({}, arguments={**given, "targets": [0, 2]}, plugins=[KIT]))
        for alone in result:
            row = study.outcome.run(name, alone.target, alone.seed)
            assert row.evaluations_to_goal == alone.evaluations_to_goal
            assert (row.evaluations, row.confidence, row.score) == (alone.evaluations, alone.confidence, alone.score)
            image = study.outcome.images[name, alone.target, alone.seed]
            np.testing.assert_array_equal(image, alone.image.pixels)


def test_the_folder_has_all_files(study):
    files = {str(path.relative_to(study.folder)) for path in study.folder.rglob("*") if path.is_file()}
    assert {"study.yaml", "environment.json", "timings.csv", "report.md", *BITS} <= files
    assert {
        f"figures/{name}.{kind}" for name in ("convergence", "ecdf", "targets", "images") for kind in ("png", "svg")
    } <= files
    assert {"tables/variants.tex", "tables/pairs.tex"} <= files
    assert {
        f"variants/{name}/records/seed{seed}-target{t}.json"
        for name in SELECTIONS
        for seed in (1, 2, 3)
        for t in (0, 2)
    } <= files
    assert [file for file in files if file.startswith("journal/")] == []  # replaced by the records


def test_comparison_shows_report_and_outcome(study):
    assert "strong" in str(study)
    assert study._repr_markdown_() == (study.folder / "report.md").read_text()
    assert study.outcome.paired
    assert not study.outcome.extended
    assert study.outcome.variants == ("none", "strong", "weak")


def test_milestones_match_the_images_in_the_order_shown(study, tmp_path):
    """Count evaluations to 50 and 90 % by hand, over the images in the order shown."""
    given = {**TINY, "stop": {"confidence": 0.95, "evaluations": 600}, "targets": [2]}
    result, prepared = run_alone(config.load({}, arguments=given, plugins=[KIT]), tmp_path / "run")
    shown = np.concatenate(prepared.classifier.images)
    logits = prepared.classifier.logits(shown).astype(float)
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    real = shown.reshape(len(shown), -1).any(axis=1)  # without the black padding images
    seen = p[real][:, 2]
    assert result[2].evaluations_to == {
        name: int(np.argmax(seen >= float(name))) + 1 for name in ("0.5", "0.9") if (seen >= float(name)).any()
    }


def test_curve_and_area_of_a_step_function():
    evaluations, best = np.array([10, 20, 40]), np.array([0.1, 0.5, 0.9])
    curve = Record(None, evaluations, best, None).curve(np.array([5, 10, 19, 20, 100]))
    np.testing.assert_array_equal(curve, [0, 0.1, 0.1, 0.5, 0.9])
    assert _area(evaluations, best, 100) == pytest.approx((10 * 0.1 + 20 * 0.5 + 60 * 0.9) / 100)
    assert _area(evaluations, best, 40) == pytest.approx((10 * 0.1 + 20 * 0.5) / 40)


@pytest.mark.parametrize("budget", [1, 7, 600, 25_000])
def test_the_grid_ends_at_the_budget(budget):
    assert grid(budget)[-1] == budget
    assert (np.diff(grid(budget)) > 0).all()


# --- Bit-identity ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", list(itertools.permutations(SELECTIONS))[1:4])
def test_results_do_not_depend_on_the_order_of_variants(study, tmp_path, order):
    vary = {"selection": {name: SELECTIONS[name] for name in order}}
    assert bits(compare(tmp_path / "study", vary=vary).folder) == bits(study.folder)


@pytest.mark.parametrize("concurrent_runs", [1, 5])
def test_results_do_not_depend_on_concurrent_runs(study, tmp_path, concurrent_runs):
    assert bits(compare(tmp_path / "study", concurrent_runs=concurrent_runs).folder) == bits(study.folder)


@pytest.mark.draws
def test_report_and_figures_are_bit_identical(study, tmp_path):
    again = compare(tmp_path / "study")
    for path in [*study.folder.glob("figures/*"), *study.folder.glob("tables/*"), study.folder / "report.md"]:
        assert path.read_bytes() == (again.folder / path.relative_to(study.folder)).read_bytes(), path


# --- Failing variants -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [None, "chunks", "runs"])
def test_a_variant_that_fails_is_reported_and_the_others_finish(study, tmp_path, mode):
    vary = {"selection": {**SELECTIONS, "bad": "fails_late"}}
    executor = {"executor": {"name": "scoop", "workers": 2, "mode": mode}} if mode else {}
    with pytest.warns(FooldeapWarning, match="bad failed: .*selection 'fails_late'"):
        done = compare(tmp_path / "study", vary=vary, **executor)
    assert list(done.outcome.failed) == ["bad"]
    assert "fails_late" in (done.folder / "report.md").read_text()
    assert "too late" in (done.folder / "variants/bad/error.log").read_text()
    assert bits(done.folder)["runs.csv"] == bits(study.folder)["runs.csv"]
    assert json.loads((done.folder / "summary.json").read_text())["study"]["failed"]["bad"]


def test_a_report_is_written_if_all_variants_fail(tmp_path):
    vary = {"selection": {"bad": "fails_late", "worse": {"name": "fails_late", "beyond": 1.1}}}
    with pytest.warns(FooldeapWarning, match="failed"):
        done = compare(tmp_path / "study", vary=vary)
    assert set(done.outcome.failed) == {"bad", "worse"}
    assert (done.folder / "report.md").exists()
    assert str(done)


def test_a_classifier_that_fails_ends_the_study_resumably(tmp_path):
    with pytest.raises(RunError, match=r"NaN or infinity.*the traceback is in .*error.log"):
        compare(tmp_path / "study", classifier="breaks_late")
    assert (tmp_path / "study/study.yaml").exists()


BREAKING = {"classifier": {"late": "breaks_late", "good": "tiny"}}


def test_one_of_two_classifiers_may_fail(tmp_path):
    with pytest.warns(FooldeapWarning, match=r"late failed"):
        done = compare(tmp_path / "study", vary=BREAKING, goal={"confidence": 0.9999})
    assert list(done.outcome.failed) == ["late"]
    assert done.outcome.variants == ("good",)


# --- Joint runs and other pairs -------------------------------------------------------------------------------------


def test_joint_runs_have_the_budget_of_all_targets_and_blocks_of_seeds(tmp_path):
    vary = {"algorithm": {"one": "generational", "all": "tiny_map_elites"}}
    done = compare(tmp_path / "study", vary=vary, goal={"confidence": 0.7})
    outcome = done.outcome
    assert outcome.joint == {"all"}
    assert not outcome.paired
    for seed in (1, 2, 3):
        together = [outcome.run("all", target, seed) for target in (0, 2)]
        assert together[0].evaluations == together[1].evaluations <= 1200
    blocks = [
        [outcome.run("one", target, seed).evaluations_to_goal or np.inf for target in (0, 2)] for seed in (1, 2, 3)
    ]
    np.testing.assert_array_equal(outcome.blocks("one")[0], np.sum(blocks, axis=1))
    assert "seed" in (done.folder / "report.md").read_text()


def test_variants_with_other_populations_are_matched_by_seed_only(tmp_path):
    done = compare(tmp_path / "study", vary={"algorithm.population": [10, 20]}, seeds=2)
    assert not done.outcome.paired
    assert "matched by seed only" in (done.folder / "report.md").read_text()


def test_data_of_a_study_load_as_the_same_study():
    study = definition.load({**STUDY, "variants": {"small": {"algorithm.population": 4}}})
    again = definition.load(study.data())
    assert again.data() == study.data()
    assert {name: each.digest for name, each in again.variants.items()} == {
        name: each.digest for name, each in study.variants.items()
    }
    assert list(study.variants) == ["strong", "weak", "none", "small"]
    assert study.variants["small"].algorithm.values["population"] == 4


def test_at_goal_false_is_kept_when_a_study_is_resumed(tmp_path):
    changes = {"stop": {"stop_at_goal": False}, "goal": {"confidence": 0.3}, "budget": 100, "seeds": 2, "targets": [0]}
    study = definition.load({**STUDY, **changes})
    again = definition.load(study.data())
    assert {name: each.digest for name, each in again.variants.items()} == {
        name: each.digest for name, each in study.variants.items()
    }
    done = compare(tmp_path / "study", **changes)
    assert {run.evaluations for run in done.outcome.runs} == {100}
    assert fooldeap.verify(done.folder).reproduced
    assert fooldeap.compare(None, "seeds=3", resume=done.folder, quiet=True).outcome.seeds == (1, 2, 3)


def test_runs_end_by_the_budget_and_not_by_generations():
    study = definition.load({**STUDY, "budget": 50_000})
    assert {each.stop.generations for each in study.variants.values()} == {200_000}
    assert {each.stop.evaluations for each in study.variants.values()} == {50_000}
    short = definition.load({**STUDY, "variants": {"short": {"stop.generations": 7}}})
    assert short.variants["short"].stop.generations == 7


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted((ROOT / "configs/studies").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_study_works(path):
    study = definition.load(path, ["seeds=1", "targets=[3]", "budget=300"])
    with Session(study.variants) as bench:
        ended = list(bench.evolve(bench.runs))
    assert [run.failure for run in ended if run.failure] == []
    assert len({run.info.variant for run in ended}) == len(study.variants) >= 7
