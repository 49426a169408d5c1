"""Gradients of images that were shown before: resumed, they are those of the first time."""

import numpy as np
from conftest import KIT, TINY
from resuming import check_resumes_wherever_cut

from fooldeap.configuration import config
from fooldeap.plugin import Ask, algorithm


@algorithm("undecided")
def undecided(toolbox, rng):
    """Step up the gradient after a second look, in which no image is new, and the gradient is needed."""
    genomes = toolbox.sample(3)
    while True:
        yield Ask(genomes, gradient=True)
        reply = yield Ask(genomes, gradient=True)
        genomes = np.clip(genomes + np.sign(reply.gradient), 0, 255).astype(np.uint8)


def test_a_generation_without_a_new_image_is_resumed(tmp_path):
    stop = {"confidence": None, "generations": 20}
    arguments = {**TINY, "algorithm": "undecided", "targets": [0, 2], "stop": stop}
    result = check_resumes_wherever_cut(config.load({}, arguments=arguments, plugins=[KIT, undecided]), tmp_path, 3)
    assert result[0].evaluations == 33, "each image was shown once"
