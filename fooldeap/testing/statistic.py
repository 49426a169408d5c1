"""The contracts of statistics."""

import copy

import numpy as np

from fooldeap import contract_checks
from fooldeap.testing.batches import identical, rng
from fooldeap.testing.contract import contract
from fooldeap.testing.demands import demand, trying
from fooldeap.testing.subject import SIZES, Subject


@contract("statistic")
def _returns_a_number_and_changes_nothing(subject: Subject) -> None:
    for case in subject.cases():
        for count in filter(None, SIZES):
            genomes, fitness = case.sample(count), rng(5).normal(size=count)
            given = copy.deepcopy(genomes), fitness.copy()
            with trying(f"for {case.describe(count)}"):
                value = subject.build()(genomes, fitness)
            fault = contract_checks.statistic(value, genomes, fitness)
            demand(fault is None, f"for {case.describe(count)} it {fault}")
            demand(identical(given, (genomes, fitness)), "it changes the genomes or the fitness; work on a copy")
            again = subject.build()(genomes, fitness)
            demand(np.array_equal(value, again, equal_nan=True), "it returns another number the second time")
