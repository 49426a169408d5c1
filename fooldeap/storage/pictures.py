"""Reads pictures from untrusted sources. Their size is checked before they are decoded."""

import io
import warnings
from typing import Any

MOST_PIXELS = 1 << 26  # such as 8192 x 8192
MOST_BYTES = 1 << 28  # of the file


def decoded(content: bytes, formats: tuple[str, ...]) -> Any:
    """Return a picture as a `PIL.Image.Image`.

    Parameters
    ----------
    content : the content of the file
    formats : accepted formats, by Pillow's names: ``("PNG",)``

    Raises
    ------
    ValueError
        It is not a readable picture in these formats, or has more than `MOST_PIXELS` pixels.
    """
    from PIL import Image

    too_large = f"it has more than {MOST_PIXELS:,} pixels"
    try:
        with warnings.catch_warnings(action="ignore", category=Image.DecompressionBombWarning):
            picture = Image.open(io.BytesIO(content), formats=formats)
        if picture.width * picture.height <= MOST_PIXELS:
            picture.load()
            return picture
    except Image.DecompressionBombError:
        raise ValueError(too_large) from None
    except Exception as error:  # decoders raise many types of errors for damaged pictures
        raise ValueError(f"it is no readable {' or '.join(formats)} picture ({type(error).__name__})") from None
    raise ValueError(too_large)
