"""The files that a training writes: the bytes of the model, and the model card with its provenance."""

import hashlib
import io
import json
import tempfile
import zipfile
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from ruamel.yaml import YAML

from fooldeap.plugin import Split
from fooldeap.randomness import preserved
from fooldeap.terminal_text import markdown
from fooldeap.training.settings import Training, TrainingResult

_CARD = """\
# {name}

An image classifier for the dataset `{dataset}`, trained by fooldeap. It takes {shape} images with values
from 0 to 255, which it rescales itself, and gives {classes} probabilities.

| | |
|---|---|
{facts}

The weights were chosen by validation accuracy only, before any images were evolved on them. The test images
were used once, after this choice. The file has no optimizer state.

## Layers

| name | layer | output | parameters |
|---|---|---|---|
{layers}

## Settings

```yaml
{settings}```
"""


def content_of(model: Any) -> bytes:
    """Return the bytes of a ``.keras`` file, without optimizer state and without the dates that Keras writes."""
    import keras

    with preserved():  # Keras draws the seeds of the layers that it builds from the global generators
        bare = keras.Sequential.from_config(model.get_config())
    bare.set_weights(model.get_weights())
    content = io.BytesIO()
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder) / "model.keras"
        bare.save(saved)
        with zipfile.ZipFile(saved) as source, zipfile.ZipFile(content, "w") as target:
            for name in sorted(source.namelist()):
                part = source.read(name)
                if name == "metadata.json":
                    part = json.dumps({**json.loads(part), "date_saved": None}).encode()
                target.writestr(zipfile.ZipInfo(name), part)
    return content.getvalue()


def card(trained: TrainingResult, training: Training, data: Split, model: Any, command: str) -> str:
    """Return the model card as Markdown."""
    layers = (
        (markdown(layer.name), type(layer).__name__, _size(layer.output.shape[1:]), layer.count_params())
        for layer in model.layers
    )
    return _CARD.format(
        name=training.name,
        dataset=training.dataset,
        shape=_size(data.train_images.shape[1:]),
        classes=model.output_shape[1],
        facts=_rows(_facts(trained, training, data, command).items()),
        layers=_rows(layers),
        settings=_yaml(asdict(training)),
    )


def tells_of(text: str, sha256: str, training: Training, data: Split) -> bool:
    """Return whether a card shows this checksum, training and data, and the versions installed here."""
    facts = {"sha256": f"`{sha256}`", **_origin(data)}
    return set(_rows(facts.items()).split("\n")) <= set(text.split("\n")) and _yaml(asdict(training)) in text


def digest_of(data: Split) -> str:
    """Return the SHA-256 of all images and labels, with their shapes and dtypes."""
    digest = hashlib.sha256()
    for array in (data.train_images, data.train_labels, data.test_images, data.test_labels):
        digest.update(f"{array.dtype} {array.shape} ".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def versions_of() -> dict[str, str]:
    """Return the versions of the packages on which the bytes of a model depend."""
    return {name: metadata.version(name) for name in ("keras", "tensorflow")}


def _origin(data: Split) -> dict[str, str]:
    versions = ", ".join(f"{name} {version}" for name, version in versions_of().items())
    return {"sha256 of images and labels": f"`{digest_of(data)}`", "made with": versions}


def _facts(trained: TrainingResult, training: Training, data: Split, command: str) -> dict[str, str]:
    held_out, rest = training.validation, len(data.train_images) - training.validation
    moved = f", each moved at random by at most {training.shift} px" if training.shift else ""
    return {
        "test accuracy": f"{trained.test_accuracy:.4f} on {len(data.test_images)} test images",
        "validation accuracy": f"{trained.validation_accuracy:.4f} on {held_out} images held out of training",
        "trained on": f"the other {rest} training images{moved}",
        "epochs": f"{training.epochs}; the weights are those of epoch {trained.epoch}",
        "seed": f"{training.seed}",
        "parameters": f"{trained.parameters}",
        "sha256": f"`{trained.sha256}`",
        **_origin(data),
        "made by": f"`{command}`",
    }


def _rows(rows: Any) -> str:
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in rows)


def _size(shape: tuple[int | None, ...]) -> str:
    return " x ".join(map(str, shape))


def _yaml(settings: dict[str, Any]) -> str:
    text = io.StringIO()
    YAML(typ="safe", pure=True).dump(json.loads(json.dumps(settings)), text)
    return text.getvalue()
