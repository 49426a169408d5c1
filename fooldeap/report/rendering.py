"""Render a template to a page that needs no other file."""

import base64
import hashlib
import re
from functools import cache
from importlib import resources
from typing import Any

from fooldeap.formatting import grouped
from fooldeap.report.parts import percent
from fooldeap.terminal_text import printable

_HERE = "fooldeap.report"


def render(template: str, package: str | None = None, /, **values: Any) -> str:
    """Return a page as HTML.

    Parameters
    ----------
    template : the name of a file in ``templates/``
    package : a package whose ``templates/`` is searched first, before that of fooldeap; None: only that of fooldeap
    values : the variables of the template; ``title`` is the title of the page

    Raises
    ------
    jinja2.TemplateError
        The template is not found or is invalid, or a variable is missing.
    """
    from markupsafe import Markup

    early, script = _file("early.js"), _file("uplot/uPlot.iife.min.js") + "\n" + _file("page.js")
    style = _file("uplot/uPlot.min.css") + "\n" + _file("style.css")
    policy = " ".join(f"'sha256-{_digest(each)}'" for each in (early, script))
    fixed = {"early": Markup(early), "script": Markup(script), "style": Markup(style), "scripts": Markup(policy)}
    return _environment(package).get_template(template).render({**values, **fixed})  # type: ignore[no-any-return]


@cache
def _environment(package: str | None) -> Any:
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    loaders = [PackageLoader(name) for name in (package, _HERE) if name is not None]
    environment = Environment(
        loader=ChoiceLoader(loaders),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": percent,
        "grouped": grouped,
        "breakable": _allow_breaks,
        "data": lambda part: part.data(),
    }
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
