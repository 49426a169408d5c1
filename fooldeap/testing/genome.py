"""What genomes promise."""

from typing import Any

import numpy as np

from fooldeap import faults
from fooldeap.plugin import Batch
from fooldeap.testing.batches import apart, copy, identical, own_rows
from fooldeap.testing.contract import contract
from fooldeap.testing.demands import demand, trying
from fooldeap.testing.subject import SIZES, Ground, Subject

SEEDS = range(2, 10)


@contract("genome")
def _says_what_it_is(subject: Subject) -> None:
    for ground in subject.grounds():
        for name in ("shape", "dtype", "bounds"):
            demand(hasattr(ground.genome, name), f"it has no {name!r}; where there is none of them, set it to None")
        shape = ground.genome.shape
        demand(shape == ground.shape, f"handed the shape {ground.shape} of images, it says that theirs is {shape}")


@contract("genome")
def _samples_as_many_as_are_wanted(subject: Subject) -> None:
    for ground in subject.grounds():
        for size in SIZES:
            genomes = ground.sample(size)
            demand(_is_declared(genomes, ground.genome), f"it samples {_said(genomes)}, its dtype says otherwise")


@contract("genome")
def _samples_within_the_bounds(subject: Subject) -> None:
    for ground in subject.grounds():
        if ground.genome.dtype is not None and ground.genome.bounds is not None:
            genomes, (low, high) = ground.sample(100), ground.genome.bounds
            inside = np.isfinite(genomes).all() and genomes.min() >= low and genomes.max() <= high
            demand(inside, f"it samples values outside its bounds, {low:g} to {high:g}")


@contract("genome")
def _samples_by_the_seed(subject: Subject) -> None:
    for ground in subject.grounds():
        genomes = ground.sample(7)
        demand(identical(genomes, ground.sample(7)), "it samples others for the same seed; draw from rng alone")
        # Individuals that are all alike may be so for every seed: a constant beginning.
        alike = all(identical(genome, genomes[0]) for genome in genomes)
        others = any(not identical(genomes, ground.sample(7, seed)) for seed in SEEDS)
        demand(alike or others, f"it samples the same for {len(SEEDS) + 1} seeds; draw from rng")


@contract("genome")
def _samples_individuals_of_their_own(subject: Subject) -> None:
    for ground in subject.grounds():
        demand(own_rows(ground.sample(7)), "the individuals that it samples share memory, or cannot be edited")


@contract("genome")
def _decodes_to_images_row_by_row(subject: Subject) -> None:
    for ground in subject.grounds():
        for size in SIZES:
            _decoded(ground, ground.sample(size))
        genomes = ground.sample(7)
        kept = copy(genomes)
        images = _decoded(ground, genomes)
        demand(identical(genomes, kept), "decoding changes the genomes")
        alone = [_decoded(ground, _taken(ground, genomes, [row])) for row in range(7)]
        demand(
            np.array_equal(np.concatenate(alone), images),
            "an image depends on the other genomes of its batch, to the bit; a matrix product does so, einsum does not",
        )


@contract("genome")
def _takes_independent_copies(subject: Subject) -> None:
    for ground in subject.grounds():
        genomes = ground.sample(7)
        for indices in ([3, 3, 0], np.array([6, 1]), np.empty(0, np.intp)):
            taken = _taken(ground, genomes, indices)
            fault = faults.take(taken, genomes, indices)
            demand(fault is None, f"it {fault}")
            demand(apart(taken, genomes), "a change to what take gave changes the parents; return copies")
            demand(own_rows(taken), "take gives genomes that share memory; return copies")
            fits = all(identical(taken[place], genomes[row]) for place, row in enumerate(indices))
            demand(_is_declared(taken, ground.genome) and fits, "take gives others than the genomes at the indices")


def _decoded(ground: Ground, genomes: Batch) -> Any:
    with trying(f"to decode {ground.said(len(genomes))}"):
        images = ground.genome.decode(genomes)
    fault = faults.decode(ground.shape)(images, genomes)
    demand(fault is None, f"it {fault}")
    return images


def _taken(ground: Ground, genomes: Batch, indices: Any) -> Any:
    with trying(f"to take {len(indices)} of {ground.said(len(genomes))}"):
        return ground.genome.take(genomes, indices)


def _is_declared(genomes: Batch, genome: Any) -> bool:
    """Tell whether a batch is what the genome's dtype says: a list, or an array of that type."""
    if genome.dtype is None:
        return isinstance(genomes, list)
    return isinstance(genomes, np.ndarray) and genomes.dtype == np.dtype(genome.dtype)


def _said(genomes: Batch) -> str:
    return f"an array of {genomes.dtype}" if isinstance(genomes, np.ndarray) else "a list"
