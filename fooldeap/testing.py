"""What every plugin promises, as checks that say in a sentence what is broken.

In a test of your own::

    import pytest
    from fooldeap.testing import contracts

    from smudge import smudge

    @pytest.mark.parametrize("contract", contracts(smudge), ids=str)
    def test_smudge(contract):
        contract()

``fooldeap plugins check FILE`` does the same for all plugins of a file.
"""

import pickle
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from fooldeap import config, faults, registry
from fooldeap.choices import Choice
from fooldeap.errors import FooldeapError, InputError, PluginError
from fooldeap.experiment import Prepared
from fooldeap.parameters import REQUIRED
from fooldeap.plugin import Array, Batch, Images, Plugin, Predictions
from fooldeap.registry import Registry

SHAPES = ((6, 5, 1), (5, 7, 3))  # of the images on which plugins are tried
SIZES = (7, 1, 0)  # of batches
SEEDS = range(1, 10)
CALLS = 400  # of a selection, to see whom it prefers
LIMIT = 5.0  # standard errors that count as a preference: by chance once in 3 million comparisons


class Broken(AssertionError):
    """A contract does not hold; the message is a sentence about the plugin."""


@dataclass(frozen=True)
class Contract:
    """One promise of one plugin: call it, and it raises `Broken` where the promise is not kept."""

    name: str
    check: Callable[["Subject"], None]
    subject: "Subject" = field(repr=False)

    def __call__(self) -> None:
        """Raise `Broken` where the promise is not kept."""
        before = _global_randomness()
        fault: Exception | None = None
        try:
            self.check(self.subject)
        except Exception as error:
            fault = error
        if _global_randomness() != before:
            raise Broken("it draws from global randomness (random or numpy.random); draw from rng alone") from fault
        if fault is not None and not isinstance(fault, Broken):
            raise Broken(f"it raised {type(fault).__name__}: {fault}") from fault
        if fault is not None:
            raise fault

    def __str__(self) -> str:
        return self.name


class Subject:
    """A plugin under test, with its parameters, and what it is tried on."""

    def __init__(self, plugin: Plugin, values: Mapping[str, Any], known: Registry) -> None:
        missing = [name for name, each in plugin.parameters.items() if each.default is REQUIRED and name not in values]
        if missing:
            raise InputError(f"{plugin}: {missing[0]!r} has no default; say contracts(plugin, {missing[0]}=...)")
        defaults = {name: each.default for name, each in plugin.parameters.items()}
        self.plugin, self.known = plugin, known
        self.choice = Choice(plugin, {**defaults, **values})

    def build(self, *given: Any) -> Any:
        """Return the plugin ready for calls."""
        return self.choice.build(*given)

    def genomes(self) -> Iterator[Any]:
        """Yield the genomes on which an operator is tried, one for each shape of images."""
        fitting = (each for each in self.known.all("genome") if config.fits(self.plugin, each))
        first = next(fitting, None)
        if first is None:
            named = self.plugin.options.get("genome")
            raise Broken(f"it works on the genome {named!r}, which no plugin has")
        for shape in SHAPES:
            yield self.build(shape) if self.plugin.kind == "genome" else first.build({}, shape)


def contracts(target: Any, *, plugins: Any = (), **values: Any) -> list[Contract]:
    """Return the contracts of a plugin.

    Parameters
    ----------
    target : a decorated function or class, or a `fooldeap.plugin.Plugin`
    plugins : files, folders, or decorated functions and classes that it needs, such as its genome
    values : parameters, where the defaults will not do

    Raises
    ------
    InputError
        ``target`` is no plugin, or a parameter without a default is not given.
    """
    plugin = target if isinstance(target, Plugin) else getattr(target, "__fooldeap_plugin__", None)
    if plugin is None:
        raise InputError(f"got {target!r}, expected a function or class with a decorator of fooldeap.plugin")
    subject = Subject(plugin, values, registry.load(plugins))
    return [Contract(name, check, subject) for kinds, name, check in _CONTRACTS if not kinds or plugin.kind in kinds]


def broken(target: Any, *, plugins: Any = (), **values: Any) -> dict[str, str]:
    """Return the contracts that do not hold, with a sentence for each."""
    found = {}
    for contract in contracts(target, plugins=plugins, **values):
        try:
            contract()
        except Broken as error:
            found[contract.name] = str(error)
    return found


def report(files: Iterable[Path], needed: Iterable[Any] = ()) -> str:
    """Return a line for each plugin of some files, or of all that are installed.

    Raises
    ------
    PluginError
        The lines, where a contract is broken.
    """
    files, needed = list(files), list(needed)
    every = [plugin for file in files for plugin in registry.found_in(file)] if files else registry.load().all()
    lines, faults_found = [], 0
    for plugin in every:
        try:
            faults_of = broken(plugin, plugins=[*files, *needed])
            lines += [f"{plugin}: {sentence} ({name})" for name, sentence in faults_of.items()]
            lines += [] if faults_of else [f"{plugin}: all its contracts hold"]
        except InputError as error:
            faults_of = {}
            lines.append(f"not checked: {error}")
        faults_found += len(faults_of)
    if faults_found:
        raise PluginError("\n".join(lines))
    return "\n".join(lines)


_CONTRACTS: list[tuple[tuple[str, ...], str, Callable[[Subject], None]]] = []


def _contract(*kinds: str) -> Callable[[Callable[[Subject], None]], Callable[[Subject], None]]:
    def add(check: Callable[[Subject], None]) -> Callable[[Subject], None]:
        _CONTRACTS.append((kinds, check.__name__.strip("_").replace("_", " "), check))
        return check

    return add


def _demand(kept: Any, sentence: str) -> None:
    if not kept:
        raise Broken(sentence)


def _global_randomness() -> tuple[object, bytes]:
    return random.getstate(), pickle.dumps(np.random.get_state())  # noqa: NPY002 - this is what it is about


def _rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def _copy(batch: Batch) -> Batch:
    return pickle.loads(pickle.dumps(batch))


def _same(one: Any, other: Any) -> bool:
    return bool(pickle.dumps(one) == pickle.dumps(other))


# --- Every plugin ---------------------------------------------------------------------------------------------------


@_contract()
def _is_described(subject: Subject) -> None:
    summary = subject.plugin.summary
    _demand(
        summary and not summary.startswith(subject.plugin.name + "("), "it has no docstring; a line says what it does"
    )


@_contract()
def _survives_pickling(subject: Subject) -> None:
    built = subject.build(*([SHAPES[0]] if subject.plugin.kind == "genome" else []))
    try:
        pickle.loads(pickle.dumps(built))
    except Exception as error:
        raise Broken(
            f"it cannot be pickled, as workers need it ({error}); define it at the top of its file, and keep nothing "
            "in it but data"
        ) from error


# --- Mutation and crossover -----------------------------------------------------------------------------------------

_VARIATION = ("mutation", "crossover")


def _parents(genome: Any, size: int) -> tuple[Batch, Batch]:
    return genome.sample(size, _rng(11)), genome.sample(size, _rng(12))


def _vary(subject: Subject, genome: Any, size: int, seed: int = 1) -> tuple[Batch, ...]:
    """Return the children as a tuple of batches, checked as the engine does it."""
    first, second = _parents(genome, size)
    if subject.plugin.kind == "mutation":
        result = subject.build()(_copy(first), _rng(seed))
        fault, children = faults.same(result, first), (result,)
    else:
        result = subject.build()(_copy(first), _copy(second), _rng(seed))
        fault, children = faults.pair(result, first, second), result
    _demand(fault is None, f"with a batch of {size} it {fault}")
    return children


@_contract(*_VARIATION)
def _gives_as_many_children_of_the_same_sort(subject: Subject) -> None:
    for genome in subject.genomes():
        for size in SIZES:
            _vary(subject, genome, size)


@_contract(*_VARIATION)
def _stays_within_the_bounds(subject: Subject) -> None:
    for genome in subject.genomes():
        if genome.dtype is None or genome.bounds is None:
            continue
        for children in _vary(subject, genome, 7):
            low, high = genome.bounds
            _demand(np.isfinite(children).all(), "it gives values that are not finite")
            inside = children.min() >= low and children.max() <= high
            _demand(inside, f"it leaves the genome's bounds, {low:g} to {high:g}; clip what it gives")


@_contract(*_VARIATION)
def _gives_the_same_bits_for_the_same_seed(subject: Subject) -> None:
    for genome in subject.genomes():
        _demand(
            _same(_vary(subject, genome, 7), _vary(subject, genome, 7)),
            "it gives other children for the same seed; draw from rng alone, and keep nothing between calls",
        )


@_contract("mutation")
def _gives_other_bits_for_another_seed(subject: Subject) -> None:
    for genome in subject.genomes():
        first = _vary(subject, genome, 7)
        _demand(
            any(not _same(first, _vary(subject, genome, 7, seed)) for seed in SEEDS),
            f"it gives the same children for {len(SEEDS)} seeds; does it draw from rng?",
        )


@_contract(*_VARIATION)
def _gives_children_of_their_own(subject: Subject) -> None:
    for genome in subject.genomes():
        children = _vary(subject, genome, 7)
        before = _copy(children)
        _vary(subject, genome, 7, 2)
        _demand(_same(children, before), "a second call changes the children of the first; return new ones")
        for batch in children:
            _demand(_own_rows(batch), "its children share memory; a change to one would change another: return copies")
        if len(children) == 2 and isinstance(children[0], np.ndarray):
            apart = not np.shares_memory(*children)
            _demand(apart, "its two batches of children share memory; return copies")


def _own_rows(batch: Batch) -> bool:
    """Tell whether a row can be written without another changing."""
    if isinstance(batch, list):
        return len({id(row) for row in batch}) == len(batch)
    if not batch.flags.writeable:
        return False
    kept = batch.copy()
    batch[0] = batch[0] ^ 1 if batch.dtype.kind in "iub" else batch[0] + 1
    alone = np.array_equal(batch[1:], kept[1:])
    batch[0] = kept[0]
    return bool(alone)


# --- Selection ------------------------------------------------------------------------------------------------------

_FITNESS = {
    "rising values": np.arange(1.0, 11),
    "negative values": np.arange(-10.0, 0),
    "huge values": np.linspace(-1e300, 1e300, 10),
    "equal values": np.full(10, 3.0),
    "a single individual": np.array([0.5]),
}


@_contract("selection")
def _gives_as_many_indices_as_are_wanted(subject: Subject) -> None:
    for name, fitness in _FITNESS.items():
        for count in (0, 1, 3, 25):
            fault = faults.indices(subject.build()(fitness.copy(), count, _rng()), fitness, count)
            _demand(fault is None, f"asked for {count} of {name} it {fault}")


@_contract("selection")
def _selects_the_same_for_the_same_seed(subject: Subject) -> None:
    fitness = _FITNESS["rising values"]
    one, other = (np.asarray(subject.build()(fitness.copy(), 25, _rng())) for _ in range(2))
    _demand(np.array_equal(one, other), "it selects others for the same seed; draw from rng alone")


@_contract("selection")
def _leaves_the_fitness_alone(subject: Subject) -> None:
    for values in _FITNESS.values():
        fitness = values[::-1].copy()
        handed = fitness.copy()
        subject.build()(handed, 5, _rng())
        _demand(np.array_equal(handed, fitness), "it changes the fitness it is handed; work on a copy")


@_contract("selection")
def _never_prefers_the_worse(subject: Subject) -> None:
    select = subject.build()
    for name in ("rising values", "negative values", "huge values"):
        order = _rng(5).permutation(10)
        fitness = _FITNESS[name][order]
        rng = _rng()
        drawn = np.array([np.bincount(select(fitness.copy(), 10, rng), minlength=10) for _ in range(CALLS)])
        by_rank = drawn[:, np.argsort(fitness)]
        for worse in range(10):
            gain = by_rank[:, worse + 1 :] - by_rank[:, [worse]]
            error = gain.std(axis=0) / np.sqrt(CALLS)
            preferred = gain.mean(axis=0) < -LIMIT * np.maximum(error, 1e-9)
            _demand(
                not preferred.any(),
                f"of {name} it prefers worse to better ({LIMIT:g} standard errors); larger fitness is better",
            )


# --- Fitness --------------------------------------------------------------------------------------------------------


def _predictions(rows: int = 7) -> Predictions:
    logits = _rng(3).normal(0, 5, (rows, 4)).astype(np.float32)
    if rows > 1:
        logits[:2] = [[500, -500, 0, 0], [0, 0, 0, 0]]
    return Predictions(logits, _rng(4).integers(0, 256, (rows, *SHAPES[1]), dtype=np.uint8))


@_contract("fitness")
def _scores_every_image_with_finite_numbers(subject: Subject) -> None:
    for rows in SIZES:
        for target in range(4):
            fault = faults.fitness(subject.build()(_predictions(rows), target), _predictions(rows), target)
            _demand(fault is None, f"for {rows} images it {fault}")


@_contract("fitness")
def _scores_an_image_the_same_in_any_company(subject: Subject) -> None:
    everything = _predictions()
    scores = subject.build()(everything, 2)
    for rows in (_rng().permutation(7), [4], [5, 2]):
        some = subject.build()(Predictions(everything.logits[rows], everything.images[rows]), 2)
        _demand(np.array_equal(scores[rows], some), "an image's score depends on the other images of its batch")


@_contract("fitness")
def _leaves_the_predictions_alone(subject: Subject) -> None:
    said = _predictions()
    subject.build()(said, 1)
    kept = _predictions()
    untouched = np.array_equal(said.logits, kept.logits) and np.array_equal(said.images, kept.images)
    untouched = untouched and np.array_equal(said.log_probabilities, kept.log_probabilities)
    _demand(untouched, "it changes the predictions it is handed; work on a copy")


# --- Genome ---------------------------------------------------------------------------------------------------------


@_contract("genome")
def _samples_as_many_as_are_wanted(subject: Subject) -> None:
    for genome in subject.genomes():
        for count in SIZES:
            fault = faults.sample(genome.sample(count, _rng()), count)
            _demand(fault is None, f"it {fault}")
        _demand(_same(genome.sample(7, _rng()), genome.sample(7, _rng())), "it samples others for the same seed")


@_contract("genome")
def _decodes_to_images_row_by_row(subject: Subject) -> None:
    for genome in subject.genomes():
        genomes = genome.sample(7, _rng())
        kept = _copy(genomes)
        images = genome.decode(genomes)
        fault = faults.decode(genome.shape)(images, genomes)
        _demand(fault is None, f"it {fault}")
        _demand(_same(genomes, kept), "decoding changes the genomes")
        alone = [genome.decode(genome.take(genomes, [row])) for row in range(7)]
        _demand(
            np.array_equal(np.concatenate(alone), images),
            "an image depends on the other genomes of its batch, to the bit; a matrix product does so, einsum does not",
        )


@_contract("genome")
def _takes_independent_copies(subject: Subject) -> None:
    for genome in subject.genomes():
        genomes = genome.sample(7, _rng())
        kept, taken = _copy(genomes), genome.take(genomes, [3, 3, 0])
        _demand(faults.take(taken, genomes, [3, 3, 0]) is None, "take gives another number of genomes than of indices")
        _demand(_own_rows(taken), "take gives genomes that share memory; return copies")
        if isinstance(taken, np.ndarray):
            taken[:] = 0
        else:
            _demand(
                not {id(row) for row in taken} & {id(row) for row in genomes}, "take hands out the parents; copy them"
            )
        _demand(_same(genomes, kept), "a change to what take gave changes the parents; return copies")


# --- Algorithm ------------------------------------------------------------------------------------------------------


class _Linear:
    """A classifier of a few lines, to try algorithms on."""

    input_shape, classes, digest = SHAPES[0], 3, "linear"

    def logits(self, images: Images) -> Array:
        weights = _rng(7).normal(0, 0.01, (images[:1].size or 30, 3))
        logits: Array = np.einsum("ij,jk->ik", images.reshape(len(images), -1) - 127.5, weights).astype(np.float32)
        return logits

    def gradient(self, images: Images, target: int) -> Array:
        weights = _rng(7).normal(0, 0.01, (30, 3))
        p = np.exp(Predictions(self.logits(images), images).log_probabilities)
        slopes: Array = (weights[:, target] - p @ weights.T).reshape(images.shape).astype(np.float32)
        return slopes


@_contract("algorithm")
def _evolves_the_same_for_the_same_seed(subject: Subject) -> None:
    stop = {"confidence": None, "evaluations": 400, "generations": 30}
    arguments = {"algorithm": subject.choice.data(), "stop": stop, "reporters": []}
    try:
        experiment = config.load({}, arguments=arguments, plugins=[subject.plugin.target])
        one, other = (Prepared(experiment, _Linear()).run(None) for _ in range(2))
    except FooldeapError as error:
        raise Broken(f"on a small classifier, {error}") from error
    for result in one:
        _demand(result.generations > 0, "it ends after its first generation")
    same = all(a.log == b.log and np.array_equal(a.image, b.image) for a, b in zip(one, other, strict=True))
    _demand(same, "it evolves otherwise for the same seed; draw from rng and the toolbox alone")
