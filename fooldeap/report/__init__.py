"""Pages: single HTML files that work from disk without a network, in light and dark, with mouse and keyboard.

`run.run_page`, `study.study_page`, `retrain.retrain_page` and `audit.audit_page` render the pages of finished folders.
To build another page from the same components:

1. Write ``templates/mine.html`` in your package. It extends ``base.html``, which contains the style, the scripts and
   the theme switch, and fills its blocks. ``parts.html`` has a macro for each class of `fooldeap.report.parts`::

       {% extends "base.html" %}
       {% import "parts.html" as parts %}
       {% block main %}
       {{ parts.tiles([("queries", "1 200"), ("fooled", "9 of 10")]) }}
       {% call parts.section("images", "Images") %}{{ parts.cards(cards) }}{% endcall %}
       {% call parts.section("curves", "Curves") %}{{ parts.chart(chart) }}{% endcall %}
       {% endblock %}

2. Render it: ``render("mine.html", "mypackage", title="My page", cards=[Card(...)], chart=Chart(...))``.

3. Add the folder of templates to ``package_data``. Write the text with `fooldeap.storage.files.write_whole` or with the
   method ``write`` of a folder.

All text is escaped. A content security policy forbids the page to load anything and to run any script except its own.
A section with an id and a title appears in the table of contents of the page.
"""

from fooldeap.report.parts import Card, Chart, Film, ImageGroup, Line, Table, Thumb
from fooldeap.report.rendering import render

__all__ = ["Card", "Chart", "Film", "ImageGroup", "Line", "Table", "Thumb", "render"]
