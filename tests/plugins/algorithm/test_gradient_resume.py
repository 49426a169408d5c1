"""Gradients of images that were shown before are identical in a resumed run."""

import numpy as np
from helpers.experiments import KIT, TINY
from helpers.resuming import check_resumes_wherever_cut

from fooldeap.configuration import config
from fooldeap.plugin import Ask, algorithm


@algorithm("undecided")
def undecided(toolbox, rng):
    """Request the gradient in a second generation without new images."""
    genomes = toolbox.sample(3)
    while True:
        yield Ask(genomes, gradient=True)
        reply = yield Ask(genomes, gradient=True)
        genomes = np.clip(genomes + np.sign(reply.gradient), 0, 255).astype(np.uint8)


def test_generation_without_new_images_is_resumed(tmp_path):
    stop = {"confidence": None, "generations": 20}
    arguments = {**TINY, "algorithm": "undecided", "targets": [0, 2], "stop": stop}
    result = check_resumes_wherever_cut(config.load({}, arguments=arguments, plugins=[KIT, undecided]), tmp_path, 3)
    assert result[0].evaluations == 33, "each image was shown once"
