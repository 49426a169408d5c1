"""Reports: one model, and renderers for Markdown, HTML, LaTeX and the terminal.

An application builds a `Report` of typed sections and renders it. To make a page of your own::

    from fooldeap.report import html
    from fooldeap.report.model import Chart, Charts, Line, Report, Section, Text

    chart = Chart("Growth", "evaluations", "confidence", [Line("3", [1, 10, 100], [0.1, 0.2, 0.9])])
    report = Report("My page", "What I did.", sections=[Section("Growth", [Text("It grows."), Charts([chart])])])
    Path("page.html").write_text(html.render(report, Path.cwd()))

To add a section to every report, see `fooldeap.report.common`.
"""
