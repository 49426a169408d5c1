"""Templates filled: a page as one text that needs nothing beside it."""

import base64
import hashlib
import re
from functools import cache
from importlib import resources
from typing import Any

from fooldeap.lines import printable
from fooldeap.numerals import grouped
from fooldeap.page.parts import percent

_HERE = "fooldeap.page"


def render(template: str, package: str | None = None, /, **values: Any) -> str:
    """Return a page.

    Parameters
    ----------
    template : the name of a file in ``templates/``
    package : the package that has this folder, beside our own; None: our own alone
    values : what the template shows. ``title`` is the page's; the others are the template's own

    Raises
    ------
    jinja2.TemplateError
        The template names what was not given, or is none.
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

    places = [PackageLoader(name) for name in (package, _HERE) if name is not None]
    made = Environment(
        loader=ChoiceLoader(places),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalized,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "percent": percent,
        "grouped": grouped,
        "breakable": _breakable,
        "data": lambda part: part.data(),
    }
    return made


def _breakable(name: str) -> Any:
    """Return a name as HTML that may go on in another line after a ``_``, ``-``, ``.`` or ``/`` in it."""
    from markupsafe import Markup, escape

    return Markup(re.sub(r"([_./-])(?=\w)", r"\1<wbr>", str(escape(printable(name)))))


def _finalized(value: Any) -> Any:
    """Return a text without what turns the direction of writing or is invisible; what is HTML already stays."""
    return printable(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


@cache
def _file(name: str) -> str:
    return (resources.files(_HERE) / "templates" / name).read_text(encoding="utf-8").strip()


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
