"""What a plugin gives back is held against its contract, and the plugin at fault is named."""

from typing import ClassVar

import numpy as np
import pytest
from helpers.experiments import KIT, TINY

from fooldeap.configuration import config
from fooldeap.errors import PluginError
from fooldeap.plugin import crossover, dataclass, fitness, genome, mutation
from fooldeap.results import RunInfo
from fooldeap.runs.experiment_session import ExperimentSession

GIVEN = {
    "longer": lambda images: np.concatenate([images, images]),
    "one_of_floats": lambda images: images[:1].astype(float) + 1000.5,
    "nothing": lambda images: None,
}


def toolbox(plugins, **choices):
    experiment = config.load({}, arguments={**TINY, **choices}, plugins=[KIT, *plugins])
    return ExperimentSession(experiment).toolbox(RunInfo(1, (0,)))


@pytest.mark.parametrize("fault", GIVEN)
@pytest.mark.parametrize("depth", [1, 2])
def test_a_mixture_names_the_mutation_that_is_at_fault(fault, depth):
    @mutation("faulty")
    def faulty(genomes, rng):
        """Give something else."""
        return GIVEN[fault](genomes)

    choice = "faulty"
    for _ in range(depth):
        choice = {"name": "mixed", "of": [choice, "block"]}
    tools = toolbox([faulty], mutation=choice)
    with pytest.raises(PluginError, match=r"^mutation 'faulty' returned"):
        tools.mutate(tools.sample(20))


def test_a_mixture_names_the_mutation_that_raises():
    @mutation("raising")
    def raising(genomes, rng):
        """Fail."""
        raise ZeroDivisionError("no luck")

    tools = toolbox([raising], mutation={"name": "mixed", "of": ["raising"]})
    with pytest.raises(PluginError, match=r"^mutation 'raising' raised ZeroDivisionError: no luck$"):
        tools.mutate(tools.sample(20))


@pytest.mark.parametrize("shape", [(2, 2), (0,), (0, 3)])
def test_a_fitness_has_one_row_of_objectives_an_image(shape):
    @fitness("shaped")
    def shaped(predictions, target):
        """Give another shape."""
        return np.zeros((len(predictions.logits), *shape))

    tools = toolbox([shaped], fitness="shaped")
    with pytest.raises(
        PluginError, match=r"^fitness 'shaped' returned float64 \(5, .*expected float64 \(5,\) or \(5, k\)"
    ):
        tools.evaluate(tools.sample(5))


@genome("floats")
@dataclass(frozen=True)
class Reals:
    """Grey values as real numbers."""

    shape: tuple[int, int, int]
    dtype: ClassVar[str | None] = "float64"
    bounds: ClassVar[tuple[float, float]] = (0, 255)

    def sample(self, count, rng):
        return rng.uniform(0, 255, (count, *self.shape))

    def decode(self, genomes):
        return genomes.astype(np.uint8)

    def take(self, genomes, indices):
        return genomes.take(indices, axis=0)


@genome("floats_as_lists")
@dataclass(frozen=True)
class Lists(Reals):
    """Declared to be lists."""

    dtype: ClassVar[str | None] = None


@genome("floats_as_bytes")
@dataclass(frozen=True)
class Bytes(Reals):
    """Declared to be bytes."""

    dtype: ClassVar[str | None] = "uint8"


@genome("endless")
@dataclass(frozen=True)
class Endless(Reals):
    """Not finite."""

    def sample(self, count, rng):
        return np.full((count, *self.shape), np.inf)


ALL = ("floats", "endless", "floats_as_lists", "floats_as_bytes")


@mutation("undefined", genome=ALL)
def undefined(genomes, rng):
    """Give NaN."""
    genomes[0] = np.nan
    return genomes


@crossover("as_they_are", genome=ALL)
def as_they_are(first, second, rng):
    """Do nothing."""
    return first, second


def test_a_genome_of_reals_stays_finite():
    tools = toolbox([Reals, undefined, as_they_are], genome="floats", mutation="undefined", crossover="as_they_are")
    with pytest.raises(PluginError, match=r"^mutation 'undefined' returned values that are not finite$"):
        tools.mutate(tools.sample(5))


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        (Lists, r"sampled float64 \(12, 8, 8, 1\), expected a list because its dtype is None"),
        (Bytes, r"sampled float64 \(12, 8, 8, 1\), expected uint8 because its dtype is uint8"),
        (Endless, "returned values that are not finite"),
    ],
)
def test_a_genome_samples_what_it_declares(declared, said):
    name = declared.__fooldeap_plugin__.name
    with pytest.raises(PluginError, match=f"genome '{name}' {said}$"):
        toolbox([declared, undefined, as_they_are], genome=name, mutation="undefined", crossover="as_they_are")
