"""Gaussian mutation."""

import numpy as np

from fooldeap.plugin import Annotated, Gt, Images, Le, Rng, mutation


@mutation("gaussian", genome="pixels")
def gaussian(
    images: Images,
    rng: Rng,
    *,
    rate: Annotated[float, Gt(0), Le(1)] = 0.05,
    sigma: Annotated[float, Gt(0)] = 40.0,
) -> Images:
    """Add normal noise to each value with probability ``rate``.

    Its standard deviation is ``sigma`` grey levels; results are rounded and clipped to 0 ... 255 (Bäck and Schwefel
    1993, without self-adaptation).
    """
    flat = images.reshape(-1)
    hits = rng.binomial(flat.size, rate)
    places = rng.choice(flat.size, hits, replace=False, shuffle=False)
    moved = flat[places] + rng.normal(0, sigma, hits)
    flat[places] = np.clip(np.rint(moved), 0, 255).astype(np.uint8)
    return images
