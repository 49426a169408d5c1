"""The subject of contract tests: a plugin with its parameters, and the genomes on which it is tried."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from fooldeap import contract_checks
from fooldeap.configuration import config
from fooldeap.configuration.checks import Checker
from fooldeap.configuration.choices import Choice
from fooldeap.configuration.document import Document
from fooldeap.engine.lineage import Lineage
from fooldeap.engine.operators import Clock, Operator
from fooldeap.errors import InputError
from fooldeap.parameters import REQUIRED
from fooldeap.plugin import KINDS, Batch, Plugin, plugin_of
from fooldeap.registry import Registry
from fooldeap.testing.batches import rng
from fooldeap.testing.demands import demand, trying
from fooldeap.testing.vector import Vector

SHAPES = ((16, 12, 1), (12, 16, 3))  # of images
LARGE = (28, 28, 1)
SIZES = (7, 1, 0, 100)  # of batches


class Subject:
    """A plugin under test, with its parameters and genomes.

    Raises
    ------
    InputError
        A value is invalid, or no genome fits the plugin.
    """

    def __init__(
        self, plugin: Plugin, values: Mapping[str, Any], known: Registry, genome: Mapping[str, Any] | None = None
    ) -> None:
        self.plugin, self.known = plugin, known
        self.choice = _choose(plugin, values, known)
        self.genomes = tuple(self._choose_genomes(genome or {}))

    def build(self, *given: Any) -> Any:
        """Return a new instance of the plugin."""
        return self.choice.build(*given)

    def operator(self, clock: Clock, lineage: Lineage) -> Any:
        """Return the operator as it is at the start of a run."""
        return Operator(self.choice, clock, lineage) if self.choice.feedback else self.build()

    @cached_property
    def instance(self) -> Any:
        """One instance for all contracts, because some kinds are slow to load."""
        return self.build()

    def cases(self) -> Iterator["Case"]:
        """Yield each genome on which the plugin works, for each shape of images."""
        for choice in self.genomes:
            for shape in [shape for shape in SHAPES if not _refuses(choice, shape)] or [LARGE]:
                yield Case(choice, shape)

    def _choose_genomes(self, given: Mapping[str, Any]) -> Iterator[Choice]:
        if self.plugin.kind == "genome":
            yield self.choice
            return
        works_on_genomes = self.plugin.kind != "selection" or "genomes" in self.plugin.feedback
        for plugin in self._find_genomes() if "genome" in self.plugin.options and works_on_genomes else ():
            values = {name: value for name, value in given.items() if name in plugin.parameters}
            if self.plugin.options["genome"] is not None or not _missing(plugin, values):
                yield _choose(plugin, values, self.known, "genome.{0}=..., or in Python genome={{{0!r}: ...}}")

    def _find_genomes(self) -> list[Plugin]:
        """Return the genomes that fit the operator and the operators inside it."""
        named = self.plugin.options["genome"]
        own = plugin_of(Vector) if named in (None, "any") else None
        operators = (self.plugin, *(choice.plugin for _, choice in self.choice.inner()))
        candidates = [*([own] if own else []), *self.known.all("genome")]
        fitting = [each for each in candidates if all(config.fits(operator, each) for operator in operators)]
        if not fitting:
            reason = "no known genome fits it" if named is None else f"no plugin has the genome name {named!r}"
            raise InputError(f"{self.plugin}: {reason}; name the file of its genome, too")
        return fitting


class Case:
    """A genome for images of one shape, on which an operator is tried."""

    def __init__(self, choice: Choice, shape: tuple[int, int, int]) -> None:
        self.choice, self.shape = choice, shape
        with trying(f"when {choice.plugin} is created for images {shape}"):
            self.genome = choice.build(shape)

    def enlarge(self) -> "Case":
        """Return the same genome for large images."""
        return Case(self.choice, LARGE)

    def sample(self, size: int, seed: int = 1) -> Batch:
        """Return a batch of ``size`` random genomes."""
        with trying(f"when sampling {self.describe(size)}"):
            genomes = self.genome.sample(size, rng(seed))
        fault = contract_checks.sample(genomes, size)
        demand(fault is None, f"when sampling {self.describe(size)} it {fault}")
        return genomes

    def describe(self, size: int) -> str:
        """Return a description of a batch for messages."""
        return f"{size} genomes of {self.choice.plugin.name!r} for images {self.shape}"


def _refuses(genome: Choice, shape: tuple[int, int, int]) -> bool:
    """Return whether a genome refuses images of a shape by an `InputError`."""
    with trying(f"when {genome.plugin} is created for images {shape}"):
        try:
            genome.build(shape)
        except InputError:
            return True
    return False


def _choose(plugin: Plugin, values: Mapping[str, Any], known: Registry, cure: str = "{0}=...") -> Choice:
    """Return a plugin with values as in YAML, checked as in an experiment."""
    missing = _missing(plugin, values)
    if missing:
        raise InputError(f"{plugin}: {missing[0]!r} has no default; set it: {cure.format(missing[0])}")
    checker = Checker(Document({}), known)
    checked = checker.values(plugin.parameters, values, (), scheduled=KINDS[plugin.kind].generational)
    if checker.problems:
        raise InputError("\n".join(f"{plugin}: {error}" for _, error in checker.problems))
    return Choice(plugin, checked)


def _missing(plugin: Plugin, values: Mapping[str, Any]) -> list[str]:
    return [name for name, each in plugin.parameters.items() if each.default is REQUIRED and name not in values]
