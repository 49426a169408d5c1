"""The (1 + 1) scheme."""

from fooldeap.plugin import Evolution, Rng, Toolbox, algorithm


@algorithm("one_plus_one", uses=("mutation",))
def one_plus_one(toolbox: Toolbox, rng: Rng) -> Evolution:
    """Keep a single image, and replace it by its mutant where that is at least as good.

    The (1 + 1) evolution strategy (Rechenberg 1973), a hill climber; selection and crossover are not used.
    """
    genomes = toolbox.sample(1)
    fitness = (yield genomes).fitness
    while True:
        mutant = toolbox.mutate(toolbox.take(genomes, [0]))
        score = (yield mutant).fitness
        if score[0] >= fitness[0]:
            genomes, fitness = mutant, score
