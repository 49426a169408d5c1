"""Run DEAP's own algorithms inside the engine."""

from collections.abc import Callable, Iterable
from typing import Any

from fooldeap.plugin import Evolution, InputError, Reply, Rng, Toolbox

FOR_EVER = 10**9  # generations; the engine decides when to stop


def inside(toolbox: Toolbox, rng: Rng, algorithm: Callable[[Toolbox], Any]) -> Evolution:
    """Run an unmodified DEAP algorithm as a generator that yields the genomes to evaluate.

    The algorithm runs in its own greenlet. A call of ``toolbox.map(toolbox.evaluate, ...)`` switches to the engine,
    which switches back with the fitness values. DEAP draws from the global random generators. They continue the run's
    stream while the greenlet runs, and are restored when it switches to the engine. So no other thread waits during an
    evaluation.
    """
    from greenlet import GreenletExit, getcurrent, greenlet

    from fooldeap.engine.individuals import individual_view
    from fooldeap.randomness import GlobalStream

    engine, stream = getcurrent(), GlobalStream(rng)

    def evaluate(genomes: Any) -> Any:
        reply: Reply = greenlet.getcurrent().parent.switch(genomes)
        return reply.fitness

    view = individual_view(toolbox, evaluate)
    ask = view.map

    def ask_always(function: Callable[..., Any], individuals: Iterable[Any]) -> Any:
        """Switch to the engine also without new individuals, so that it counts the generation and can stop the run."""
        return ask(function, individuals) or evaluate([])[:0]

    view.register("map", ask_always)
    within = greenlet(lambda: algorithm(view), engine)
    try:
        with stream.installed():
            wanted = shown = within.switch()
        while not within.dead:
            shown = wanted if len(wanted) else shown  # the cache answers the last ones again
            reply = yield shown
            within.parent = getcurrent()
            with stream.installed():
                wanted = within.switch(reply)
    finally:
        if not within.dead:
            within.parent = getcurrent()
            within.throw(GreenletExit)


def check_rates(crossover_rate: float, mutation_rate: float) -> None:
    """Raise InputError if the two rates sum to more than 1. A child results from at most one of the two operators."""
    if crossover_rate + mutation_rate > 1:
        raise InputError(
            f"crossover_rate and mutation_rate: got {crossover_rate} and {mutation_rate}, expected at most 1 in sum"
        )
