"""Draw docs/images/genomes.png: random samples of every stock genome, one row per genome (see docs/genomes.md)."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from fooldeap import registry
from fooldeap.configuration import config

FILE = Path(__file__).parent.parent / "docs/images/genomes.png"
SHAPE = (28, 28, 1)
SAMPLES = 8
SCALE = 3
GAP = 8
MARGIN = 150  # for the names


def main() -> None:
    """Write the picture."""
    rows = [(name, samples(name)) for name in names()]
    tile = SHAPE[0] * SCALE
    sheet = Image.new("L", (MARGIN + SAMPLES * (tile + GAP), len(rows) * (tile + GAP) + GAP), 255)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(15)
    for row, (name, images) in enumerate(rows):
        top = GAP + row * (tile + GAP)
        draw.text((GAP, top + tile // 2 - 10), name, 0, font)
        for column, image in enumerate(images):
            enlarged = Image.fromarray(image[..., 0]).resize((tile, tile), Image.Resampling.NEAREST)
            sheet.paste(enlarged, (MARGIN + column * (tile + GAP), top))
    sheet.save(FILE, optimize=True)


def names() -> list[str]:
    """Return the stock genomes, except `dct_self_adaptive`, whose images look like those of `dct`."""
    return [plugin.name for plugin in registry.load().all("genome") if plugin.name != "dct_self_adaptive"]


def samples(name: str) -> np.ndarray:
    """Return the images of a first population, uint8 (n, h, w, c)."""
    genome = config.load({}, arguments={"genome": name, "algorithm": "random_search"}).genome.build(SHAPE)
    images: np.ndarray = genome.decode(genome.sample(SAMPLES, np.random.default_rng(1)))
    return images


if __name__ == "__main__":
    main()
