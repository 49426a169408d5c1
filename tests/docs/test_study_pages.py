"""The numbers and sentences of the study pages agree with docs/data. Nothing here imports fooldeap."""

import csv
import gzip
import itertools
import math
import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import kendalltau, rankdata, spearmanr, wilcoxon

ROOT = Path(__file__).parents[2]
DATA = ROOT / "docs" / "data"
BUDGET = 25_000
JOINT = ("map_elites", "bayesian_optimisation")  # one run for all digits
SECTIONS = {
    "selection_study.md": {
        "Results on mnist_cnn": "selection_mnist_cnn",
        "Results on mnist_lenet": "selection_mnist_lenet",
    },
    "mutation_study.md": {"Results by variant": "mutation_mnist_cnn"},
    "settings_study.md": {
        "Population and elites": "population_mnist_cnn",
        "Fitness": "fitness_mnist_cnn",
        "Crossover": "crossover_mnist_cnn",
        "Algorithm": "algorithm_mnist_cnn",
    },
}
STUDIES = [study for sections in SECTIONS.values() for study in sections.values()]


# --- The data ---------------------------------------------------------------------------------------------------------


class Study:
    """All runs of a study. Arrays have the shape (targets, seeds); a censored run is infinite."""

    def __init__(self, name):
        with gzip.open(DATA / f"{name}.csv.gz", "rt", newline="") as file:
            rows = list(csv.DictReader(file))
        self.names = sorted({row["variant"] for row in rows})
        self.columns = {name: {} for name in self.names}
        places = {name: [row for row in rows if row["variant"] == name] for name in self.names}
        for name, runs in places.items():
            runs.sort(key=lambda row: (int(row["target"]), int(row["seed"])))
            seeds = len({row["seed"] for row in runs})
            for column in rows[0]:
                if column not in ("variant", "stopped"):
                    numbers = [float(row[column] or "inf") for row in runs]
                    self.columns[name][column] = np.array(numbers).reshape(-1, seeds)

    def goal(self, name):
        return self.columns[name]["evaluations_to_goal"]

    def restricted_mean(self, name):
        return np.minimum(self.goal(name), BUDGET).mean()

    def ert(self, name):
        goal = self.goal(name)
        spent = np.minimum(goal, self.columns[name]["evaluations"]).sum()
        return spent / np.isfinite(goal).sum() if np.isfinite(goal).any() else math.inf

    def ratio(self, one, other, of="restricted_mean"):
        return getattr(self, of)(one) / getattr(self, of)(other)

    @property
    def ranks(self):
        ranks = rankdata([self.goal(name).ravel() for name in self.names], axis=0).mean(axis=1)
        return dict(zip(self.names, ranks, strict=True))

    @property
    def by_rank(self):
        return sorted(self.names, key=self.ranks.get)


@cache
def load(name):
    return Study(name)


def signed_rank(one, other):
    """Wilcoxon's test with Pratt's zeros; a success against a censored run is the largest difference."""
    difference = np.zeros(one.size)
    for block, (a, b) in enumerate(zip(one.ravel(), other.ravel(), strict=True)):
        difference[block] = 0 if a == b else a - b
    largest = np.abs(difference[np.isfinite(difference)]).max(initial=0)
    difference = np.clip(difference, -largest - 1, largest + 1)
    if not difference.any():
        return 1.0
    if np.count_nonzero(difference) > 50:
        return wilcoxon(difference, zero_method="pratt", method="asymptotic").pvalue
    doubled = np.rint(2 * rankdata(np.abs(difference))).astype(int)
    counts = {0: 1}  # sum of the positive ranks: number of combinations of signs
    for rank in doubled[difference != 0].tolist():
        counts = {
            total: counts.get(total, 0) + counts.get(total - rank, 0)
            for total in {*counts, *(total + rank for total in counts)}
        }
    whole, found = max(counts), int(doubled[difference > 0].sum())
    extreme = sum(n for total, n in counts.items() if abs(2 * total - whole) >= abs(2 * found - whole))
    return extreme / sum(counts.values())


def holm(p_values):
    """Adjusted p-values, from a mapping of pairs to p-values."""
    adjusted, least = {}, 0.0
    for tests, pair in zip(itertools.count(len(p_values), -1), sorted(p_values, key=p_values.get), strict=False):
        least = max(least, min(1.0, p_values[pair] * tests))
        adjusted[pair] = least
    return adjusted


@cache
def adjusted(name):
    study = load(name)
    return holm(
        {frozenset(pair): signed_rank(*map(study.goal, pair)) for pair in itertools.combinations(study.names, 2)}
    )


def not_separated(name):
    return {pair for pair, p in adjusted(name).items() if p >= 0.05}


@cache
def totals(name):
    """Images of each strategy and seed until all ten digits are reached."""
    study = load(name)
    return {
        strategy: study.goal(strategy).max(axis=0) if strategy.endswith(JOINT) else study.goal(strategy).sum(axis=0)
        for strategy in study.names
    }


# --- The pages --------------------------------------------------------------------------------------------------------


def page(name):
    return (ROOT / name if name == "README.md" else ROOT / "docs" / name).read_text().replace("\u202f", " ")


def flat(text):
    return " ".join(text.split())


def sections(text):
    """Map the headings of a page to what follows them."""
    heads = re.split(r"^#+ (.*)$", text, flags=re.MULTILINE)
    return dict(zip(heads[1::2], heads[2::2], strict=True))


def tables(text):
    """Yield the header and the rows of each table."""
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        lines = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in block.splitlines()]
        yield lines[0], lines[2:]


def agrees(cell, value):
    """Whether a printed number is the value, correctly rounded."""
    text = re.sub(r"[ ,*%]", "", cell.partition(" [")[0])
    if text == "∞" or math.isinf(value):
        return text == "∞" and math.isinf(value)
    return abs(float(text) - value) <= 0.5 * 10 ** -len(text.partition(".")[2]) + 1e-9


def median(values):
    return np.median(values) if np.isfinite(values).sum() > values.size / 2 else math.inf


COLUMNS = {
    "success [95 %]": lambda study, name: 100 * np.isfinite(study.goal(name)).mean(),
    "median [quartiles]": lambda study, name: median(study.goal(name)),
    "ERT [95 %]": Study.ert,
    "restricted mean": Study.restricted_mean,
    "mean rank": lambda study, name: study.ranks[name],
    **{
        f"to {share} %": lambda study, name, share=share: median(study.columns[name][f"evaluations_to_{share}"])
        for share in (50, 90, 99)
    },
    "final confidence": lambda study, name: 100 * np.median(study.columns[name]["confidence"]),
    "area": lambda study, name: study.columns[name]["area"].mean(),
    "diversity": lambda study, name: study.columns[name]["diversity"].mean(),
    **{str(digit): lambda study, name, digit=digit: median(study.goal(name)[digit]) for digit in range(10)},
}
SEPARATE = [(name, heading, study) for name, parts in SECTIONS.items() for heading, study in parts.items()]


@pytest.mark.parametrize(("name", "heading", "study"), SEPARATE, ids=STUDIES)
def test_tables_agree_with_the_data(name, heading, study):
    data = load(study)
    checked = 0
    for header, rows in tables(sections(page(name))[heading]):
        assert sorted(row[0] for row in rows) == data.names
        for row in rows:
            for column, cell in zip(header[1:], row[1:], strict=True):
                value = COLUMNS[column](data, row[0])
                assert agrees(cell, value), f"{row[0]}, {column}: {cell} on the page, {value} in the data"
                checked += 1
    assert checked >= 4 * len(data.names)


@pytest.mark.parametrize("network", ["mnist_cnn", "mnist_lenet"])
def test_the_table_of_strategies_agrees_with_the_data(network):
    found = totals(f"strategies_{network}")
    (header, rows), *_ = tables(page("strategies.md"))
    column = header.index(f"images, `{network}`")
    assert len(rows) == len(found)
    for row in rows:
        strategy = "-".join(re.findall(r"pixels|dct|cppn|`\w+`", row[0])[:2]).replace("`", "")
        images, seeds = row[column : column + 2]
        assert int(seeds) == np.isfinite(found[strategy]).sum()
        assert agrees(images.replace("not reached", "∞"), median(found[strategy])), strategy


# --- Separated pairs --------------------------------------------------------------------------------------------------

WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]


def named_pairs(text, names, word):
    """Return the pairs of variants that a sentence joins by a word, as in "A from B"."""
    names = "|".join(sorted(map(re.escape, names), key=len, reverse=True))
    return {frozenset(pair) for pair in re.findall(rf"({names}) {word} ({names})(?![\w-])", text)}


@pytest.mark.parametrize("study", ["selection_mnist_cnn", "selection_mnist_lenet"])
def test_the_pairs_that_are_not_separated_are_named(study):
    heading = f"Results on {study.removeprefix('selection_')}"
    text, names = flat(sections(page("selection_study.md"))[heading]), load(study).names
    quoted = " ".join(re.findall(r"do(?: also)? not separate (.*?)(?: - |The quoted|$)", text))
    word, count, others, rest = re.search(
        r"name (\w+) of the (\w+) pairs that are not separated.*? The other (\w+) are (.*)", text
    ).groups()
    quoted, others_named = named_pairs(quoted, names, "from"), named_pairs(rest, names, "with")
    assert quoted | others_named == not_separated(study)
    assert (len(quoted), len(not_separated(study)), len(others_named)) == tuple(map(WORDS.index, (word, count, others)))


@pytest.mark.parametrize("study", ["selection_mnist_cnn", "selection_mnist_lenet"])
def test_the_quoted_comparisons_agree_with_the_data(study):
    heading, data = f"Results on {study.removeprefix('selection_')}", load(study)
    quoted = re.findall(
        r"^- (\S+) needs fewer evaluations than (\S+): median ([\d ]+) against ([\d ]+|not reached),.* A12 = ([\d.]+), "
        r"ratio ([\d.]+) ",
        sections(page("selection_study.md"))[heading],
        re.MULTILINE,
    )
    assert {frozenset(row[:2]) for row in quoted} == {
        pair for pair in adjusted(study).keys() - not_separated(study) if data.by_rank[0] in pair
    }
    for one, other, first, second, a12, ratio in quoted:
        wins = [
            [(a < b) + (a == b) / 2 for a, b in itertools.product(*pair)]
            for pair in zip(*map(data.goal, (one, other)), strict=True)
        ]
        values = [median(data.goal(one)), median(data.goal(other)), np.mean(wins), data.ratio(one, other)]
        assert all(map(agrees, [first, second.replace("not reached", "∞"), a12, ratio], values)), (one, other)


@pytest.mark.parametrize(("name", "heading", "study"), SEPARATE, ids=STUDIES)
def test_pairs_without_a_bar_are_named(name, heading, study):
    text = sections(page(name))[heading]
    if "critical_differences" not in text:
        return
    order, apart = load(study).by_rank, adjusted(study).keys() - not_separated(study)
    joined = {
        frozenset(pair)
        for start, end in itertools.combinations(range(len(order) + 1), 2)
        if not apart & set(map(frozenset, itertools.combinations(order[start:end], 2)))
        for pair in itertools.combinations(order[start:end], 2)
    }
    said = re.search(r"has no bar: (.*?)\. ", flat(text))
    assert not_separated(study) - joined == named_pairs(said[1] if said else "", order, "and")


def test_strategies_that_are_not_separated():
    text = page("strategies.md")
    count = re.search(r"Of 120 pairs, (\d+) are separated on `mnist_cnn` and (\d+) on `mnist_lenet`", flat(text))
    found = {}
    for network, expected in zip(("mnist_cnn", "mnist_lenet"), count.groups(), strict=True):
        seeds = totals(f"strategies_{network}")
        p_values = holm(
            {frozenset(pair): signed_rank(*map(seeds.get, pair)) for pair in itertools.combinations(seeds, 2)}
        )
        found[network] = {pair for pair, p in p_values.items() if p >= 0.05}
        assert len(p_values) - len(found[network]) == int(expected)
    ((_, rows),) = [table for table in tables(text) if table[0][0] == "network"]
    for network, strategies in rows:
        genome = re.search("pixels|dct|cppn", strategies)[0]
        if "from" in strategies:
            pairs = {
                frozenset(pair)
                for pair in itertools.product(
                    ["cppn-generational", "cppn-map_elites"], ["pixels-generational", "pixels-mu_plus_lambda"]
                )
            }
            assert strategies.endswith("from `generational` and from `mu_plus_lambda` on pixels")
        else:
            algorithms = [word for word in re.findall(r"`(\w+)`", strategies) if word not in ("dct", "cppn")]
            algorithms = algorithms or ["generational", "map_elites"]  # "the two strategies with `cppn`"
            pairs = {frozenset(f"{genome}-{one}" for one in pair) for pair in itertools.combinations(algorithms, 2)}
        for data in found if network == "both" else [network.strip("`")]:
            assert pairs <= found[data], strategies


# --- Sentences --------------------------------------------------------------------------------------------------------


def number(value, digits=2):
    """Format a ratio or a correlation, as in ".35" and "1.98"."""
    return re.sub(r"^(−?)0\.", r"\1.", f"{value:.{digits}f}".replace("-", "−"))


def grouped(value):
    return f"{round(value):,}".replace(",", " ")


def opposite_pairs():
    studies = [f"selection_{network}" for network in ("mnist_cnn", "mnist_lenet")]
    ranks = [load(study).ranks for study in studies]
    return [
        pair
        for pair in itertools.combinations(load(studies[0]).names, 2)
        if all(frozenset(pair) not in not_separated(study) for study in studies)
        and len({rank[pair[0]] < rank[pair[1]] for rank in ranks}) == 2
    ]


def pooled_interval():
    """The ERT of random selection, with all runs drawn again regardless of their targets, to a thousand."""
    data, rng = load("selection_mnist_cnn"), np.random.default_rng(1)
    goal = data.goal("random").ravel()
    drawn = rng.integers(0, goal.size, (20_000, goal.size))
    reached = np.isfinite(goal)[drawn].sum(axis=1)
    erts = np.minimum(goal, BUDGET)[drawn].sum(axis=1) / np.maximum(reached, 1)
    return [grouped(round(bound, -3)) for bound in np.percentile(erts, [2.5, 97.5])]


def correlations():
    data = load("selection_mnist_cnn")
    for name in set(data.names) - {"boltzmann", "random"}:
        goal = np.minimum(data.goal(name), BUDGET)
        matrix = np.corrcoef(goal[goal.std(axis=1) > 0])
        yield matrix[np.triu_indices(len(matrix), 1)].mean()


def sentences_of_settings():
    data = load("population_mnist_cnn")
    for size, fewer, more in [(100, 0, 5), (300, 5, 0)]:
        pair = [f"population-{size}+elites-{elites}" for elites in (fewer, more)]
        p = adjusted("population_mnist_cnn")[frozenset(pair)]
        said = "p < .001" if p < 0.001 else f"p = {number(p, 3)}"
        yield f"(ratio {number(data.ratio(*pair))}, {said} after Holm's correction)"
    ten, hundred = "population-10+elites-0", "population-100+elites-0"
    yield f"lower median ({grouped(median(data.goal(ten)))} against {grouped(median(data.goal(hundred)))})"
    yield f"higher ERT ({grouped(data.ert(ten))} against {grouped(data.ert(hundred))})"
    yield f"one of 10 (ratio {number(data.ratio('population-30+elites-0', ten))})"
    data = load("crossover_mnist_cnn")
    by_ert = number(data.ratio("uniform", "none", "ert"))
    yield f"(ratio {number(data.ratio('uniform', 'none'))}), or a quarter by ERT ({by_ert})"
    yield f"by ERT {by_ert}), and fewer than all other crossovers"
    diversity = [data.columns[name]["diversity"].mean() for name in data.names]
    correlation = spearmanr(list(data.ranks.values()), diversity).statistic
    yield f"rank correlation of mean rank and diversity is {number(correlation)} over"
    data, pair = load("fitness_mnist_cnn"), ("softmax_loss-of-probabilities+tournament", "softmax_loss+tournament")
    yield f"it needs {data.ratio(*pair):.1f} times the evaluations, or {number(data.ratio(*pair, 'ert'))} times by ERT"
    more = 100 * (data.ratio("margin+tournament", "softmax_loss+tournament") - 1)
    yield f"`margin`, needs {more:.0f} % more evaluations"
    data = load("algorithm_mnist_cnn")
    yield f"(ratio {number(data.ratio('mu_plus_lambda', 'generational'))} ["
    theirs = [name for name in data.names if name.startswith("deap")]
    for of, words in [("restricted_mean", "need {} to {} times"), ("ert", "or {} to {} times by ERT")]:
        ratios = [data.ratio(name, "generational", of) for name in theirs]
        yield words.format(f"{min(ratios):.1f}", f"{max(ratios):.1f}")


def sentences_of_selection():
    ranks = [list(load(f"selection_{network}").ranks.values()) for network in ("mnist_cnn", "mnist_lenet")]
    yield f"Kendall's τ between the mean ranks on the two networks is {number(kendalltau(*ranks).statistic)}."
    yield (
        f"In {WORDS[len(opposite_pairs())]} pairs, the selection that is significantly better on one network is "
        "significantly worse on the other."
    )
    yield f"ERT of {grouped(load('selection_mnist_cnn').ert('random'))} is nine times the budget"
    yield "the interval is {} to {}.".format(*pooled_interval())


def sentences_of_statistics():
    least, *_, most = sorted(correlations())
    yield f"The averages lie between {number(least)} and {number(most)}."
    yield f"its ERT is {grouped(load('selection_mnist_cnn').ert('random'))}"
    yield "the interval is {} to {}.".format(*pooled_interval())


def sentences_of_strategies():
    cnn, lenet = (totals(f"strategies_{network}") for network in ("mnist_cnn", "mnist_lenet"))
    of = {name: [np.median(found[name]) for found in (cnn, lenet)] for name in cnn}
    shares = [
        number(one / all_) for one, all_ in zip(of["pixels-one_plus_one"], of["pixels-generational"], strict=True)
    ]
    yield "takes {} of the images of `generational` on `mnist_cnn` and {} on `mnist_lenet`".format(*shares)

    def spread(genome, without=()):
        names = [n for n in of if n.startswith(genome) and not n.endswith(("search", "ascent", *without))]
        return [max(of[name][place] for name in names) / min(of[name][place] for name in names) for place in (0, 1)]

    slowest = spread("pixels")
    yield f"needs {slowest[0]:.0f} times the images of the fastest on `mnist_cnn`, and {slowest[1]:.1f} times"
    most, without = spread("dct"), spread("dct", ("bayesian_optimisation",))
    yield "{:.0f} times the images of the fastest on `mnist_cnn` and {:.0f} times on `mnist_lenet`".format(*most)
    yield "If `bayesian_optimisation` is left out as well, these factors are {:.1f} and {:.1f}.".format(*without)
    missed = ~np.isfinite(load("strategies_mnist_lenet").goal("cppn-generational"))
    seeds = WORDS[missed.any(axis=0).sum()]
    yield f"{WORDS[missed.sum()]} runs of `generational`, with {seeds} different seeds, missed their digit"
    for name, text in [
        ("cppn-map_elites", "is {:.1f} times the smallest on `mnist_cnn`, and {:.0f} times on `mnist_lenet`"),
        ("cppn-generational", "is {:.1f} times the smallest on `mnist_cnn` and {:.1f} times on `mnist_lenet`"),
    ]:
        reached = [found[name][np.isfinite(found[name])] for found in (cnn, lenet)]
        yield text.format(*(seeds.max() / seeds.min() for seeds in reached))


def sentences_of_generative():
    model = np.load(ROOT / "fooldeap" / "data" / "classifiers" / "mnist_density.npz")
    images = np.load(ROOT / "fooldeap" / "data" / "mnist.npz")["x_test"].reshape(10_000, -1) / 255 - model["mean"]
    near = images @ model["directions"]
    rest = (images**2).sum(axis=1) - (near**2).sum(axis=1)
    parts = [
        np.stack([o - ((near @ r - s) ** 2).sum(axis=1) / 2 for r, s, o in zip(*of, strict=True)])
        for of in zip(model["roots"], model["shifts"], model["offsets"], strict=True)
    ]
    joint = np.stack([logsumexp(part, axis=0) for part in parts], axis=1) + model["priors"]
    joint -= rest[:, None] / (2 * model["noise"])
    logits = joint / model["temperature"]
    odds = (np.quantile(model["held_out"], 0.01) - logsumexp(joint, axis=1)) / model["temperature"]
    rejecting = np.column_stack([logits, logsumexp(logits, axis=1) + odds])
    best = [np.exp(s[:, :10].max(axis=1) - logsumexp(s, axis=1)) for s in (logits, rejecting)]
    sure, fair = ([f"{100 * np.mean(share >= goal):.1f} %" for share in best] for goal in (0.9999, 0.99))
    yield f"{sure[0]} of the test digits get a confidence of at least 99.99 % ({sure[1]} with rejection)"
    yield f"because {fair[0]} of the real digits reach it ({fair[1]} with rejection)"


SENTENCES = {
    "settings_study.md": sentences_of_settings,
    "selection_study.md": sentences_of_selection,
    "statistics.md": sentences_of_statistics,
    "strategies.md": sentences_of_strategies,
    "generative.md": sentences_of_generative,
}


@pytest.mark.parametrize("name", SENTENCES)
def test_sentences_agree_with_the_data(name):
    text = flat(page(name))
    assert [sentence for sentence in SENTENCES[name]() if sentence not in text] == []


def test_opposite_pairs_are_named():
    """Each item of the list names a selection and those that are worse on mnist_cnn and better on mnist_lenet."""
    text = flat(page("selection_study.md"))
    items = text.partition("worse on `mnist_lenet`: - ")[2].partition(" - No difference was found")[0].split(" - ")
    named = [re.findall(r"`([\w-]+)`", item) for item in items]
    cnn, lenet = (load(f"selection_{network}").ranks for network in ("mnist_cnn", "mnist_lenet"))
    pairs = [(first, other) for first, *others in named for other in others]
    assert set(map(frozenset, pairs)) == set(map(frozenset, opposite_pairs()))
    assert all(cnn[first] < cnn[other] and lenet[first] > lenet[other] for first, other in pairs)


def test_the_published_scores_fit_the_scale_except_those_that_are_named():
    text = page("seed.md")
    rows = next(rows for header, rows in tables(text) if header[0] == "target")
    published = [(int(target), int(predicted), float(score)) for target, predicted, score, *_ in rows[:10]]
    low, high = 1 / math.log(math.e + 9), 1 / (math.log(math.e + 9) - 1)
    assert all(round(low, 4) <= score <= round(high, 4) for _, _, score in published)
    contradictory = [row for row in published if row[0] == row[1] and row[2] < 1 / math.log(10)]
    assert [
        f"For target {target}, the published prediction is {predicted} and the score is {number(score, 4)}."
        in flat(text)
        for target, predicted, score in contradictory
    ] == [True]


def test_the_readme_rounds_the_times_of_deap():
    times = re.findall(r"([\d.]+) times as long", flat(page("results.md")))
    shown = re.search(r"DEAP, used as in its tutorials,[^|]*\| (.*) times the time", page("README.md"))[1]
    assert set(shown.split(" and ")) <= {f"{float(time):.0f}" for time in times}


def test_a_citation_key_means_one_work():
    keys = re.findall(r"^- \*\*(.*?)\.\*\*", page("literature.md"), re.MULTILINE)
    assert len(keys) == len(set(keys))
    works = {
        key: flat(text)
        for key, text in re.findall(r"^- \*\*(.*?)\.\*\* ((?:.*\n)(?:  .*\n)*)", page("literature.md"), re.MULTILINE)
    }
    for key, title in re.findall(r"^- ([^.*]*\d{4})\. ((?:.*\n)(?:  .*\n)*)", page("statistics.md"), re.MULTILINE):
        assert key not in works or flat(title).partition(". ")[0].lower() in works[key].lower(), key
