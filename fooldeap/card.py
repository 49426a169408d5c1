"""What a training leaves: the bytes of the model file, and the model card that tells where it comes from."""

import io
import json
import tempfile
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from fooldeap.lines import markdown
from fooldeap.plugin import Split
from fooldeap.training import Trained, Training

_CARD = """\
# {name}

An image classifier for the dataset `{dataset}`, trained by fooldeap. It takes {shape} images with values
from 0 to 255, which it rescales itself, and gives {classes} probabilities.

| | |
|---|---|
{facts}

The weights were chosen by validation accuracy alone, before any evolution was run on them. The test images
were looked at once, after that choice. The file holds no optimizer state.

## Layers

| name | layer | output | parameters |
|---|---|---|---|
{layers}

## Settings

```yaml
{settings}```
"""


def content_of(model: Any) -> bytes:
    """Return a model as a ``.keras`` file, without optimizer state and the dates that Keras puts in."""
    import keras

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


def card(trained: Trained, training: Training, data: Split, model: Any, command: str) -> str:
    """Return the model card, Markdown."""
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


def _facts(trained: Trained, training: Training, data: Split, command: str) -> dict[str, str]:
    import keras
    import tensorflow as tf

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
        "made with": f"keras {keras.__version__}, tensorflow {tf.__version__}",
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
