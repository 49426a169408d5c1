"""Write the page at the end of a command; a page that fails must not lose the results."""

import warnings
from collections.abc import Callable

from fooldeap.errors import FooldeapError, FooldeapWarning
from fooldeap.results import OutputFolder
from fooldeap.storage.sums import PAGE


def write_page(folder: OutputFolder, page: Callable[[], str]) -> None:
    """Write ``report.html`` to a folder. If the page cannot be rendered, only warn: the results are complete."""
    try:
        text = page()
    except FooldeapError:
        raise
    except Exception as error:
        message = f"{PAGE} was not written ({type(error).__name__}: {error}); all other results are complete"
        warnings.warn(message, FooldeapWarning, stacklevel=2)
    else:
        folder.write(PAGE, text)
