"""Algorithms as third parties would write them, without code for budgets, journals or logs."""

import numpy as np

from fooldeap.plugin import Annotated, Ask, Ge, algorithm


@algorithm("hill_climber")
def hill_climber(toolbox, rng, *, patience: Annotated[int, Ge(1)] = 10**9):
    """Keep one genome, try one neighbour at a time, and end after ``patience`` failures."""
    best = toolbox.sample(1)
    fitness = (yield best).fitness[0]
    failures = 0
    while failures < patience:
        neighbour = toolbox.mutate(toolbox.take(best, [0]))
        reply = yield neighbour
        if reply.fitness[0] >= fitness:
            best, fitness, failures = neighbour, reply.fitness[0], 0
        else:
            failures += 1


@algorithm("tiny_map_elites", targets="all")
def tiny_map_elites(toolbox, rng, *, batch: Annotated[int, Ge(1)] = 16):
    """Keep the best genome of every class; each child competes in every class (Mouret and Clune 2015)."""
    genomes, elites, best = toolbox.sample(batch), {}, {}
    while True:
        reply = yield genomes
        for target in toolbox.targets:
            fitness = reply.of(target)
            row = int(fitness.argmax())
            if fitness[row] > best.get(target, -np.inf):
                best[target], elites[target] = fitness[row], toolbox.take(genomes, [row])
        parents = rng.choice(toolbox.targets, batch)
        genomes = elites[parents[0]][:0]
        for parent in parents:
            child = toolbox.take(elites[parent], [0])
            genomes = genomes + child if isinstance(genomes, list) else np.concatenate([genomes, child])
        genomes = toolbox.mutate(genomes)


@algorithm("ascent")
def ascent(toolbox, rng, *, step: Annotated[float, Ge(0)] = 20.0):
    """Climb the gradient of log p."""
    genomes = toolbox.sample(4)
    while True:
        reply = yield Ask(genomes, gradient=True)
        slope = reply.gradient / (np.abs(reply.gradient).max(axis=(1, 2, 3), keepdims=True) + 1e-12)
        genomes = np.clip(np.rint(genomes + step * slope), 0, 255).astype(np.uint8)


@algorithm("constant")
def constant(toolbox, rng):
    """Yield the same genomes in every generation."""
    genomes = toolbox.sample(5)
    while True:
        yield genomes


@algorithm("twins")
def twins(toolbox, rng):
    """Yield each genome three times in one batch."""
    while True:
        yield toolbox.take(toolbox.sample(5), np.repeat(np.arange(5), 3))


@algorithm("brief")
def brief(toolbox, rng):
    """Yield one batch and end."""
    yield toolbox.sample(5)


@algorithm("faulty")
def faulty(toolbox, rng):
    """Fail in the second generation."""
    yield toolbox.sample(5)
    raise ZeroDivisionError("no luck")


@algorithm("cheat")
def cheat(toolbox, rng):
    """Call ``toolbox.evaluate``, which is not allowed in an algorithm."""
    genomes = toolbox.sample(50)
    yield toolbox.take(genomes, [int(toolbox.evaluate(genomes).argmax())])


@algorithm("joint_ascent", targets="all")
def joint_ascent(toolbox, rng):
    """Request a gradient without a target, although there are several."""
    yield Ask(toolbox.sample(4), gradient=True)


@algorithm("no_generator")
def no_generator(toolbox, rng):
    """Return instead of yield."""
    return toolbox.sample(4)


@algorithm("tuples")
def tuples(toolbox, rng):
    """Yield a tuple instead of an Ask."""
    yield (toolbox.sample(4), True)


@algorithm("empty")
def empty(toolbox, rng):
    """Yield an empty batch."""
    yield toolbox.sample(0)


@algorithm("unseeded")
def unseeded(toolbox, rng):
    """Draw from an unseeded generator."""
    while True:
        yield toolbox.take(toolbox.sample(5), np.random.default_rng().integers(0, 5, 5))


@algorithm("not_finite")
def not_finite(toolbox, rng):
    """Yield finite genomes, then NaN."""
    genomes = toolbox.sample(4)
    yield genomes
    yield genomes * np.float64("nan")
