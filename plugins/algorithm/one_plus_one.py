"""The (1 + 1) evolution strategy."""

from fooldeap.plugin import Evolution, Rng, Toolbox, algorithm


@algorithm("one_plus_one", uses=("mutation",))
def one_plus_one(toolbox: Toolbox, rng: Rng) -> Evolution:
    """Keep a single image, and replace it by its mutant if that is at least as good.

    This is the (1 + 1) evolution strategy (Rechenberg 1973), a hill climber. It does not use selection and crossover.
    """
    genomes = toolbox.sample(1)
    fitness = (yield genomes).fitness
    while True:
        mutant = toolbox.mutate(toolbox.take(genomes, [0]))
        score = (yield mutant).fitness
        if score[0] >= fitness[0]:
            genomes, fitness = mutant, score
