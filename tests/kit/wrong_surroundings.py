"""Classifiers, datasets, executors and reporters with one fault each, as in `wrong.py`."""

from pathlib import Path

import numpy as np

from fooldeap.plugin import Reporter, Split, classifier, dataclass, dataset, executor, reporter


@dataclass
class _Right:
    """A correct classifier."""

    input_shape = (4, 3, 1)
    classes = 2
    digest = "brightness"

    def logits(self, images):
        bright = images.mean(axis=(1, 2, 3), dtype=np.float64) / 255
        return np.stack([bright, 1 - bright], axis=1).astype(np.float32)


@classifier("wrong-mute")
@dataclass
class Mute(_Right):
    """For 32 images its logits are NoneType, expected float32 (32, 2)."""

    def logits(self, images):
        return None


@classifier("wrong-double")
@dataclass
class Double(_Right):
    """Its logits are float64 (32, 2)."""

    def logits(self, images):
        return super().logits(images).astype(np.float64)


@classifier("wrong-pair")
@dataclass
class Pair(_Right):
    """For 1 images it raised IndexError."""

    def logits(self, images):
        images[1]
        return super().logits(images)


@classifier("wrong-infinite")
@dataclass
class Infinite(_Right):
    """For 32 images it returns logits that are not finite."""

    def logits(self, images):
        with np.errstate(divide="ignore"):
            return np.log(super().logits(images))


@classifier("wrong-moody")
@dataclass
class Moody(_Right):
    """It returns different logits for the same images in a second call."""

    calls = 0

    def logits(self, images):
        self.calls += 1
        return super().logits(images) + np.float32(self.calls)


@classifier("wrong-inverting")
@dataclass
class Inverting(_Right):
    """It changes the images that it receives."""

    def logits(self, images):
        np.subtract(255, images, out=images)
        return super().logits(images)


@classifier("wrong-flat")
@dataclass
class Flat(_Right):
    """Its input_shape is (4, 3), expected (height, width, channels)."""

    input_shape = (4, 3)


@classifier("wrong-channels")
@dataclass
class Channels(_Right):
    """Its input_shape is (1, 4, 4), expected 1 or 3 channels."""

    input_shape = (1, 4, 4)


@classifier("wrong-anonymous")
@dataclass
class Anonymous(_Right):
    """Its digest is None."""

    digest = None


@classifier("wrong-renamed")
@dataclass
class Renamed(_Right):
    """Its digest changes."""

    @property
    def digest(self):
        return str(id(self))


@classifier("wrong-slope")
@dataclass
class Slope(_Right):
    """Its gradient for 32 images is float64 (32, 4, 3, 1), expected float32."""

    def gradient(self, images, targets):
        return np.ones(images.shape)


def _split(side=3, most=1, kind=np.uint8):
    images = np.zeros((4, 3, 3, 1), kind)
    return Split(images, np.array([0, 1, 0, 1]), images[:2, :, :side], np.array([0, most]))


@dataset("wrong-empty-handed")
@dataclass
class EmptyHanded:
    """It raised AttributeError."""


@dataset("wrong-tuple")
@dataclass
class Tuple:
    """It loads tuple, expected a Split."""

    def load(self):
        return _split(), _split()


@dataset("wrong-scaled")
@dataclass
class Scaled:
    """It loads training images float64 (4, 3, 3, 1), expected uint8."""

    def load(self):
        return _split(kind=np.float64)


@dataset("wrong-sides")
@dataclass
class Sides:
    """It loads training images (3, 3, 1), but test images (3, 2, 1)."""

    def load(self):
        return _split(side=2)


@dataset("wrong-label")
@dataclass
class Label:
    """It has the test label 7, expected 0 to 1."""

    def load(self):
        return _split(most=7)


@dataset("wrong-one-based")
@dataclass
class OneBased:
    """It loads the test label -1, expected classes from 0 to 999999."""

    def load(self):
        return _split(most=-1)


@dataset("wrong-shuffled")
@dataclass
class Shuffled:
    """It loads different images or labels the second time."""

    def load(self):
        data = _split()
        data.train_images[:] = np.random.default_rng().integers(0, 256, data.train_images.shape)
        return data


@executor("wrong-idle")
@dataclass
class Idle:
    """It raised AttributeError."""


@executor("wrong-backwards")
@dataclass
class Backwards:
    """For the squares of 7 numbers it returned [36,"""

    def map(self, function, items):
        return map(function, reversed(list(items)))


@executor("wrong-silent")
@dataclass
class Silent:
    """It hides an error of the function."""

    def map(self, function, items):
        for item in items:
            try:
                yield function(item)
            except ArithmeticError:
                yield None


@reporter("wrong-stranger")
@dataclass
class Stranger:
    """It does not derive from fooldeap.plugin.Reporter."""


@reporter("wrong-folder")
@dataclass
class NeedsAFolder(Reporter):
    """In on_start it raised AttributeError."""

    def on_start(self, session):
        self.path = session.folder.path


@reporter("wrong-place")
@dataclass
class Litters(Reporter):
    """It writes files outside the folder of the session."""

    def on_finish(self, result):
        Path("result.txt").write_text(result.markdown())


@reporter("wrong-abort")
@dataclass
class Stumbles(Reporter):
    """In on_abort it raised AttributeError."""

    def on_generation(self, run, row):
        self.row = row

    def on_abort(self):
        print(self.row)


@reporter("wrong-end")
@dataclass
class Divides(Reporter):
    """In on_finish it raised ZeroDivisionError."""

    def on_finish(self, result):
        print(1 / (len(result) - 3))
