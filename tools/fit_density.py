"""Fit the densities of the classifier ``density``: python tools/fit_density.py [--dataset mnist] [--out FILE.npz]."""

import argparse
import io
from pathlib import Path

import numpy as np
from threadpoolctl import ThreadpoolController

from fooldeap import registry
from fooldeap.storage.files import write_whole
from fooldeap_plugins.classifier._mixture import ROUNDED, fit

SHIPPED = Path(__file__).parent.parent / "fooldeap/data/classifiers/mnist_density.npz"


def main() -> None:
    """Fit the densities to a dataset without required parameters, and print the test accuracy."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", default="mnist")
    parser.add_argument("--components", type=int, default=50, help="principal components")
    parser.add_argument("--parts", type=int, default=5, help="normal distributions per class")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=SHIPPED)
    options = parser.parse_args()
    data = registry.load().get("dataset", options.dataset).build({}).load()
    with ThreadpoolController().limit(limits=1):  # so that the bytes do not depend on the number of cores
        model = fit(data, options.components, options.parts, np.random.default_rng(options.seed))
    arrays = {name: np.float32(value) if name in ROUNDED else value for name, value in model._asdict().items()}
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)
    write_whole(options.out, content.getvalue())
    predicted = np.concatenate([model.joint(part) for part in np.array_split(data.test_images, 20)]).argmax(axis=1)
    accuracy = (predicted == data.test_labels).mean()
    print(f"{options.out}: test accuracy {accuracy:.4f}, temperature {model.temperature:.3f}")


if __name__ == "__main__":
    main()
