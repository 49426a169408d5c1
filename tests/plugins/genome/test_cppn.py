"""CPPNs: images compared with a plain reference, colours compared with colorsys, and valid mutants."""

import colorsys
import math

import numpy as np
import pytest
from helpers.experiments import tiny
from helpers.resuming import check_resumes_wherever_cut

from fooldeap.errors import InputError
from fooldeap_plugins.genome._network import BATCH, BLOCK, INPUTS, Network, compute_blocks, input_grid
from fooldeap_plugins.genome.cppn import Cppn
from fooldeap_plugins.mutation.cppn import cppn

FUNCTIONS = (
    math.sin,
    lambda x: 2 / (1 + math.exp(-x)) - 1,
    lambda x: 2 * math.exp(-(x**2)) - 1,
    lambda x: min(1.0, max(-1.0, x)),
)


def grown(shape, count, rounds=40, seed=1):
    """Return networks with many topologies."""
    rng, networks = np.random.default_rng(seed), Cppn(shape).sample(count, np.random.default_rng(seed))
    for _ in range(rounds):
        networks = cppn(networks, rng, add_node=0.3, delete_node=0.1, add_link=0.4, delete_link=0.1)
    return networks


def compute_outputs(networks, places):
    """Return the outputs of each network at each place, float32 (networks, outputs, places)."""
    found = np.empty((len(networks), networks[0].outputs, places.shape[1]), np.float32)
    for part, block, values in compute_blocks(networks, places):
        found[part, :, block] = values
    return found


def value(network, node, place):
    """Return the value of a node at one place, computed recursively."""
    if node < INPUTS:
        return place[node]
    links = zip(network.sources, network.targets, network.weights, strict=True)
    total = sum(float(weight) * value(network, source, place) for source, target, weight in links if target == node)
    return FUNCTIONS[network.functions[node - INPUTS]](total)


@pytest.mark.parametrize("shape", [(5, 7, 1), (4, 4, 3)])
def test_every_pixel_equals_a_plain_reference(shape):
    networks, places = grown(shape, 40), input_grid(*shape[:2])
    assert max(network.hidden for network in networks) >= 8
    found = compute_outputs(networks, places)
    for index, network in enumerate(networks):
        first = INPUTS + network.hidden
        for output in range(shape[2]):
            expected = [value(network, first + output, place) for place in places.T.astype(float).tolist()]
            np.testing.assert_allclose(found[index, output], expected, atol=2e-4)


def test_inputs_are_coordinates_distance_and_bias():
    x, y, distance, bias = input_grid(2, 4).reshape(4, 2, 4)
    assert x[0].tolist() == [-0.75, -0.25, 0.25, 0.75]
    assert y[:, 0].tolist() == [-0.25, 0.25]
    assert distance == pytest.approx(np.sqrt(x**2 + y**2))
    assert (bias == 1).all()


@pytest.mark.parametrize(("shape", "top", "left"), [((20, 20, 3), 6, 6), ((20, 20, 1), 6, 6), ((9, 32, 3), 11, 0)])
def test_the_image_is_the_centre_of_the_canvas(shape, top, left):
    height, width, channels = shape
    networks = grown(shape, 30)
    whole = Cppn((32, 32, channels)).decode(networks)
    images = Cppn(shape, canvas=32).decode(networks)
    np.testing.assert_array_equal(images, whole[:, top : top + height, left : left + width])


def test_a_canvas_smaller_than_the_image_is_refused():
    with pytest.raises(InputError, match="canvas: got 31, expected at least 32 for an image of 16 x 32"):
        Cppn((16, 32, 3), canvas=31)
    np.testing.assert_array_equal(input_grid(32, 32, 32), input_grid(32, 32))


def test_black_is_minus_one_and_white_is_one():
    flat = Network(np.array([3]), np.array([3]), np.array([4]), np.array([1], np.float32), 1)
    for weight, grey in ((-1, 0), (-0.2, 102), (0, 128), (1, 255), (9, 255)):
        flat.weights[:] = weight
        assert (Cppn((3, 3, 1)).decode([flat]) == grey).all()


def test_colours_are_hue_saturation_and_value():
    networks = grown((6, 6, 3), 30)
    images = Cppn((6, 6, 3)).decode(networks)
    shares = (compute_outputs(networks, input_grid(6, 6)) + 1) / 2
    for image, (hue, saturation, brightness) in zip(images, shares, strict=True):
        expected = [colorsys.hsv_to_rgb(*hsv) for hsv in zip(hue, saturation, brightness, strict=True)]
        assert np.abs(image.reshape(-1, 3) - 255 * np.array(expected)).max() <= 0.51


@pytest.mark.parametrize("shape", [(28, 28, 1), (28, 28, 3), (23, 61, 3), (1, 1, 3), (96, 80, 3)])
@pytest.mark.parametrize("count", [1, 7, BATCH + 3])
def test_decoding_in_blocks_has_the_same_bits_as_decoding_at_once(shape, count):
    count = count if shape[0] < 90 else min(count, 20)
    networks = grown(shape, count, rounds=8, seed=count)
    for network in networks[::3]:
        network.weights *= np.float32(50)  # outputs at the limits
    values = compute_outputs(networks, input_grid(*shape[:2])).reshape(count, shape[2], *shape[:2])
    shares = (np.moveaxis(values, 1, 3) + 1) / 2
    if shape[2] == 3:
        hue, saturation, brightness = (shares[..., index, None] for index in range(3))
        sector = (np.array([5, 3, 1], np.float32) + 6 * hue) % 6
        shares = brightness - brightness * saturation * np.clip(np.minimum(sector, 4 - sector), 0, 1)
    expected = np.clip(np.rint(255 * shares), 0, 255).astype(np.uint8)
    assert np.array_equal(Cppn(shape).decode(networks), expected)


def test_images_do_not_depend_on_each_other():
    shape = (24, 27, 1)
    assert BLOCK < 24 * 27
    networks, genome = grown(shape, BATCH + 30, rounds=15), Cppn(shape)
    together = genome.decode(networks)
    for index in (0, 7, BATCH - 1, BATCH, BATCH + 29):
        assert np.array_equal(genome.decode([networks[index]])[0], together[index])


def test_pixels_do_not_depend_on_each_other():
    networks, places = grown((24, 27, 1), 30), input_grid(24, 27)
    together = compute_outputs(networks, places)
    for index in (0, BLOCK - 1, BLOCK, places.shape[1] - 1):
        alone = compute_outputs(networks, places[:, index : index + 1])
        np.testing.assert_allclose(together[..., index : index + 1], alone, atol=1e-5)


def test_mutants_are_valid_networks():
    """Links lead to later nodes, not from outputs, and are all different, even after many mutations."""
    for network in grown((4, 4, 3), 60, rounds=120):
        assert network.outputs == 3
        assert len(network.functions) == network.hidden + 3
        assert (network.sources < network.targets).all()
        assert (network.sources < INPUTS + network.hidden).all()
        assert ((network.targets >= INPUTS) & (network.targets < INPUTS + len(network.functions))).all()
        assert len(set(zip(network.sources, network.targets, strict=True))) == len(network.weights)
        assert network.weights.dtype == np.float32
        assert set(network.functions) <= set(range(4))


def test_a_new_linear_node_does_not_change_the_image():
    network = grown((6, 6, 1), 1, rounds=12)[0]
    network.weights[:] *= 0.1  # prevents clipping
    for link in range(len(network.weights)):
        before, after = (compute_outputs([each], input_grid(6, 6)) for each in (network, network.with_node(link, 3)))
        np.testing.assert_allclose(after, before, atol=1e-5)


def test_nodes_without_a_path_to_an_output_are_ignored():
    network = Cppn((6, 6, 1)).sample(1, np.random.default_rng(0))[0]
    more = network.with_node(0, 0)
    idle = more.without_link(len(more.weights) - 1)  # the link out of the new node
    without = network.without_link(0)
    assert idle.hidden == 1
    assert np.array_equal(compute_outputs([idle], input_grid(6, 6)), compute_outputs([without], input_grid(6, 6)))


@pytest.mark.parametrize(
    ("rate", "fewer", "more"),
    [("add_node", "hidden", 1), ("delete_node", "hidden", -1), ("add_link", "links", 1), ("delete_link", "links", -1)],
)
def test_topology_changes_at_the_given_rates(rate, fewer, more):
    networks = grown((4, 4, 1), 2000, rounds=6, seed=4)
    off = dict.fromkeys(("add_node", "delete_node", "add_link", "delete_link", "function_rate", "weight_rate"), 0.0)
    size = {"hidden": lambda each: each.hidden, "links": lambda each: len(each.weights)}[fewer]
    before = np.array([size(each) for each in networks])
    able = before > (1 if rate == "delete_link" else 0) if rate.startswith("delete") else np.ones(2000, bool)
    after = np.array([size(each) for each in cppn(networks, np.random.default_rng(1), **{**off, rate: 0.3})])
    changed = after[able] - before[able]
    assert set(changed) <= {0, more}
    share = (changed == more).mean()
    # A drawn link may exist already.
    assert (0.05 if rate == "add_link" else 0.26) < share < 0.34


def test_functions_and_weights_change_at_the_given_rates():
    networks = grown((4, 4, 1), 400, rounds=10)
    before = [each.copy() for each in networks]
    off = dict.fromkeys(("add_node", "delete_node", "add_link", "delete_link"), 0.0)
    after = cppn(networks, np.random.default_rng(2), **off, function_rate=0.4, weight_rate=0.25, sigma=0.5)
    steps = np.concatenate([new.weights - old.weights for old, new in zip(before, after, strict=True)])
    other = np.concatenate([new.functions != old.functions for old, new in zip(before, after, strict=True)])
    assert (steps != 0).mean() == pytest.approx(0.25, abs=0.03)
    assert steps[steps != 0].std() == pytest.approx(0.5, rel=0.05)
    assert other.mean() == pytest.approx(0.4 * 3 / 4, abs=0.06)


def test_resume_is_bit_identical(tmp_path):
    choices = {"genome": "cppn", "mutation": "cppn", "crossover": "none", "algorithm": "map_elites"}
    experiment = tiny(**choices, stop={"confidence": None, "generations": 15}, reporters=["csv", "images"])
    result = check_resumes_wherever_cut(experiment, tmp_path, times=1)
    assert min(each.confidence for each in result) > 0.3
