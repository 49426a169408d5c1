"""The report of a study: sentences that agree with the statistics, independent of the order of variants."""

import dataclasses
import json
import re

import numpy as np
import pytest
from helpers import outcomes
from helpers.outcomes import SPACE, files

from fooldeap import formatting
from fooldeap.report import markdown, terminal
from fooldeap.study import tables
from fooldeap.study.analysis import analyse
from fooldeap.study.report import build_report


def as_markdown(outcome):
    return markdown.render(build_report(outcome, analyse(outcome)))


def on_terminal(outcome):
    return terminal.render(build_report(outcome, analyse(outcome)))


def sentences(outcome):
    """Return the lines of the conclusions."""
    heading = "## Conclusions about" if outcome.candidate else "## Conclusions"
    section = as_markdown(outcome).split(heading)[1].split("\n## ")[0]
    return [line for line in section.replace(SPACE, " ").splitlines()[1:] if line]


# --- The report -----------------------------------------------------------------------------------------------------

# One row per target, one column per seed. In each block, roulette needs four times as many as tournament-7.
SEVEN = [[100, 110, 120, 130, 140, 150], [1000, 1010, 1020, 1030, 1040, 1050]]
FIVE = [[104, 106, 124, 126, 144, 146], [1004, 1006, 1024, 1026, 1044, 1048]]
ROULETTE = [[4 * count for count in counts] for counts in SEVEN]
NEVER = [[None] * 6] * 2
SELECTION = {"tournament-7": SEVEN, "tournament-5": FIVE, "roulette": ROULETTE}


def selection(evaluations=None, **fields):
    return outcomes.outcome(
        evaluations or SELECTION, targets=[3, 8], classifier="mnist_cnn", name="selection", **fields
    )


def ratio(outcome, one, other):
    return tables.interval(analyse(outcome).pair(one, other).ratio, tables.decimal)


def test_sentences_word_by_word():
    """Each tournament wins 6 of 12 blocks. So the mean ranks are 1.5, 1.5 and 3, and chi square is 12 (.25 + .25 + 1).

    The medians lie between 150 and 1000, and between 600 and 4000. All 12 blocks favour one side, so p = 2 / 2^12. Holm
    multiplies it by 3.
    """
    outcome = selection()
    assert sentences(outcome) == [
        "To 99.99 % confidence, on mnist_cnn, targets 3, 8, seeds 1–6:",
        "- The variants differ (Friedman, χ²(2) = 18.0, p < .001).",
        "- tournament-7 needs fewer evaluations than roulette: median 575 against 2 300, A12 = 1, ratio .25 "
        "[.25, .25], p = .001 after Holm.",
        "- These runs do not separate tournament-7 from tournament-5 "
        f"(ratio {ratio(outcome, 'tournament-7', 'tournament-5')}).",
    ]
    assert ratio(outcome, "tournament-7", "tournament-5").startswith("1.000 [")  # 6900 / 6902


def test_sentences_on_variants_that_never_reach_the_goal_and_on_identical_variants():
    outcome = selection({"a": SEVEN, "b": SEVEN, "never": NEVER, "nor": NEVER})
    assert sentences(outcome)[2:] == [
        "- a needs fewer evaluations than never: median 575 against not reached, success 100 % against 0 %, A12 = 1, "
        f"ratio {ratio(outcome, 'a', 'never')}, p = .003 after Holm.",
        "- a needs fewer evaluations than nor: median 575 against not reached, success 100 % against 0 %, A12 = 1, "
        f"ratio {ratio(outcome, 'a', 'nor')}, p = .003 after Holm.",
        "- a and b are identical in these runs: they need the same number of evaluations in every block.",
        "- never and nor cannot be separated: none of their runs reached the goal. A larger budget may help.",
    ]


def test_variants_with_equal_censored_runs_are_not_called_identical():
    """One of two targets is reached in all runs, with the same evaluations. The censored runs may still differ."""
    rarely = [[100] * 6, [None] * 6]
    last = sentences(selection({"best": SEVEN, "a": rarely, "b": rarely}))[-1]
    assert last == (
        "- a and b cannot be separated: in each of them, the same 6 of 12 runs reached the goal, with the same "
        "evaluations. A larger budget may help."
    )


def test_the_report_names_a_variant_better_than_all_others():
    outcome = selection({"tournament-7": SEVEN, "roulette": ROULETTE, "random": NEVER})
    assert sentences(outcome)[2] == "- tournament-7 needs fewer evaluations than every other variant."
    assert "every other" not in as_markdown(selection())


@pytest.mark.parametrize(
    ("others", "standing"),
    [
        ({"tournament-7": NEVER}, "b and tournament-7 have the same mean rank (1.50)."),
        ({"tournament-7": SEVEN}, "b is number 2 of 2 by mean rank (2.00)."),
        ({"tournament-7": SEVEN, "nor": NEVER}, "b is number 2 to 3 of 3: it has the same mean rank (2.50) as nor."),
        ({"nor": NEVER, "none": NEVER}, "b, none and nor have the same mean rank (2.00)."),
    ],
)
def test_ties_of_the_variant_on_trial_are_reported(others, standing):
    assert sentences(selection({"b": NEVER, **others}, candidate="b"))[1] == f"- {standing}"


def test_the_report_on_a_variant_on_trial_begins_with_its_rank():
    outcome = selection(candidate="roulette")
    text = as_markdown(outcome)
    assert re.findall("^## (.*)", text, re.M)[0] == "Conclusions about roulette"
    assert "## Conclusions\n" not in text
    assert sentences(outcome)[1:] == [
        "- roulette is number 3 of 3 by mean rank (3.00).",
        "- The variants differ (Friedman, χ²(2) = 18.0, p < .001).",
        "- roulette needs more evaluations than every other variant.",
        "- roulette needs more evaluations than tournament-7: median 2 300 against 575, A12 = 0, ratio "
        "4.00 [4.00, 4.00], p < .001 after Holm.",
        "- roulette needs more evaluations than tournament-5: median 2 300 against 575, A12 = 0, "
        f"ratio {ratio(outcome, 'roulette', 'tournament-5')}, p < .001 after Holm.",
    ]


def test_unseparated_neighbours_are_named_with_the_interval():
    outcome = selection({"best": [[count // 4 for count in row] for row in SEVEN], "a": SEVEN, "b": FIVE})
    assert sentences(outcome)[-1] == f"- These runs do not separate a from b (ratio {ratio(outcome, 'a', 'b')})."


def test_unseparated_pairs_of_the_best_share_a_sentence():
    outcome = outcomes.outcome({"a": [[10, 20, 30]], "b": [[11, 19, 33]], "c": [[12, 21, 29]]})
    from_b, from_c = (f"{name} (ratio {ratio(outcome, 'a', name)})" for name in "bc")
    assert f"- These runs do not separate a from {from_b} and {from_c}." in sentences(outcome)
    assert sentences(outcome)[1] == "- The variants do not differ significantly (Friedman, χ²(2) = 0.7, p = .717)."


def test_the_p_value_is_given_if_the_interval_excludes_one_without_separation():
    """All five blocks favour one side: p = 2 / 2^5."""
    outcome = outcomes.outcome({"a": [[10, 20, 30, 40, 50]], "b": [[20, 30, 40, 50, 60]]})
    (sentence,) = sentences(outcome)[1:]
    assert sentence == (
        f"- These runs do not separate a from b (ratio {ratio(outcome, 'a', 'b')}, but p = .062 after Holm)."
    )


SLOWLY = [100 + count for count in range(12)]
A_LITTLE_FASTER = [count - 20 - count // 10 for count in SLOWLY[:11]]


@pytest.mark.parametrize(
    ("a", "b"),
    [
        # a is slightly faster in eleven of twelve seeds and needs many more evaluations in the other seed. The ratio is
        # above 1, or it is below 1 and its interval contains 1.
        ([[*A_LITTLE_FASTER, 9000]], [SLOWLY]),
        ([[*A_LITTLE_FASTER, 300]], [SLOWLY]),
        # a needs half as many evaluations over all targets, because one is hard for b. b is faster on five of six.
        ([*[[110, 121, 132, 143, 154, 165]] * 5, [2000] * 6], [*[[100, 110, 120, 130, 140, 150]] * 5, [5000] * 6]),
    ],
)
def test_no_direction_is_claimed_if_test_effect_size_and_means_disagree(a, b):
    outcome = outcomes.outcome({"a": a, "b": b})
    (pair,) = analyse(outcome).pairs
    assert pair.separated
    (sentence,) = sentences(outcome)[1:]
    assert sentence.startswith(f"- {pair.first} and {pair.second} differ (p = ")
    assert "do not show which one needs fewer evaluations on average" in sentence


def test_no_variants_are_called_equal():
    for text in files(selection()).values():
        assert "equal" not in text


def test_the_report_has_scope_and_caveats():
    outcome = selection(extended=True, paired=False, failed={"broken": "no such plugin"}, seeds=[1, 2, 3, 5, 8, 9])
    text = as_markdown(outcome).replace(SPACE, " ")
    for part in (
        "- classifier: mnist_cnn",
        "- targets: 3, 8; seeds: 1–3, 5, 8, 9; variants: 3",
        "- goal: 99.99 % confidence, within 10 000 evaluations per target",
        "- matched by seed only: ",
        "- The study was extended after results were available, so its results are exploratory.",
        "- broken: no such plugin",
        "The results hold for this classifier, these targets and this budget",
    ):
        assert part in text
    assert "paired: in a block" not in text
    assert "- paired: in a block" in as_markdown(selection())


def test_joint_blocks_are_explained():
    text = as_markdown(selection(joint=["roulette"]))
    assert "roulette pursues all targets in one run. So a block is a seed" in text
    assert "Blocks are seeds" in text
    assert "Blocks are target × seed" in as_markdown(selection())


def test_markdown_tables_are_rectangular_for_any_names():
    outcome = selection({"a|b*": SEVEN, "`<c>`": FIVE, "\\d": ROULETTE})
    text = as_markdown(outcome)
    found = re.findall(r"(?:^\|.*\|\n)+", text, re.M)
    assert len(found) == 4
    for table in found:
        assert len({len(re.split(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1
    assert r"| a\|b\* |" in text


@pytest.mark.parametrize(
    ("fields", "drawn"),
    [({}, True), ({"candidate": "roulette"}, False), ({"evaluations": {"a": SEVEN, "b": FIVE}}, False)],
)
def test_the_report_links_the_figures_that_are_drawn(fields, drawn):
    outcome = selection(**fields)
    links = re.findall(r"^!\[[^]]+\]\((.*)\)$", as_markdown(outcome), re.M)
    names = ["convergence", "ecdf", "targets", "images", *["critical_differences"] * drawn]
    assert links == [f"figures/{name}.png" for name in names]


def test_the_main_table_is_by_mean_rank():
    text = as_markdown(selection())
    main = text.split("## Evaluations to the goal")[1].split("\n\n")[2].replace(SPACE, " ")
    assert main.splitlines()[2].startswith("| tournament-7 | 100 % [75.8, 100] | 575 [")
    assert [line.split(" | ")[0] for line in main.splitlines()[3:]] == ["| tournament-5", "| roulette"]
    assert main.splitlines()[4].endswith("| 2 300 | 3.00 |")


def test_the_report_on_many_variants_has_pairs_of_the_best_and_of_neighbours():
    outcome = outcomes.outcome(outcomes.drawn(9, 2, 6))
    text = as_markdown(outcome)
    shown = re.findall(r"^\| (v\d+) \| (v\d+) \|", text, re.M)
    order = [each.name for each in analyse(outcome).variants]
    expected = {frozenset((order[0], name)) for name in order[1:]} | {frozenset(order[i : i + 2]) for i in range(8)}
    assert sorted(map(sorted, shown)) == sorted(map(sorted, expected))
    assert "All 36 pairs" in text
    few = outcomes.outcome(outcomes.drawn(8, 2, 6))
    assert len(re.findall(r"^\| v\d+ \| v\d+ \|", as_markdown(few), re.M)) == 28


def test_many_targets_become_rows():
    outcome = outcomes.outcome(outcomes.drawn(2, 13, 2))
    table = tables.target_table(analyse(outcome))
    assert (len(table.rows), table.header[0], sorted(table.header[1:])) == (13, "target", ["v00", "v01"])
    row = dict(zip(table.header, table.rows[2], strict=True))
    assert row["target"] == "2"
    assert row["v01"] == formatting.grouped(float(np.median(outcome.column("v01", "evaluations_to_goal")[2])))


# --- On the terminal --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("candidate", [None, "variant with a name that is much longer than is good for it 05"])
def test_the_summary_fits_the_terminal(candidate):
    drawn = outcomes.drawn(12, 4, 9, budget=10**7)
    evaluations = {f"variant with a name that is much longer than is good for it {name[1:]}": [
        [count * 1000 for count in row] for row in table] for name, table in drawn.items()}  # fmt: skip
    outcome = outcomes.outcome(evaluations, budget=10**8, candidate=candidate, failed={"other": "wrong " * 30})
    text = on_terminal(outcome)
    assert max(map(len, text.splitlines())) <= 100
    conclusions = text.split("Conclusions")[1].split("\n\n")[0].splitlines()[2:]
    assert 10 <= len(conclusions) <= 12  # not shortened more than needed
    assert re.fullmatch(r"… \d+ more are in report\.md\.", conclusions[-1])
    assert "- other: wrong" in text
    table = text.split("restricted mean.\n\n")[1].split("\n\n")[0].splitlines()
    assert len(table) == 12 + 2
    assert len({len(line) for line in table[1:]}) == 1
    assert ("median" in table[0] + table[1], "ERT" in table[0] + table[1]) == (True, False)  # dropped: too wide


def test_the_terminal_shows_the_sentences_of_the_report():
    text = on_terminal(selection()).replace("\n  ", " ").replace(SPACE, " ")
    for sentence in sentences(selection()):
        assert sentence.removeprefix("- ") in text


def test_no_line_on_the_terminal_breaks_within_a_statistic():
    outcome = outcomes.outcome(outcomes.drawn(9, 3, 9))
    for line in on_terminal(outcome).splitlines():
        assert line.count("[") == line.count("]")
        assert not line.strip().startswith(("=", "<"))


@pytest.mark.parametrize("length", range(1, 41, 3))
def test_no_line_on_the_terminal_begins_with_a_percent_sign(length):
    outcome = selection({"a" * length: SEVEN, "never": NEVER})
    text = on_terminal(outcome)
    assert " %" in text
    assert "\n  %" not in text


# --- Small and broken studies; any order ----------------------------------------------------------------------------

SMALL = {
    "one seed": outcomes.outcome({"a": [[1], [2]], "b": [[None], [3]]}),
    "one run": outcomes.outcome({"a": [[None]]}),
    "one variant": selection({"a": SEVEN}, failed={"b": "broken"}),
    "all failed": outcomes.outcome({}, failed={"a": "broken", "b": "broken"}),
    "no variants": outcomes.outcome({}),
    "candidate failed": selection({"a": SEVEN, "b": FIVE}, candidate="c", failed={"c": "broken"}),
    "candidate alone": selection({"a": SEVEN}, candidate="a", failed={"c": "broken"}),
    "joint failed": selection({"a": SEVEN, "b": FIVE}, joint=["c"], failed={"c": "broken"}),
    "no run reaches the goal": selection({"a": NEVER, "b": NEVER, "c": NEVER}, joint=["a"]),
    "score": selection(goal={"score": 3.5}),
}


@pytest.mark.parametrize("name", SMALL)
def test_small_and_broken_studies_have_all_files(name):
    found = files(SMALL[name])
    assert set(found) == {
        "runs.csv", "curves.csv", "summary.json", "report.json", "report.md", "terminal", "variants.tex", "pairs.tex"
    }  # fmt: skip
    json.loads(found["summary.json"], parse_constant=pytest.fail)
    for text in found.values():
        assert not re.search(r"\b(nan|inf|None)\b", text)
    for failed in SMALL[name].failed:
        assert f"- {failed}: broken" in found["report.md"]
        assert f"- {failed}: broken" in found["terminal"]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("one run", "a is the only variant"),
        ("all failed", "No variant finished"),
        ("candidate failed", "c failed"),
        ("no run reaches the goal", "a, b and c cannot be separated: none of their runs reached the goal."),
        ("score", "To a score of 3.5, on mnist_cnn"),
    ],
)
def test_conclusions_of_small_and_broken_studies(name, sentence):
    assert sentence in on_terminal(SMALL[name])
    assert any(sentence in line for line in sentences(SMALL[name]))


def test_files_do_not_depend_on_the_order_of_variants():
    evaluations = outcomes.drawn(5, 3, 7, budget=4000) | {"twin": outcomes.drawn(5, 3, 7, budget=4000)["v02"]}
    fields = {"budget": 4000, "failed": {"y": "1", "x": "2"}, "joint": ("v01", "v00")}
    there = outcomes.outcome(evaluations, **fields)
    back = outcomes.outcome(
        dict(reversed(evaluations.items())), **{**fields, "failed": {"x": "2", "y": "1"}, "joint": ("v00", "v01")}
    )
    back = dataclasses.replace(back, runs=back.runs[::-1])
    assert there.runs != back.runs
    assert files(there) == files(back)
