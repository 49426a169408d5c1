"""Generate the reference of the Python package from the docstrings of the public names."""

import fooldeap

MODULES = {
    "fooldeap.plugin": "fooldeap.plugin, for plugins",
    "fooldeap.testing": "fooldeap.testing, for tests of plugins",
    "fooldeap.engine.toolboxes": "The toolbox of algorithms",
}


def page() -> str:
    """Return the page as Markdown, for mkdocstrings."""
    sections = [
        "# Python",
        "All public names, from the docstrings. For an introduction, see [Python](../python.md).",
    ]
    sections += [
        _section(f"{getattr(fooldeap, name).__module__}.{name}", f"fooldeap.{name}") for name in fooldeap.__all__
    ]
    sections += [_section(module, title) for module, title in MODULES.items()]
    return "\n\n".join(sections) + "\n"


def _section(identifier: str, heading: str) -> str:
    return f"::: {identifier}\n    options: {{heading: {heading}, toc_label: {heading}}}"
