"""Draw the pictures for the pages of plugins, in docs/images/plugins.

``make refresh`` draws the missing pictures. ``python tools/docs/pictures.py --all`` draws all pictures again. Those of
genomes and algorithms come from short runs. All others are computed directly and are the same on every machine.
"""

import functools
import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from settings import BUDGET, CLASSIFIER, WITH

import fooldeap
from fooldeap import registry
from fooldeap.configuration import config
from fooldeap.plugin import Images, Offspring, Plugin, Predictions

FOLDER = Path(__file__).parents[2] / "docs/images/plugins"
SEED = 1
SHAPE = (28, 28, 1)
ABREAST = 6
SCALE, GAP = 3, 6
DRAWS = 400


def main(words: list[str]) -> None:
    """Draw the missing pictures, or all; remove the pictures of plugins that no longer exist."""
    for plugin in registry.load().all():
        file = FOLDER / plugin.kind / f"{plugin.name}.png"
        if plugin.kind in DRAWN and ("--all" in words or not file.exists()):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(DRAWN[plugin.kind](plugin))
            print(f"{file.relative_to(FOLDER)}: {file.stat().st_size} bytes")
    for file in FOLDER.glob("*/*.png"):
        if (file.parent.name, file.stem) not in {(plugin.kind, plugin.name) for plugin in registry.load().all()}:
            file.unlink()


def experiment(plugin: Plugin) -> dict[str, Any]:
    """Return the configuration of an experiment that uses a plugin."""
    return {plugin.kind: plugin.name} | WITH.get((plugin.kind, plugin.name), {})


# --- Effects of operators on images ---------------------------------------------------------------------------------


def mutation(plugin: Plugin) -> bytes:
    """Draw images, the mutated images, and the pixels that differ."""
    loaded = config.load(experiment(plugin))
    genome = loaded.genome.build(SHAPE)
    pixels = loaded.genome.plugin.name == "pixels"
    before = digits() if pixels else genome.sample(ABREAST, np.random.default_rng(SEED))
    images = genome.decode(genome.take(before, range(ABREAST)))
    mutate = with_feedback(plugin, loaded.mutation.build())
    after = genome.decode(mutate(before, np.random.default_rng(SEED)))
    return sheet(images, after, np.where(images != after, 0, 255).astype(np.uint8))


def crossover(plugin: Plugin) -> bytes:
    """Draw pairs of parents, white on black and black on white, and their children."""
    mate = config.load(experiment(plugin)).crossover.build()
    parents = digits(), np.roll(255 - digits(), 3, axis=0)
    children = mate(*(each.copy() for each in parents), np.random.default_rng(SEED))
    return sheet(*parents, *children)


def genome(plugin: Plugin) -> bytes:
    """Draw images of a first population, and the best images of short runs, one per target."""
    built = config.load(experiment(plugin)).genome.build(SHAPE)
    first = built.decode(built.sample(ABREAST, np.random.default_rng(SEED)))
    result = run(plugin, target=list(range(ABREAST)))
    return sheet(first, np.stack([each.image.pixels for each in result]))


def with_feedback(plugin: Plugin, call: Callable[..., Any]) -> Callable[..., Any]:
    """Return an operator as in a first generation: nothing was evaluated, and all genomes are far apart."""
    none = Offspring(np.empty(0, np.int64), np.empty(0), np.empty(0))

    def called(first: Any, *arguments: Any) -> Any:
        given = {"offspring": none, "genomes": 1e6 * np.arange(len(first))[:, None]}
        return call(first, *arguments, **{name: given[name] for name in plugin.feedback})

    return called


@functools.cache
def _digits() -> Images:
    test = registry.load().get("dataset", "mnist").build({}).load()
    first = [int(np.flatnonzero(test.test_labels == digit)[0]) for digit in range(ABREAST)]
    return test.test_images[first].reshape(ABREAST, *SHAPE)


def digits() -> Images:
    """Return a real digit of each class, uint8 (n, 28, 28, 1)."""
    return _digits().copy()


def sheet(*rows: Images) -> bytes:
    """Return rows of images (n, h, w, 1) as a PNG."""
    tile, step = SCALE * SHAPE[0], SCALE * SHAPE[0] + GAP
    page = Image.new("L", (ABREAST * step - GAP, len(rows) * step - GAP), 255)
    for top, images in enumerate(rows):
        for left, image in enumerate(images):
            enlarged = Image.fromarray(image[..., 0]).resize((tile, tile), Image.Resampling.NEAREST)
            page.paste(enlarged, (left * step, top * step))
    return png(page.point(lambda grey: grey // 8 * 255 // 31))  # 32 grey levels suffice and halve the size


# --- Charts ---------------------------------------------------------------------------------------------------------


def fitness(plugin: Plugin) -> bytes:
    """Draw the fitness over the confidence; a second objective is drawn over the share of white pixels."""
    score = config.load(experiment(plugin)).fitness.build()
    logits = np.zeros((200, 10), np.float32)
    logits[:, 0] = np.linspace(-8, 14, 200)
    images = np.where(np.arange(784) < np.linspace(0, 784, 200)[:, None], 255, 0).astype(np.uint8)
    predictions = Predictions(logits, images.reshape(200, *SHAPE))
    values = score(predictions, 0).reshape(200, -1)

    def draw(figure: Any) -> None:
        charts = figure.subplots(1, values.shape[1], squeeze=False)[0]
        charts[0].plot(logits[:, 0], values[:, 0])
        steep = values.min() > 0 and values[:, 0].max() > 100 * values[:, 0].min()
        charts[0].set(xlabel="confidence in the target", ylabel="fitness", yscale="log" if steep else "linear")
        ticks = {0.01: "1 %", 0.1: "10", 0.5: "50", 0.9: "90", 0.99: "99", 0.9999: "99.99"}
        charts[0].set_xticks([np.log(9 * p / (1 - p)) for p in ticks], list(ticks.values()))
        for chart in charts[1:]:
            chart.plot(np.linspace(0, 100, 200), values[:, 1])
            chart.set(xlabel="white pixels on black, %", ylabel="second objective")

    return chart(draw)


def selection(plugin: Plugin) -> bytes:
    """Draw the mean number of times that each individual is selected."""
    select = with_feedback(plugin, config.load(experiment(plugin)).selection.build())
    population = np.arange(1.0, 51.0)
    rng = np.random.default_rng(SEED)
    drawn = np.concatenate([select(population, len(population), rng) for _ in range(DRAWS)])
    shares = np.bincount(drawn, minlength=len(population)) / DRAWS

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        axes.bar(population, shares, width=0.8)
        axes.axhline(1, color="grey", linewidth=1, linestyle="--")
        axes.set(xlabel="fitness, 50 is the fittest", ylabel="times selected")

    return chart(draw)


def algorithm(plugin: Plugin) -> bytes:
    """Draw the best confidence over evaluations, for three seeds."""
    result = run(plugin, target=[3], seeds=3)

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        for each in result:
            shown = [row.evaluations for row in each.log]
            axes.plot(
                shown, np.maximum.accumulate([100 * row.confidence for row in each.log]), marker=".", markersize=4
            )
        axes.set(
            xlabel="images shown", ylabel="best confidence, %", xscale="log", xlim=(0.9, 1.1 * BUDGET), ylim=(-3, 103)
        )

    return chart(draw)


def run(plugin: Plugin, **arguments: Any) -> fooldeap.Result:
    """Return the result of a short run with a plugin."""
    stop = {"evaluations": BUDGET}
    return fooldeap.fool(CLASSIFIER, seed=SEED, stop=stop, **arguments, **experiment(plugin))


def chart(draw: Callable[[Any], None]) -> bytes:
    """Return a figure as a small PNG; ``draw`` draws on the figure."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 2.8), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    draw(figure)
    content = io.BytesIO()
    figure.savefig(content, format="png")
    return png(Image.open(content).convert("RGB").quantize(32, dither=Image.Dither.NONE))


def png(image: Image.Image) -> bytes:
    """Return an image as PNG."""
    content = io.BytesIO()
    image.save(content, "PNG", optimize=True)
    return content.getvalue()


DRAWN: dict[str, Callable[[Plugin], bytes]] = {
    "genome": genome,
    "fitness": fitness,
    "mutation": mutation,
    "crossover": crossover,
    "selection": selection,
    "algorithm": algorithm,
}


if __name__ == "__main__":
    main(sys.argv[1:])
