"""Pages: one HTML file each, that works from disk with no network, in light and dark, by mouse and by keyboard.

`run.run_page`, `study.study_page`, `retrain.retrain_page` and `audit.audit_page` make those of finished folders. Any
other page is made of the same parts:

1. Write ``templates/mine.html`` in a package of yours. It extends ``base.html``, which brings style, scripts and
   the theme switch, and fills its blocks; ``parts.html`` has a macro for each class of `fooldeap.page.parts`::

       {% extends "base.html" %}
       {% import "parts.html" as parts %}
       {% block main %}
       {{ parts.tiles([("queries", "1 200"), ("fooled", "9 of 10")]) }}
       {% call parts.section("images", "Images") %}{{ parts.cards(cards) }}{% endcall %}
       {% call parts.section("curves", "Curves") %}{{ parts.chart(chart) }}{% endcall %}
       {% endblock %}

2. Fill it: ``render("mine.html", "mypackage", title="My page", cards=[Card(...)], chart=Chart(...))``.

3. Name the folder of templates in ``package_data``, and write the text by `fooldeap.storage.files.write_whole` or a
   folder's ``write``.

All text is escaped; a page runs no script but its own and loads nothing, which its content security policy makes sure
of. A section with an id and a title appears in the page's contents.
"""

from fooldeap.page.parts import Card, Chart, Film, Group, Line, Table, Thumb
from fooldeap.page.rendering import render

__all__ = ["Card", "Chart", "Film", "Group", "Line", "Table", "Thumb", "render"]
