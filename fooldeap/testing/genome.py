"""What genomes promise."""

import numpy as np

from fooldeap import faults
from fooldeap.testing.promise import SIZES, Subject, contract, copy, demand, own_rows, rng, same


@contract("genome")
def _samples_as_many_as_are_wanted(subject: Subject) -> None:
    for genome in subject.genomes():
        for count in SIZES:
            fault = faults.sample(genome.sample(count, rng()), count)
            demand(fault is None, f"it {fault}")
        demand(same(genome.sample(7, rng()), genome.sample(7, rng())), "it samples others for the same seed")


@contract("genome")
def _decodes_to_images_row_by_row(subject: Subject) -> None:
    for genome in subject.genomes():
        genomes = genome.sample(7, rng())
        kept = copy(genomes)
        images = genome.decode(genomes)
        fault = faults.decode(genome.shape)(images, genomes)
        demand(fault is None, f"it {fault}")
        demand(same(genomes, kept), "decoding changes the genomes")
        alone = [genome.decode(genome.take(genomes, [row])) for row in range(7)]
        demand(
            np.array_equal(np.concatenate(alone), images),
            "an image depends on the other genomes of its batch, to the bit; a matrix product does so, einsum does not",
        )


@contract("genome")
def _takes_independent_copies(subject: Subject) -> None:
    for genome in subject.genomes():
        genomes = genome.sample(7, rng())
        kept, taken = copy(genomes), genome.take(genomes, [3, 3, 0])
        demand(faults.take(taken, genomes, [3, 3, 0]) is None, "take gives another number of genomes than of indices")
        demand(own_rows(taken), "take gives genomes that share memory; return copies")
        if isinstance(taken, np.ndarray):
            taken[:] = 0
        else:
            demand(
                not {id(row) for row in taken} & {id(row) for row in genomes}, "take hands out the parents; copy them"
            )
        demand(same(genomes, kept), "a change to what take gave changes the parents; return copies")
