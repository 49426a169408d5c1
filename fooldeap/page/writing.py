"""A page written at the end of some work, whose results it must not endanger."""

import warnings
from collections.abc import Callable

from fooldeap.errors import FooldeapError, FooldeapWarning
from fooldeap.results import Folder
from fooldeap.storage.sums import PAGE


def write_page(folder: Folder, page: Callable[[], str]) -> None:
    """Write ``report.html`` to a folder; where it cannot be made, warn: results may have taken days."""
    try:
        text = page()
    except FooldeapError:
        raise
    except Exception as error:
        told = f"{PAGE} was not made ({type(error).__name__}: {error}); the results are whole without it"
        warnings.warn(told, FooldeapWarning, stacklevel=2)
    else:
        folder.write(PAGE, text)
