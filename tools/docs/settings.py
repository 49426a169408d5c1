"""Settings of the runs for the pictures of plugins; the captions name them."""

from typing import Any

CLASSIFIER = {"name": "keras", "model": "mnist_lenet"}
BUDGET = 3000  # evaluations in a short run

# Keys of an experiment for plugins that do not work with the defaults.
REALS: dict[str, Any] = {"genome": "dct", "mutation": {"name": "gaussian", "sigma": 150.0}}
NETWORKS: dict[str, Any] = {"genome": "cppn", "crossover": "none", "mutation": "cppn"}
STEPS: dict[str, Any] = {
    "genome": {"name": "dct_self_adaptive", "step": 200.0},
    "algorithm": {"name": "mu_comma_lambda", "mu": 2, "children": 10},
    "selection": "random",
    "mutation": "self_adaptive",
}
WITH: dict[tuple[str, str], dict[str, Any]] = {
    ("genome", "binary"): {"mutation": "invert"},
    ("genome", "cppn"): NETWORKS,
    ("genome", "dct"): REALS,
    ("genome", "dct_self_adaptive"): STEPS,
    ("mutation", "cppn"): NETWORKS,
    ("mutation", "mixed"): {"mutation": {"name": "mixed", "of": ["random_pixels", "block", "row_and_column"]}},
    ("mutation", "adaptive_mixed"): {
        "mutation": {"name": "adaptive_mixed", "of": ["random_pixels", "block", "row_and_column"]}
    },
    ("mutation", "reset"): REALS | {"mutation": "reset"},
    ("mutation", "self_adaptive"): STEPS,
    ("algorithm", "cma_es"): {"genome": "dct", "algorithm": {"name": "cma_es", "population": 8}},
    ("algorithm", "differential_evolution"): {
        "genome": "dct",
        "algorithm": {"name": "differential_evolution", "population": 20},
    },
    ("algorithm", "snes"): {"genome": "dct", "algorithm": {"name": "snes", "population": 8}},
    ("algorithm", "bayesian_optimisation"): {"genome": {"name": "dct", "size": 6, "sigma": 2000.0}},
    ("algorithm", "nsga2"): {"fitness": "confidence_and_ink"},
}
