"""The figures of a study: content, the look of a variant, and bit-identity."""

import dataclasses
import hashlib
import io
import itertools
import os
import subprocess
import sys
from xml.etree import ElementTree

import numpy as np
import pytest
from helpers import outcomes
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fooldeap.study import figures
from fooldeap.study.figures import looks

DRAWN = ["convergence", "ecdf", "targets", "images"]


@pytest.fixture(autouse=True)
def style():
    from matplotlib import style

    with style.context(figures.STYLE, after_reset=True):
        yield


pytestmark = [pytest.mark.draws, pytest.mark.slow]


def study(variants=3, targets=3, seeds=3, channels=1, **fields):
    """Return a study with random curves and images. The last variant never reaches the goal."""
    tables = outcomes.drawn(variants, targets, seeds)
    if variants > 1:
        tables[f"v{variants - 1:02}"] = [[None] * seeds] * targets
    return with_noise(outcomes.outcome(tables, **fields), channels)


def with_noise(outcome, channels=1):
    rng = np.random.default_rng(5)
    grid = np.unique(np.geomspace(10, outcome.block_budget, 30).astype(int))
    curves = {run[:3]: np.maximum.accumulate(rng.beta(2, 1, len(grid))) for run in outcome.runs}
    images = {run[:3]: rng.integers(0, 256, (8, 8, channels), np.uint8) for run in outcome.runs}
    return dataclasses.replace(outcome, grid=grid, curves=curves, images=images)


def ranked(outcome):
    return {name: float(place) for place, name in enumerate(outcome.variants, 1)}


def by_curve(curves, grid, **fields):
    """Return a study of one target whose runs have the given curves, by variant."""
    outcome = outcomes.outcome({name: [[None] * len(runs)] for name, runs in curves.items()}, **fields)
    curves = {(name, 0, seed): np.array(run) for name, runs in curves.items() for seed, run in enumerate(runs, 1)}
    return dataclasses.replace(outcome, grid=np.array(grid), curves=curves)


def lines(axes):
    return {line.get_label(): line for line in axes.get_lines() if not line.get_label().startswith("_")}


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


# --- Files ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small():
    return figures.draw(study(), ranked(study()), np.ones((3, 3)))


def test_each_figure_is_written_as_png_and_svg_of_the_right_width(small):
    assert set(small) == {f"{name}.{kind}" for name in [*DRAWN, "critical_differences"] for kind in ("png", "svg")}
    for name, picture in small.items():
        if name.endswith("png"):
            with Image.open(io.BytesIO(picture)) as image:
                image.load()
                assert image.info.keys() <= {"dpi"}
                wide = image.width / 300
        else:
            root = ElementTree.fromstring(picture)
            assert root.tag == "{http://www.w3.org/2000/svg}svg"
            assert b"<dc:date>" not in picture
            wide = float(root.get("width").removesuffix("pt")) / 72
        assert wide <= looks.PAGE + 0.01
        assert name.split(".")[0] not in ("convergence", "ecdf") or wide == pytest.approx(looks.COLUMN, abs=0.01)


@pytest.mark.parametrize(
    "outcome",
    [
        study(1, 1, 1),
        study(2, 3, 4),
        study(3, 3, 3, joint=("v01",)),
        pytest.param(study(3, 14, 2, channels=3, goal={"score": 7}), marks=pytest.mark.slow),
    ],
    ids=["one run", "two variants", "joint", "many targets, colour, score"],
)
def test_studies_of_every_shape_are_drawn(outcome):
    assert set(figures.draw(outcome, ranked(outcome), None)) == {
        f"{name}.{kind}" for name in DRAWN for kind in ("png", "svg")
    }


def test_a_study_without_runs_has_no_figures():
    assert figures.draw(outcomes.outcome({}), {}, None) == {}


def test_bytes_do_not_depend_on_other_figures_or_on_the_order_of_runs(small):
    import matplotlib

    outcome = study()
    turned = dataclasses.replace(
        outcome, runs=outcome.runs[::-1], curves=dict(reversed(outcome.curves.items())), images=dict(outcome.images)
    )
    matplotlib.rcParams.update({"font.size": 20, "axes.labelcolor": "red"})
    before = dict(matplotlib.rcParams)
    assert figures.draw(turned, dict(reversed(ranked(outcome).items())), np.ones((3, 3))) == small
    assert dict(matplotlib.rcParams) == before
    assert "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()


DIGEST = """
import sys
import numpy as np
from fooldeap.study import figures
assert not {"matplotlib", "pandas", "scikit_posthocs"} & set(sys.modules), "imported before anything is drawn"
import test_study_figures as tests
for name, picture in figures.draw(tests.study(), tests.ranked(tests.study()), np.ones((3, 3))).items():
    print(name, tests.hashlib.sha256(picture).hexdigest())
"""


@pytest.mark.slow
def test_bytes_are_the_same_in_another_process(small):
    environment = {**os.environ, "PYTHONHASHSEED": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", DIGEST], env=environment, capture_output=True, text=True, check=True)
    assert dict(map(str.split, done.stdout.splitlines())) == {
        name: hashlib.sha256(picture).hexdigest() for name, picture in small.items()
    }


# --- Looks ----------------------------------------------------------------------------------------------------------


def test_looks_depend_only_on_the_names():
    forward = outcomes.outcome(outcomes.drawn(9))
    backward = outcomes.outcome(dict(reversed(outcomes.drawn(9).items())))
    assert looks.looks(forward) == looks.looks(backward)
    assert [look.colour for look in looks.looks(forward).values()][:2] == ["#0072B2", "#E69F00"]


def test_up_to_eight_variants_differ_in_colour_and_more_also_in_dash_and_marker():
    few, many = (list(looks.looks(outcomes.outcome(outcomes.drawn(count, 1, 1))).values()) for count in (8, 32))
    assert len({look.colour for look in few}) == 8
    assert {(look.dash, look.marker) for look in few} == {("-", "o")}
    assert len({(look.colour, str(look.dash)) for look in many}) == len({look[::2] for look in many}) == 32


@pytest.mark.parametrize("variants", [3, 10])
def test_a_variant_looks_the_same_in_all_figures(variants):
    from matplotlib.collections import PathCollection
    from matplotlib.colors import to_hex

    outcome = study(variants)
    ranks = dict(zip(outcome.variants, range(variants, 0, -1), strict=True))
    order = figures.order_by_rank(outcome, ranks)
    differences = figures.critical_differences(outcome, order, ranks, np.ones((variants, variants)))
    elbows = [line for line in differences.axes[0].get_lines() if len(line.get_xdata()) == 3]
    order_by_rank = {line.get_xdata()[1]: line for line in elbows}
    convergence = [line for axes in figures.convergence(outcome, order).axes for line in lines(axes).items()]
    for drawn in (lines(figures.ecdf(outcome, order).axes[0]), dict(convergence)):
        assert list(drawn) == order
        for name, look in looks.looks(outcome).items():
            assert (drawn[name].get_color(), order_by_rank[ranks[name]].get_color()) == (look.colour, look.colour)
            dashed = look.dash != "-"
            assert drawn[name].is_dashed() == order_by_rank[ranks[name]].is_dashed() == dashed
    points = [each for each in figures.targets(outcome, order).axes[0].collections if isinstance(each, PathCollection)]
    for point in points:
        for _, row in point.get_offsets():
            assert to_hex(point.get_edgecolor()[0]).upper() == looks.looks(outcome)[order[round(row)]].colour
    assert {order[round(row)] for point in points for _, row in point.get_offsets()} == set(order)


def test_the_legend_is_ordered_by_rank_and_ties_keep_their_order():
    outcome = study(4)
    order = figures.order_by_rank(outcome, {"v03": 2.0, "v02": 1.0, "v01": 2.0, "v00": 3.0, "failed": 1.0})
    assert order == ["v02", "v03", "v01", "v00"]
    assert legend(figures.ecdf(outcome, order)) == legend(figures.convergence(outcome, order)) == order


@given(st.lists(st.text("ab0", min_size=1, max_size=50), min_size=1, max_size=8), st.sampled_from("+_-."))
def test_wrapped_names_lose_no_letters(parts, sign):
    name = sign.join(parts)
    wrapped = looks.wrap_name(name, 20)
    assert wrapped.replace("\n", "") == name
    assert max(map(len, wrapped.split("\n"))) <= 20


def test_names_are_wrapped_after_plus_signs_first():
    assert looks.wrap_name("softmax_loss+tournament-0.25+x", 20) == "softmax_loss+\ntournament-0.25+x"


LONG = "softmax_loss-of-probabilities+exponential_rank-{:02}+row_and_column"


@pytest.mark.parametrize(
    ("variants", "name"),
    [
        (3, "v{:02}"),
        (3, LONG),
        pytest.param(16, "tournament-{:02}", marks=[pytest.mark.slow, pytest.mark.thorough]),
        pytest.param(16, LONG, marks=pytest.mark.slow),
    ],
)
def test_nothing_is_cut_off_and_all_letters_are_large_enough(variants, name):
    from matplotlib.text import Text

    tables = outcomes.drawn(variants, *((10, 15) if variants > 3 else (3, 3)))
    named = {name.format(place): table for place, table in enumerate(tables.values())}
    outcome = with_noise(outcomes.outcome(named))
    order, ranks = list(outcome.variants), ranked(outcome)
    for figure in (
        *(getattr(figures, drawn)(outcome, order) for drawn in DRAWN),
        figures.critical_differences(outcome, order, ranks, np.ones((variants, variants))),
    ):
        figure.draw_without_rendering()
        assert min(text.get_fontsize() for text in figure.findobj(Text)) >= 7
        box, size = figure.get_tightbbox(), figure.get_size_inches()
        assert min(box.x0, box.y0, size[0] - box.x1, size[1] - box.y1) > -0.01


# --- Over evaluations -----------------------------------------------------------------------------------------------


def test_ecdf_by_hand():
    outcome = outcomes.outcome({"a": [[100, None], [400, 100]], "b": [[None] * 2] * 2}, budget=1000)
    figure = figures.ecdf(outcome, ["a", "b"])
    a, b = lines(figure.axes[0]).values()
    assert a.get_drawstyle() == "steps-post"
    assert a.get_xdata().tolist() == [80, 100, 100, 400, 1000]
    assert a.get_ydata().tolist() == [0, 25, 50, 75, 75]
    assert (b.get_xdata().tolist(), b.get_ydata().tolist()) == ([80, 1000], [0, 0])
    assert figure.axes[0].get_xscale() == "log"
    assert figure.axes[0].get_xlabel() == "evaluations (images shown)"
    assert figure.axes[0].get_ylabel() == "runs that reached the goal (%)"


def test_ecdf_of_a_joint_study_counts_seeds_that_reached_all_targets():
    tables = {"each": [[100, 300], [400, 500]], "joint": [[700, 900], [1100, None]]}
    axes = figures.ecdf(outcomes.outcome(tables, budget=1000, joint=["joint"]), ["joint", "each"]).axes[0]
    assert lines(axes)["each"].get_xdata()[1:].tolist() == [500, 800, 2000]
    assert lines(axes)["joint"].get_xdata()[1:].tolist() == [1100, 2000]
    assert lines(axes)["joint"].get_ydata().tolist() == [0, 50, 50]
    assert axes.get_ylabel() == "seeds that reached the goal (%)"


def test_convergence_by_hand():
    runs = [[0.1, 0.2, 0.5], [0.2, 0.4, 0.6], [0.3, 0.6, 0.9], [0.4, 0.8, 0.9], [0.5, 0.9, 1.0]]
    outcome = by_curve({"a": runs, "b": [[0.1, 0.1, 0.1]] * 2}, [0, 100, 10_000])
    axes = figures.convergence(outcome, ["a", "b"]).axes[0]
    assert lines(axes)["a"].get_xdata().tolist() == [100, 10_000]  # a logarithm has no 0
    assert lines(axes)["a"].get_ydata().tolist() == [0.6, 0.9]
    corners = {tuple(corner) for corner in axes.collections[0].get_paths()[0].vertices.tolist()}
    assert corners == {(100, 0.4), (100, 0.8), (10_000, 0.6), (10_000, 0.9)}
    assert axes.get_yscale() == "logit"


def test_confidence_axis_is_in_percent_and_includes_certainty():
    outcome = by_curve({"a": [[0.0, 0.5, 1.0]] * 3}, [1, 100, 10_000])
    figure = figures.convergence(outcome, ["a"])
    figure.draw_without_rendering()
    axes = figure.axes[0]
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels[1:10] == ["0.1 %", "1 %", "10 %", "50 %", "90 %", "99 %", "99.9 %", "99.99 %", "99.999 %"]
    low, high = axes.get_ylim()
    assert low < lines(axes)["a"].get_ydata().min() < lines(axes)["a"].get_ydata().max() < high < 1


@pytest.mark.parametrize(("goal", "marked"), [({"confidence": 0.999}, [0.999]), ({"score": 7}, [])])
def test_the_goal_is_marked_if_it_is_a_confidence(goal, marked):
    outcome = by_curve({"a": [[0.1, 0.2]]}, [10, 100], goal=goal)
    axes = figures.convergence(outcome, ["a"]).axes[0]
    assert [line.get_ydata()[0] for line in axes.get_lines() if line not in lines(axes).values()] == marked
    assert [text.get_text() for text in axes.texts] == ["goal"] * len(marked)
    assert axes.get_ylim()[1] > max([*marked, 0.2])


def test_curves_end_at_the_budget():
    outcome = outcomes.outcome({"each": [[1], [1]], "joint": [[1], [1]]}, budget=1000, joint=["joint"])
    outcome = dataclasses.replace(outcome, grid=np.array([10, 1000, 2000]))
    drawn = lines(figures.convergence(outcome, ["each", "joint"]).axes[0])
    assert drawn["each"].get_xdata().tolist() == [10, 1000]
    assert drawn["joint"].get_xdata().tolist() == [10, 1000, 2000]


def test_many_variants_have_one_panel_each_by_rank():
    outcome = study(7)
    order = list(outcome.variants)[::-1]
    figure = figures.convergence(outcome, order)
    assert [axes.get_title() for axes in figure.axes] == order
    for axes, name in zip(figure.axes, order, strict=True):
        (band,) = axes.collections
        curves = [outcome.curves[run[:3]] for run in outcome.runs if run.variant == name]
        assert list(lines(axes)) == [name]
        np.testing.assert_allclose(lines(axes)[name].get_ydata(), np.median(curves, axis=0))
        assert band.get_paths()[0].vertices[:, 1].max() == pytest.approx(np.quantile(curves, 0.75, axis=0).max())
    assert len(figures.convergence(study(6), order[1:]).axes) == 1


# --- By target ------------------------------------------------------------------------------------------------------


def strips(axes):
    """Return the evaluations of the filled points, the hollow points and the medians."""
    from matplotlib.collections import LineCollection, PathCollection

    points = [each for each in axes.collections if isinstance(each, PathCollection)]
    hollow = [len(each.get_facecolor()) == 0 for each in points]
    filled, empty = (
        [each.get_offsets().tolist() for each, is_hollow in zip(points, hollow, strict=True) if is_hollow == kind]
        for kind in (False, True)
    )
    medians = [each for each in axes.collections if isinstance(each, LineCollection)]
    return filled, empty, [each.get_segments()[0][0][0] for each in medians[1::2]]  # the others are the white rims


def test_targets_by_hand():
    tables = {"a": [[100, 200, 700], [None, 30, None]], "b": [[400, None, 500], [None, None, None]]}
    figure = figures.targets(outcomes.outcome(tables, targets=[3, 7], budget=1000), ["b", "a"])
    first, second = figure.axes
    assert [axes.get_title() for axes in figure.axes] == ["target 3", "target 7"]
    assert [label.get_text() for label in first.get_yticklabels()] == ["b", "a"]
    assert first.yaxis_inverted()
    filled, hollow, medians = strips(first)
    assert [[x for x, _ in points] for points in filled] == [[400, 500], [100, 200, 700]]
    assert hollow == [[[1000, 0]]]
    assert medians == [500, 200]
    filled, hollow, medians = strips(second)
    assert [[x for x, _ in points] for points in filled] == [[], [30]]
    assert hollow == [[[1000, 0]], [[1000, 1]]]
    assert medians == []
    assert [text.get_text() for text in second.texts] == ["3", "2"]
    assert first.get_xscale() == "log"
    for axes, least in ((first, 100), (second, 30)):
        assert axes.get_xlim()[0] < least
        assert axes.get_xlim()[1] > 1000


def test_a_joint_run_is_censored_at_the_budget_of_all_targets():
    tables = {"each": [[None], [1]], "joint": [[None], [1]]}
    figure = figures.targets(outcomes.outcome(tables, budget=1000, joint=["joint"]), ["each", "joint"])
    assert strips(figure.axes[0])[1] == [[[1000, 0]], [[2000, 1]]]


@pytest.mark.parametrize("targets", [12, 13])
def test_only_the_first_of_many_targets_are_shown_with_a_note(targets):
    outcome = study(1, targets, 1)
    words = f"the first 12 of {targets} targets"
    panels = figures.targets(outcome, ["v00"])
    tiles = figures.images(outcome, ["v00"]).axes[0]
    assert len(panels.axes) == len(tiles.get_images()) == 12
    assert (panels.legends[0].get_title().get_text() == words) == (targets > 12)
    assert any(words in text.get_text() for text in tiles.texts) == (targets > 12)


# --- Mean ranks -----------------------------------------------------------------------------------------------------


def bars(ranks, p_values):
    """Return the ends of the bars for variants a, b, ... with the given mean ranks."""
    names = "abcdefgh"[: len(ranks)]
    outcome = outcomes.outcome({name: [[1]] for name in names})
    ranks = dict(zip(names, ranks, strict=True))
    figure = figures.critical_differences(outcome, figures.order_by_rank(outcome, ranks), ranks, np.array(p_values))
    black = [line for line in figure.axes[0].get_lines() if line.get_linewidth() == 2]
    return sorted((min(line.get_xdata()), max(line.get_xdata())) for line in black)


def test_bars_connect_variants_that_are_not_separated():
    p = [[1, 0.05, 0.049, 0.01], [0.05, 1, 0.9, 0.02], [0.049, 0.9, 1, 0.03], [0.01, 0.02, 0.03, 1]]
    assert bars([1.5, 2, 2.5, 4], p) == [(1.5, 2), (2, 2.5)]  # .05 itself does not separate


def test_p_values_are_assigned_by_name():
    # By rank: c, a, b. Only a and c are not separated.
    assert bars([2, 3, 1], [[1, 0.01, 0.5], [0.01, 1, 0.01], [0.5, 0.01, 1]]) == [(1, 2)]


def test_no_bar_crosses_a_variant_that_is_separated():
    assert bars([1, 2, 3], [[1, 0.01, 0.5], [0.01, 1, 0.01], [0.5, 0.01, 1]]) == []


def test_mean_ranks_are_on_the_axis():
    outcome, ranks = study(3), {"v00": 2.25, "v01": 1.5, "v02": 2.25}
    axes = figures.critical_differences(outcome, figures.order_by_rank(outcome, ranks), ranks, np.ones((3, 3))).axes[0]
    assert sorted(each.get_offsets()[0][0] for each in axes.collections) == [1.5, 2.25, 2.25]
    assert sorted(text.get_text() for text in axes.texts) == ["2.25  v02", "v00  2.25", "v01  1.50"]


# --- Images ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 3])
def test_images_are_those_of_the_first_seed(channels):
    outcome = study(2, 3, 2, channels)
    axes = figures.images(outcome, ["v01", "v00"]).axes[0]
    tiles = iter(axes.get_images())
    for name, target in itertools.product(["v01", "v00"], outcome.targets):
        tile = next(tiles)
        pixels = np.asarray(tile.get_array())
        factor = len(pixels) // 8
        expected = outcome.images[name, target, 1]
        np.testing.assert_array_equal(pixels[::factor, ::factor], expected.squeeze())
        assert tile.get_interpolation() == "none"
        assert channels == 3 or (tile.get_clim() == (0, 255) and tile.get_cmap().name == "gray")
    tops = [tile.get_extent()[3] for tile in axes.get_images()]
    assert tops == sorted(tops)
    assert axes.yaxis_inverted()


def test_captions_are_confidences_rounded_down_and_grey_if_the_goal_was_missed():
    tables = {"a": [[10, 20], [None, 20], [10, 20], [10, 20]]}
    change = {("a", 0, 1): {"confidence": 0.9999}, ("a", 1, 1): {"confidence": 0.99989}}
    change["a", 2, 1] = {"confidence": 0.999999}
    change["a", 3, 1] = {"confidence": 0.8190}  # times 10 000, it falls short of 8190
    axes = figures.images(outcomes.outcome(tables, change=change), ["a"]).axes[0]
    colours = [(text.get_text(), text.get_color()) for text in axes.texts]
    captions = [each for each in colours if "." in each[0]]
    assert captions == [("99.990", "black"), ("99.989", "0.5"), ("99.999", "black"), ("81.900", "black")]


def test_images_of_any_proportion_keep_it():
    outcome = study(1, 1, 1)
    outcome = dataclasses.replace(outcome, images={("v00", 0, 1): np.zeros((4, 8, 1), np.uint8)})
    left, right, bottom, top = figures.images(outcome, ["v00"]).axes[0].get_images()[0].get_extent()
    assert (right - left) / (bottom - top) == pytest.approx(2)
