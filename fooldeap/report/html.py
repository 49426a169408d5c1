"""Render a report as a page: a single HTML file that works from disk without a network.

All text is escaped. A content security policy forbids the page to load anything and to run any script except its own.
The table of contents of the page lists the sections.
"""

import base64
import hashlib
import re
import warnings
from collections.abc import Callable
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from fooldeap.errors import FooldeapError, FooldeapWarning
from fooldeap.report.model import HTML, Report, percent
from fooldeap.report.pictures import Pictures
from fooldeap.results import OutputFolder
from fooldeap.storage.sums import PAGE
from fooldeap.terminal_text import printable

_HERE = "fooldeap.report"


def render(report: Report, folder: Path) -> str:
    """Return a report as HTML. Its figures are embedded; they are files of ``folder``."""
    from markupsafe import Markup

    early, script = _file("early.js"), _file("uplot/uPlot.iife.min.js") + "\n" + _file("page.js")
    policy = " ".join(f"'sha256-{_digest(each)}'" for each in (early, script))
    template = _environment().get_template("report.html")
    sections = report.shown(HTML)
    page: str = template.render(
        report=report,
        sections=sections,
        pictures=Pictures(folder, sections),
        early=Markup(early),
        script=Markup(script),
        style=Markup(_file("uplot/uPlot.min.css") + "\n" + _file("style.css")),
        scripts=Markup(policy),
    )
    return page


def write_page(folder: OutputFolder, report: Callable[[], Report]) -> None:
    """Write ``report.html`` to a folder. If the page cannot be rendered, only warn: the results are complete."""
    try:
        text = render(report(), folder.path)
    except FooldeapError:
        raise
    except Exception as error:
        message = f"{PAGE} was not written ({type(error).__name__}: {error}); all other results are complete"
        warnings.warn(message, FooldeapWarning, stacklevel=2)
    else:
        folder.write(PAGE, text)


@cache
def _environment() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": percent, "breakable": _allow_breaks}
    return environment


def _allow_breaks(name: str) -> Any:
    """Return a name as HTML in which a line may break after ``_``, ``-``, ``.`` or ``/``."""
    from markupsafe import Markup, escape

    return Markup(re.sub(r"([_./-])(?=\w)", r"\1<wbr>", str(escape(printable(name)))))


def _finalize(value: Any) -> Any:
    """Escape invisible characters and characters that change the direction of text; HTML is returned unchanged."""
    return printable(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


@cache
def _file(name: str) -> str:
    return (resources.files(_HERE) / "templates" / name).read_text(encoding="utf-8").strip()


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
