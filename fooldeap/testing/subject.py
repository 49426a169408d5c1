"""What is held to contracts: a plugin with its parameters, and the genomes on which it is tried."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from fooldeap import faults
from fooldeap.configuration import config
from fooldeap.configuration.checks import Checker
from fooldeap.configuration.choices import Choice
from fooldeap.configuration.document import Document
from fooldeap.errors import InputError
from fooldeap.parameters import REQUIRED
from fooldeap.plugin import KINDS, Batch, Plugin, plugin_of
from fooldeap.registry import Registry
from fooldeap.testing.batches import rng
from fooldeap.testing.demands import demand, trying
from fooldeap.testing.vector import Vector

SHAPES = ((16, 12, 1), (12, 16, 3))  # of the images on which plugins are tried
LARGE = (28, 28, 1)
SIZES = (7, 1, 0, 100)  # of batches


class Subject:
    """A plugin under test, with its parameters, and what it is tried on.

    Raises
    ------
    InputError
        A value that will not do, or no genome to try it on.
    """

    def __init__(
        self, plugin: Plugin, values: Mapping[str, Any], known: Registry, genome: Mapping[str, Any] | None = None
    ) -> None:
        self.plugin, self.known = plugin, known
        self.choice = _chosen(plugin, values, known)
        self.genomes = tuple(self._genome_choices(genome or {}))

    def build(self, *given: Any) -> Any:
        """Return the plugin ready for calls."""
        return self.choice.build(*given)

    @cached_property
    def loaded(self) -> Any:
        """The plugin ready for calls, one for all contracts: of kinds that are slow to load."""
        return self.build()

    def grounds(self) -> Iterator["Ground"]:
        """Yield what an operator is tried on: each genome that it works on, for each shape of images."""
        for choice in self.genomes:
            for shape in [shape for shape in SHAPES if not _refuses(choice, shape)] or [LARGE]:
                yield Ground(choice, shape)

    def _genome_choices(self, given: Mapping[str, Any]) -> Iterator[Choice]:
        if self.plugin.kind == "genome":
            yield self.choice
            return
        for plugin in self._fitting() if "genome" in self.plugin.options else ():
            values = {name: value for name, value in given.items() if name in plugin.parameters}
            if self.plugin.options["genome"] is not None or not _missing(plugin, values):
                yield _chosen(plugin, values, self.known, "genome.{0}=..., or in Python genome={{{0!r}: ...}}")

    def _fitting(self) -> list[Plugin]:
        """Return the genomes that the operator, and those inside it, work on."""
        named = self.plugin.options["genome"]
        own = plugin_of(Vector) if named in (None, "any") else None
        operators = (self.plugin, *(choice.plugin for _, choice in self.choice.inner()))
        candidates = [*([own] if own else []), *self.known.all("genome")]
        fitting = [each for each in candidates if all(config.fits(operator, each) for operator in operators)]
        if not fitting:
            wanted = "no genome that there is" if named is None else f"the genome {named!r}, which no plugin has"
            raise InputError(f"{self.plugin} works on {wanted}; name the file of its genome as well")
        return fitting


class Ground:
    """A genome for images of one shape, on which an operator is tried."""

    def __init__(self, choice: Choice, shape: tuple[int, int, int]) -> None:
        self.choice, self.shape = choice, shape
        with trying(f"to make {choice.plugin} for images {shape}"):
            self.genome = choice.build(shape)

    def enlarged(self) -> "Ground":
        """Return the same genome for large images."""
        return Ground(self.choice, LARGE)

    def sample(self, size: int, seed: int = 1) -> Batch:
        """Return a batch of ``size`` random genomes."""
        with trying(f"to sample {self.said(size)}"):
            genomes = self.genome.sample(size, rng(seed))
        fault = faults.sample(genomes, size)
        demand(fault is None, f"to sample {self.said(size)} it {fault}")
        return genomes

    def said(self, size: int) -> str:
        """Return a batch in words, for messages."""
        return f"{size} genomes of {self.choice.plugin.name!r} for images {self.shape}"


def _refuses(genome: Choice, shape: tuple[int, int, int]) -> bool:
    """Tell whether a genome refuses images of a shape on purpose, by an `InputError`."""
    with trying(f"to make {genome.plugin} for images {shape}"):
        try:
            genome.build(shape)
        except InputError:
            return True
    return False


def _chosen(plugin: Plugin, values: Mapping[str, Any], known: Registry, cure: str = "{0}=...") -> Choice:
    """Return a plugin with values as YAML has them, checked as those of an experiment are."""
    missing = _missing(plugin, values)
    if missing:
        raise InputError(f"{plugin}: {missing[0]!r} has no default; give it: {cure.format(missing[0])}")
    checker = Checker(Document({}), known)
    checked = checker.values(plugin.parameters, values, (), scheduled=KINDS[plugin.kind].generational)
    if checker.problems:
        raise InputError("\n".join(f"{plugin}: {error}" for _, error in checker.problems))
    return Choice(plugin, checked)


def _missing(plugin: Plugin, values: Mapping[str, Any]) -> list[str]:
    return [name for name, each in plugin.parameters.items() if each.default is REQUIRED and name not in values]
