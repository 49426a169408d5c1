"""The array genomes: decoding, compared with scipy and plain loops, and the operators that fit."""

from typing import ClassVar

import numpy as np
import pytest
from helpers.experiments import run, tiny
from helpers.resuming import check_resumes_wherever_cut
from scipy import fft, stats

from fooldeap import registry
from fooldeap.configuration import config
from fooldeap.plugin import InputError, dataclass, genome, plugin_of
from fooldeap_plugins.genome.binary import Binary
from fooldeap_plugins.genome.blocks import Blocks
from fooldeap_plugins.genome.dct import Dct
from fooldeap_plugins.genome.dct_self_adaptive import DctSelfAdaptive

REGISTRY = registry.load()
SHAPES = [(28, 28, 1), (12, 17, 3)]
LEVEL = 1e-4


def rng(seed=1):
    return np.random.default_rng(seed)


# --- Decoding -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [1, 8, 12])
def test_dct_equals_the_inverse_transform_of_scipy(shape, size):
    height, width, channels = shape
    genomes = Dct(shape, size=size).sample(50, rng())
    padded = np.zeros((50, channels, height, width))
    padded[:, :, :size, :size] = genomes
    waves = np.moveaxis(fft.idctn(padded, axes=(2, 3), norm="ortho"), 1, 3)
    exact = np.clip(127.5 + waves, 0, 255)
    assert np.mean((exact > 0) & (exact < 255)) > 0.1
    # The results may differ only where a sum is halfway between two grey values, up to its last bits.
    clear = np.abs(exact % 1 - 0.5) > 1e-9
    assert clear.mean() > 0.999
    assert np.array_equal(Dct(shape, size=size).decode(genomes)[clear], np.rint(exact)[clear])


def test_dct_is_a_sum_of_waves():
    height, width, channels = shape = (5, 7, 3)
    coefficients = Dct(shape, size=3, sigma=200.0).sample(1, rng())

    def wave(place, frequency, length):
        scale = np.sqrt((1 if frequency == 0 else 2) / length)
        return scale * np.cos(np.pi * (2 * place + 1) * frequency / (2 * length))

    for y, x, channel in np.ndindex(height, width, channels):
        grey = 127.5 + sum(
            coefficients[0, channel, u, v] * wave(y, u, height) * wave(x, v, width) for u, v in np.ndindex(3, 3)
        )
        assert Dct(shape, size=3).decode(coefficients)[0, y, x, channel] == round(min(max(grey, 0), 255))


def test_dct_of_zeros_is_grey_and_extremes_are_clipped():
    assert (Dct((9, 9, 1)).decode(np.zeros((2, 1, 8, 8))) == 128).all()
    assert set(np.unique(Dct((9, 9, 1)).decode(1e300 * Dct((9, 9, 1)).sample(9, rng())))) == {0, 255}


def test_dct_samples_normal_coefficients_that_decay_with_frequency():
    genomes = Dct((28, 28, 1), size=4, sigma=50.0, decay=1.5).sample(4000, rng())
    for u, v in np.ndindex(4, 4):
        expected = stats.norm(0, 50 / (1 + u + v) ** 1.5)
        assert stats.kstest(genomes[:, 0, u, v], expected.cdf).pvalue > LEVEL


@pytest.mark.parametrize("shape", [(28, 28, 1), (9, 16, 3), (224, 224, 3)])
def test_the_contrast_of_dct_does_not_depend_on_the_size(shape):
    height, width, channels = shape
    genomes = Dct(shape).sample(2000, rng())
    expected = stats.norm(0, 12.5 * np.sqrt(height * width))
    assert stats.kstest(genomes[:, channels - 1, 3, 2], expected.cdf).pvalue > LEVEL
    if height == width == 28:
        assert np.array_equal(genomes, 350.0 * rng().standard_normal((2000, 1, 8, 8)))


def test_dct_refuses_more_frequencies_than_pixels():
    with pytest.raises(InputError, match="size: got 9, expected at most 8 for an image of 8 x 28"):
        Dct((8, 28, 1), size=9)


@pytest.mark.parametrize("shape", SHAPES)
def test_step_sizes_do_not_change_the_image(shape):
    genomes = DctSelfAdaptive(shape, step=40.0).sample(20, rng())
    assert np.exp(genomes[:, 1]) == pytest.approx(40)
    assert np.array_equal(genomes[:, 0], Dct(shape).sample(20, rng()))
    images = DctSelfAdaptive(shape).decode(genomes)
    genomes[:, 1] = 3
    assert np.array_equal(DctSelfAdaptive(shape).decode(genomes), images)
    assert np.array_equal(Dct(shape).decode(genomes[:, 0]), images)


@pytest.mark.parametrize("side", [1, 4, 5, 30])
@pytest.mark.parametrize("shape", SHAPES)
def test_blocks_are_side_pixels_wide(shape, side):
    height, width, channels = shape
    genomes = Blocks(shape, side=side).sample(30, rng())
    images = Blocks(shape, side=side).decode(genomes)
    assert genomes.shape[1:3] == (int(np.ceil(height / side)), int(np.ceil(width / side)))
    for y, x, channel in np.ndindex(height, width, channels):
        assert np.array_equal(images[:, y, x, channel], genomes[:, y // side, x // side, channel])
    assert images.flags.writeable
    assert not np.shares_memory(images, genomes)


def test_blocks_start_as_uniform_noise():
    genomes = Blocks((28, 28, 1)).sample(2000, rng())
    assert stats.chisquare(np.bincount(genomes.ravel(), minlength=256)).pvalue > LEVEL


def test_binary_is_black_or_white():
    genomes = Binary((9, 8, 3), white=0.3).sample(400, rng())
    images = Binary((9, 8, 3)).decode(genomes)
    assert np.array_equal(images, np.where(genomes, 255, 0))
    assert stats.binomtest(int(genomes.sum()), genomes.size, 0.3).pvalue > LEVEL
    assert stats.chisquare(genomes.sum(axis=0).ravel()).pvalue > LEVEL


# --- Operators that fit ---------------------------------------------------------------------------------------------

WHOLE = {"mixed", "adaptive_mixed", "none", "uniform", "one_point", "two_point"}  # work on any array
LAID_OUT = {"block", "pixel_swap", "row_and_column", "halves", "rectangle"}
GREY = {
    *WHOLE,
    *LAID_OUT,
    "random_pixels",
    "gaussian",
    "one_fifth",
    "polynomial",
    "creep",
    "invert",
    "erase",
    "deap",
    "blend",
    "sbx",
}
REAL = {*WHOLE, "gaussian", "one_fifth", "polynomial", "reset", "blend", "sbx"}
FITTING = {
    "pixels": GREY,
    "blocks": GREY,
    "binary": {*WHOLE, *LAID_OUT, "random_pixels", "invert"},
    "dct": REAL,
    "dct_self_adaptive": {*REAL, "self_adaptive"},
}


def operators():
    return [plugin for kind in ("mutation", "crossover") for plugin in REGISTRY.all(kind)]


@pytest.mark.parametrize("name", FITTING)
def test_operators_that_fit_each_genome(name):
    assert {each.name for each in operators() if config.fits(each, REGISTRY.get("genome", name))} == FITTING[name]


@pytest.mark.parametrize("name", FITTING)
def test_operators_that_fit_run_from_yaml(name):
    common = {"genome": name, "stop": {"confidence": None, "generations": 2}, "targets": [0]}
    least = "invert" if name == "binary" else "gaussian"
    for mutation in (
        FITTING[name] - {each.name for each in REGISTRY.all("crossover")} - {"mixed", "adaptive_mixed", "deap"}
    ):
        run(tiny(mutation={"name": "mixed", "of": [mutation]}, crossover="uniform", **common))
    for crossover in FITTING[name] - {each.name for each in REGISTRY.all("mutation")}:
        result, _ = run(tiny(mutation=least, crossover=crossover, **common))
        assert result[0].generations == 2


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        (
            {"genome": "dct", "mutation": "invert"},
            "mutation: 'invert' does not work on the genome 'dct'; choose one of",
        ),
        ({"genome": "dct", "mutation": "self_adaptive"}, "'self_adaptive' does not work on the genome 'dct'"),
        ({"genome": "binary", "mutation": "gaussian"}, "mutation: 'gaussian' does not work on the genome 'binary'"),
        ({"genome": "binary", "crossover": "sbx", "mutation": "invert"}, "crossover: 'sbx' does not work"),
        ({"genome": "dct"}, "genome: the default mutation 'random_pixels' does not work on it; choose one of:"),
    ],
)
def test_operators_that_do_not_fit_are_refused_with_alternatives(choices, said):
    with pytest.raises(InputError) as error:
        tiny(**choices)
    assert said in str(error.value)


def made(name, kind, limits):
    @genome(name)
    @dataclass(frozen=True)
    class Made(Dct):
        """A genome of another package."""

        dtype: ClassVar[str] = kind
        bounds: ClassVar[tuple[float, float] | None] = limits

    return plugin_of(Made)


@pytest.mark.parametrize(
    ("kind", "limits", "fitting"),
    [
        ("float64", None, REAL),
        ("float64", (-1, 1), WHOLE),  # operators do not know the bounds
        ("uint8", (0.0, 255.0), {*GREY} - LAID_OUT - {"erase"}),
        ("uint8", (0, 7), WHOLE),
        ("int64", None, WHOLE),
        ("bool", None, {*WHOLE, "random_pixels", "invert"}),
        (None, None, {"none"}),
    ],
)
def test_operators_that_fit_a_custom_genome(kind, limits, fitting):
    own = made("own", kind, limits)
    assert {each.name for each in operators() if config.fits(each, own)} == fitting


# --- Whole runs -----------------------------------------------------------------------------------------------------

RUNS = {
    "blocks": {"genome": {"name": "blocks", "side": 2}, "mutation": "polynomial", "crossover": "sbx"},
    "binary": {"genome": "binary", "mutation": "invert"},
    "dct": {"genome": {"name": "dct", "size": 4}, "mutation": "reset", "crossover": "blend"},
    "steps": {
        "genome": {"name": "dct_self_adaptive", "size": 4},
        "mutation": "self_adaptive",
        "algorithm": {"name": "mu_comma_lambda", "mu": 4, "children": 20},
    },
}


@pytest.mark.parametrize("name", RUNS)
def test_resume_from_any_point_is_bit_identical(name, tmp_path):
    experiment = tiny(**RUNS[name], targets=[0, 1], stop={"confidence": None, "evaluations": 200})
    check_resumes_wherever_cut(experiment, tmp_path, times=3)


@pytest.mark.parametrize("name", RUNS)
def test_fitness_improves(name):
    result, _ = run(tiny(**RUNS[name], targets=[0], stop={"confidence": None, "evaluations": 1500}))
    best = np.array([row.best for row in result[0].log])
    assert best[-5:].mean() > best[:2].mean() * 1.05
