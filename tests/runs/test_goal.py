"""One configuration fools both shipped networks: six seeds by ten digits, each within 25 000 evaluations."""

import pytest

import fooldeap


@pytest.mark.slow
@pytest.mark.parametrize("model", ["mnist_cnn", "mnist_lenet"])
def test_sixty_of_sixty(model):
    result = fooldeap.fool({"name": "keras", "model": model}, "all", seeds=6)
    assert len(result) == 60
    assert all(run.reached and run.evaluations_to_goal <= 25_000 for run in result)
