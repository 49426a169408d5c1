"""The contracts of genomes."""

from typing import Any

import numpy as np

from fooldeap import contract_checks
from fooldeap.plugin import Batch
from fooldeap.testing.batches import are_independent, copy, has_independent_rows, identical
from fooldeap.testing.contract import contract
from fooldeap.testing.demands import demand, trying
from fooldeap.testing.subject import SIZES, Case, Subject

SEEDS = range(2, 10)


@contract("genome")
def _declares_shape_dtype_and_bounds(subject: Subject) -> None:
    for case in subject.cases():
        for name in ("shape", "dtype", "bounds"):
            demand(hasattr(case.genome, name), f"it has no {name!r}; if it does not apply, set it to None")
        shape = case.genome.shape
        demand(shape == case.shape, f"its shape is {shape}, expected the shape of the images, {case.shape}")


@contract("genome")
def _samples_the_requested_number(subject: Subject) -> None:
    for case in subject.cases():
        for size in SIZES:
            genomes = case.sample(size)
            demand(
                _is_declared(genomes, case.genome),
                f"it samples {_describe(genomes)}, expected {_expected_type(case.genome)} because of its dtype",
            )


@contract("genome")
def _samples_within_the_bounds(subject: Subject) -> None:
    for case in subject.cases():
        if case.genome.dtype is not None and case.genome.bounds is not None:
            genomes, (low, high) = case.sample(100), case.genome.bounds
            inside = np.isfinite(genomes).all() and genomes.min() >= low and genomes.max() <= high
            demand(inside, f"it samples values outside its bounds, {low:g} to {high:g}")


@contract("genome")
def _samples_by_the_random_generator(subject: Subject) -> None:
    for case in subject.cases():
        genomes = case.sample(7)
        demand(
            identical(genomes, case.sample(7)),
            "it samples different genomes for the same seed; draw from rng only",
        )
        # A genome may start from a constant: then all individuals are equal, for every seed.
        equal = all(identical(genome, genomes[0]) for genome in genomes)
        varies = any(not identical(genomes, case.sample(7, seed)) for seed in SEEDS)
        demand(equal or varies, f"it samples the same genomes for {len(SEEDS) + 1} seeds; draw from rng")


@contract("genome")
def _samples_independent_individuals(subject: Subject) -> None:
    for case in subject.cases():
        independent = has_independent_rows(case.sample(7))
        demand(independent, "the individuals that it samples share memory, or cannot be changed; return copies")


@contract("genome")
def _decodes_each_genome_independently(subject: Subject) -> None:
    for case in subject.cases():
        for size in SIZES:
            _decode(case, case.sample(size))
        genomes = case.sample(7)
        before = copy(genomes)
        images = _decode(case, genomes)
        demand(identical(genomes, before), "decoding changes the genomes; work on a copy")
        alone = [_decode(case, _take(case, genomes, [row])) for row in range(7)]
        demand(
            np.array_equal(np.concatenate(alone), images),
            "the bits of an image depend on the other genomes of its batch; use einsum instead of a matrix product",
        )


@contract("genome")
def _takes_independent_copies(subject: Subject) -> None:
    for case in subject.cases():
        genomes = case.sample(7)
        for indices in ([3, 3, 0], np.array([6, 1]), np.empty(0, np.intp)):
            taken = _take(case, genomes, indices)
            fault = contract_checks.take(taken, genomes, indices)
            demand(fault is None, f"it {fault}")
            demand(
                are_independent(taken, genomes),
                "take returns genomes that share memory with the parents; return copies",
            )
            demand(has_independent_rows(taken), "take returns genomes that share memory; return copies")
            equal = all(identical(taken[position], genomes[row]) for position, row in enumerate(indices))
            demand(_is_declared(taken, case.genome) and equal, "take does not return the genomes at the indices")


@contract("genome")
def _encodes_images_as_similar_ones(subject: Subject) -> None:
    for case in subject.cases():
        if not hasattr(case.genome, "encode"):
            continue
        images = _decode(case, case.sample(7))
        with trying("when encoding 7 images"):
            genomes = case.genome.encode(images)
        fault = contract_checks.encoded(case.genome)(genomes, images)
        demand(fault is None, f"it {fault}")
        again = _decode(case, genomes).astype(np.float64)
        error = np.abs(again - images).mean(axis=(1, 2, 3))
        others = np.abs(again - np.roll(images, 1, axis=0)).mean(axis=(1, 2, 3))
        similar = (error <= others).all()
        demand(similar, "an encoded image decodes to one that is more similar to another image; see encode in Genome")


def _decode(case: Case, genomes: Batch) -> Any:
    with trying(f"when decoding {case.describe(len(genomes))}"):
        images = case.genome.decode(genomes)
    fault = contract_checks.decode(case.shape)(images, genomes)
    demand(fault is None, f"it {fault}")
    return images


def _take(case: Case, genomes: Batch, indices: Any) -> Any:
    with trying(f"when taking {len(indices)} of {case.describe(len(genomes))}"):
        return case.genome.take(genomes, indices)


def _is_declared(genomes: Batch, genome: Any) -> bool:
    """Return whether a batch has the type that the genome declares: a list, or an array of its dtype."""
    if genome.dtype is None:
        return isinstance(genomes, list)
    return isinstance(genomes, np.ndarray) and genomes.dtype == np.dtype(genome.dtype)


def _expected_type(genome: Any) -> str:
    return "a list" if genome.dtype is None else f"an array of {np.dtype(genome.dtype)}"


def _describe(genomes: Batch) -> str:
    return f"an array of {genomes.dtype}" if isinstance(genomes, np.ndarray) else "a list"
