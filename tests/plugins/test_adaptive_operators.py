"""The adaptive stock operators, against their sources: one-fifth rule, probability matching, fitness sharing."""

import math

import numpy as np
import pytest
from helpers.experiments import KIT, TINY, tiny
from helpers.operators import operator, rng
from scipy import stats

from fooldeap.configuration import config
from fooldeap.engine.toolboxes import stream
from fooldeap.errors import FooldeapWarning, InputError
from fooldeap.plugin import Offspring, classifier, dataclass, fitness, genome
from fooldeap.runs.experiment_session import ExperimentSession

N = 20  # genes of the sphere function


# --- The one-fifth rule on the sphere function ----------------------------------------------------------------------


def told(*pairs):
    """Return feedback about children, from pairs of their fitness and that of their parents."""
    fitness, parents = np.array(pairs, float).reshape(-1, 2).T
    return Offspring(np.arange(len(pairs)), fitness, parents)


def climb(rule, steps, seed, genes):
    """Run a (1 + 1) evolution strategy in plain numpy. Return distances, step sizes and successes."""
    draw = rng(seed)
    x = draw.normal(size=genes)
    distances, sizes, successes, news = [], [], [], told()
    for _ in range(steps):
        child = rule(x[None].copy(), draw, news)[0]
        before, after = -(x @ x), -(child @ child)
        news = told((after, before))
        distances.append(math.sqrt(-before))
        sizes.append(rule.step)
        successes.append(after > before)
        x = child if after >= before else x
    return np.array(distances), np.array(sizes), np.array(successes)


def test_the_one_fifth_rule_has_its_published_behaviour_on_the_sphere():
    """Beyer 2001, chapter 3: success rate P and normalised progress of the (1 + 1) strategy on the sphere function."""
    rule, genes = operator("mutation", "one_fifth", sigma=1.0, least=0.0), 100
    distances, sizes, successes = (each[1000:] for each in climb(rule, 21_000, 1, genes))
    assert successes.mean() == pytest.approx(0.2, abs=0.02)
    # The step size is proportional to the distance: sigma N / R varies around the value that gives P = 1/5.
    normalised = sizes * genes / distances
    at_one_fifth = 2 * stats.norm.isf(0.2)  # 1.68
    assert np.median(normalised) == pytest.approx(at_one_fifth, rel=0.1)
    assert np.quantile(normalised, 0.95) / np.quantile(normalised, 0.05) < 3
    # Linear convergence: the logarithm of the distance falls by phi / N in each step.
    steps = np.arange(len(distances))
    fit = stats.linregress(steps, np.log(distances))
    half = at_one_fifth / 2
    phi = at_one_fifth / math.sqrt(2 * math.pi) * math.exp(-(half**2) / 2) - at_one_fifth**2 / 2 * stats.norm.sf(half)
    assert fit.rvalue < -0.999
    assert fit.slope == pytest.approx(-phi / genes, rel=0.05)
    assert distances[-1] < 1e-15


def test_a_constant_step_size_does_not_converge_linearly():
    class NoRule:
        step = 0.1

        def __call__(self, x, draw, _):
            return x + self.step * draw.normal(size=x.shape)

    distances, _, successes = climb(NoRule(), 4000, 1, N)
    assert distances[-1] > 0.05
    assert successes[-1000:].mean() < 0.02


def test_the_step_size_is_adapted_once_for_each_window():
    """It is divided or multiplied by the factor, or kept (Eiben and Smith 2015, section 4.4.2)."""
    rule = operator("mutation", "one_fifth", sigma=8.0, window=10, factor=0.8, least=1.0)
    empty = np.zeros((0, N))
    better, worse = (1, 0), (0, 0)  # equal fitness is no success
    for successes, expected in [(3, 10.0), (2, 10.0), (1, 8.0), (0, 6.4)]:
        rule(empty, rng(), told(*[better] * successes, *[worse] * (10 - successes)))
        assert rule.step == pytest.approx(expected)
    rule(empty, rng(), told(*[worse] * 9))
    assert rule.step == pytest.approx(6.4)
    rule(empty, rng(), told(*[better] * 50))  # the children of one generation had the same step size
    assert rule.step == pytest.approx(8.0)
    for _ in range(20):
        rule(empty, rng(), told(*[worse] * 10))
    assert rule.step == 1.0  # the least step


def test_the_noise_is_normal_with_the_current_step():
    rule = operator("mutation", "one_fifth", sigma=3.0)
    added = rule(np.zeros((500, N)), rng(), told())
    assert stats.kstest(added.ravel() / 3, "norm").pvalue > 1e-4


@genome("real_bits")
@dataclass(frozen=True)
class RealBits:
    """Real numbers whose bytes are the pixels, so that a fitness can read them exactly."""

    shape: tuple[int, int, int]
    dtype = "float64"
    bounds = None

    def sample(self, count, rng):
        return rng.normal(size=(count, N))

    def decode(self, genomes):
        return np.ascontiguousarray(genomes).view(np.uint8).reshape(len(genomes), *self.shape)

    def take(self, genomes, indices):
        return genomes.take(indices, axis=0)


@fitness("sphere")
def sphere(predictions, target):
    """Minus the sphere function."""
    values = np.ascontiguousarray(predictions.images).reshape(len(predictions.images), -1).view(np.float64)
    return -np.array([row @ row for row in values])


@classifier("constant")
@dataclass
class Constant:
    """Has no opinion."""

    input_shape, classes, digest = (N, 8, 1), 2, "constant"

    def logits(self, images):
        return np.zeros((len(images), 2), np.float32)


def test_the_engine_gives_the_same_course_as_plain_numpy():
    arguments = {
        "classifier": "constant",
        "genome": "real_bits",
        "fitness": "sphere",
        "algorithm": "one_plus_one",
        "mutation": {"name": "one_fifth", "sigma": 1.0, "least": 0.0},
        "crossover": "none",
        "targets": [1],
        "reporters": [],
        "stop": {"confidence": None, "evaluations": 1500, "generations": 100_000, "stagnation": None},
    }
    experiment = config.load({}, arguments=arguments, plugins=[RealBits, sphere, Constant])
    with pytest.warns(FooldeapWarning, match="the same output for all"):
        session = ExperimentSession(experiment)
    (result,) = session.run(None)
    x = stream(1, (1,), "sample").normal(size=(1, N))[0]
    draw, rule, news = stream(1, (1,), "mutate"), operator("mutation", "one_fifth", sigma=1.0, least=0.0), told()
    expected = [-(x @ x)]
    for _ in range(1499):
        child = rule(x[None].copy(), draw, news)[0]
        news = told((-(child @ child), -(x @ x)))
        expected.append(-(child @ child))
        x = child if -(child @ child) >= -(x @ x) else x
    assert [row.best for row in result.log] == expected
    assert -expected[-1] < 1e-6


def test_least_above_sigma_is_refused():
    with pytest.raises(InputError, match=r"least: got 50.0, expected at most sigma, 40.0"):
        ExperimentSession(tiny(mutation={"name": "one_fifth", "least": 50.0})).run(None)


# --- Probability matching -------------------------------------------------------------------------------------------


def mixture(rates, **values):
    """Return a mixture of mutations that add their number to a gene, and the weights 1, 2, ..."""

    def adding(number):
        return lambda genomes, rng: genomes + np.uint8(number + 1)

    of = tuple((adding(number), number + 1.0) for number in range(len(rates)))
    return operator("mutation", "adaptive_mixed", of=of, **values)


def test_probabilities_match_the_success_of_mutations():
    """The formula of Thierens 2005, computed from the children alone."""
    rates, pace, least, draw = np.array([0.5, 0.2, 0.0]), 0.2, 0.1, rng(5)
    mutate = mixture(rates, pace=pace, least=least)
    quality = np.array([1, 2, 3]) / 6
    news, number, drawn = Offspring(*np.zeros((3, 0))), 0, np.zeros(0, int)
    counts, expected_counts = np.zeros(3), np.zeros(3)
    for _ in range(300):
        children = mutate(np.zeros((20, 4), np.uint8), draw, news)
        for each in range(3):
            mine = drawn == each
            if mine.any():
                quality[each] += pace * (news.improved[mine].mean() - quality[each])
        expected = least + (1 - 3 * least) * quality / quality.sum()
        np.testing.assert_allclose(mutate.probabilities, expected, rtol=1e-12)
        counts += np.bincount(children[:, 0] - 1, minlength=3)
        expected_counts += 20 * expected
        rows = draw.permutation(20)[:15]  # five children are not evaluated
        drawn = children[rows, 0].astype(int) - 1
        news = Offspring(number + rows, (draw.random(15) < rates[drawn]).astype(float), np.zeros(15))
        number += 20
    assert stats.chisquare(counts, expected_counts).pvalue > 1e-4
    assert mutate.probabilities == pytest.approx([0.1 + 0.7 * 5 / 7, 0.1 + 0.7 * 2 / 7, 0.1], abs=0.12)
    assert mutate.probabilities[2] == pytest.approx(0.1, abs=0.001)


def test_without_any_success_all_mutations_are_equally_likely():
    mutate = mixture([0, 0], pace=1.0, least=0.0)
    mutate(np.zeros((8, 4), np.uint8), rng(), Offspring(*np.zeros((3, 0))))
    mutate(np.zeros((8, 4), np.uint8), rng(), Offspring(np.arange(8), np.zeros(8), np.ones(8)))
    assert mutate.probabilities.tolist() == [0.5, 0.5]


def test_least_probabilities_above_one_in_sum_are_refused():
    choice = {"name": "adaptive_mixed", "of": ["creep", "block"], "least": 0.6}
    with pytest.raises(InputError, match=r"least: got 0.6 for 2 mutations, expected at most 1/2"):
        ExperimentSession(tiny(mutation=choice)).run(None)


def test_the_better_mutation_is_drawn_more_often_in_a_run():
    from fooldeap.plugin import mutation

    seen = []

    @mutation("erases", genome="pixels")
    def erases(genomes, rng):
        """Replace everything, which never helps a good image."""
        seen.append(len(genomes))
        return rng.integers(0, 256, genomes.shape, np.uint8)

    of = ["random_pixels", "erases"]
    arguments = {**TINY, "mutation": {"name": "adaptive_mixed", "of": of}, "targets": [0]}
    arguments |= {"algorithm": {"name": "mu_plus_lambda", "mu": 5, "children": 20}, "crossover": "none"}
    experiment = config.load(
        {}, arguments={**arguments, "stop": {"confidence": None, "generations": 60}}, plugins=[KIT, erases]
    )
    ExperimentSession(experiment).run(None)
    assert sum(seen[-10:]) < sum(seen[1:11]) / 2


# --- Fitness sharing ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["uint8", "float64", "bool"])
def test_the_shared_fitness_is_that_of_the_source(dtype):
    """f / sum of sh(d), with sh(d) = 1 - (d / radius) ** exponent, in plain loops (Goldberg and Richardson 1987)."""
    draw = rng(2)
    genomes = draw.integers(0, 2 if dtype == "bool" else 256, (9, 5, 3, 1)).astype(dtype)
    genomes[3], genomes[4, :2] = genomes[1], genomes[1, :2]
    fitness, radius, exponent = draw.random(9), 0.4 if dtype == "bool" else 90.0, 1.7
    shares = np.zeros(9)
    for i in range(9):
        count = 0.0
        for j in range(9):
            d = math.sqrt(
                sum((float(a) - float(b)) ** 2 for a, b in zip(genomes[i].flat, genomes[j].flat, strict=True)) / 15
            )
            count += 1 - (d / radius) ** exponent if d < radius else 0.0
        shares[i] = fitness[i] / count
    chosen = operator("selection", "fitness_sharing", radius=radius, exponent=exponent)(
        fitness, 200_000, rng(3), genomes
    )
    counts = np.bincount(chosen, minlength=9)
    assert counts == pytest.approx(200_000 * shares / shares.sum(), abs=1.01)  # one spin of the wheel


def test_niches_hold_individuals_in_proportion_to_their_peaks():
    """With sharing, two peaks of heights 1 and 3 keep 1/4 and 3/4 of the population; without it, one peak is lost."""
    places = np.arange(200) % 2
    shared, plain = places, places
    draw = rng(4)
    for _ in range(40):
        genomes = np.repeat(shared[:, None] * np.uint8(200), 6, axis=1)
        heights = 1.0 + 2 * shared
        shared = shared[operator("selection", "fitness_sharing")(heights, 200, draw, genomes)]
        plain = plain[operator("selection", "stochastic_universal")(1.0 + 2 * plain, 200, draw)]
    assert shared.mean() == pytest.approx(0.75, abs=0.02)
    assert plain.mean() == 1


def test_sharing_keeps_the_population_of_a_run_different():
    arguments = {"stop": {"confidence": None, "generations": 40}, "fitness": "confidence", "targets": [1]}
    arguments |= {"mutation": {"name": "random_pixels", "rate": 0.01}, "crossover": "none"}
    with_sharing, without = (
        ExperimentSession(tiny(**arguments, selection=selection)).run(None)[1].log[-1].diversity
        for selection in ({"name": "fitness_sharing", "radius": 60.0}, "stochastic_universal")
    )
    assert with_sharing > 1.5 * without
