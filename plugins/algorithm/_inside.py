"""What the algorithms share that are DEAP's own: how they run inside the engine."""

from collections.abc import Callable, Iterable
from typing import Any

from fooldeap.plugin import Evolution, InputError, Reply, Rng, Toolbox

FOR_EVER = 10**9  # generations; when to stop is for the engine to say


def inside(toolbox: Toolbox, rng: Rng, algorithm: Callable[[Toolbox], Any]) -> Evolution:
    """Run one of DEAP's algorithms, unmodified, as a generator that yields what it wants evaluated.

    It runs in a greenlet of its own, which is left wherever it calls ``toolbox.map(toolbox.evaluate, ...)``, and
    entered again with the answer. DEAP draws from the global random generators: they continue the run's own stream
    while the greenlet runs, and are restored whenever it is left, so no other thread waits while images are evaluated.
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
        """Leave for the engine also where nobody is new, so that it counts the generation and may stop the run."""
        return ask(function, individuals) or evaluate([])[:0]

    view.register("map", ask_always)
    within = greenlet(lambda: algorithm(view), engine)
    try:
        with stream.installed():
            wanted = shown = within.switch()
        while not within.dead:
            shown = wanted if len(wanted) else shown  # the last ones again are answered from memory
            reply = yield shown
            within.parent = getcurrent()
            with stream.installed():
                wanted = within.switch(reply)
    finally:
        if not within.dead:
            within.parent = getcurrent()
            within.throw(GreenletExit)


def check_rates(crossover_rate: float, mutation_rate: float) -> None:
    """Refuse rates of which a child can have only one, where they are more than 1 together."""
    if crossover_rate + mutation_rate > 1:
        raise InputError(
            f"crossover_rate and mutation_rate: got {crossover_rate} and {mutation_rate}, at most 1 together"
        )
