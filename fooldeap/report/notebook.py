"""Results and reports as static HTML for notebooks: without scripts, and with all pictures inside."""

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

import numpy as np

from fooldeap.formatting import class_label, percent
from fooldeap.report.model import HTML, Block, Figure, Gallery, Histogram, Items, Report, Table, Text
from fooldeap.report.pictures import Pictures, data_uri
from fooldeap.results import Result, RunResult, column_of
from fooldeap.terminal_text import printable

MOST_IMAGES = 20
_WIDTH, _HEIGHT, _MARGIN = 560, 200, 40  # of the curves, in pixels
_LARGE = 112  # pixels along the height of an image
_POINTS = 200  # of a curve


def result_html(result: Result) -> str:
    """Return a table, the best images and the growth of the confidence."""
    runs = list(result.best() if result.has_many_targets else result)
    shown = runs[:MOST_IMAGES]
    parts = [f"<p><b>{_text(result.name)}</b>: {len(result)} images, {result.evaluations:,} evaluations</p>"]
    if result.has_many_targets:
        summary = result.summary()
        parts.append(_table(list(summary), [list(summary.values())]))
    parts.append(_table(result.header, [result.cells(run) for run in runs]))
    if len(runs) > len(shown) or len(result) > len(runs):
        parts.append(f"<p>{len(shown)} of {len(result)} images:</p>")
    images = [_figure(data_uri(run.image.png()), _caption(run, result.names)) for run in shown]
    parts.append(f"<div>{''.join(images)}</div>")
    parts.append(_curves(shown))
    return "\n".join(parts)


def report_html(report: Report, folder: Path) -> str:
    """Return the lead, the texts, the tables and the pictures of a report, whose files are in ``folder``."""
    parts = [f"<h3>{_text(report.title)}</h3>", f"<p>{_text(report.lead)}</p>"]
    pictures = Pictures(folder)
    for section in report.shown(HTML):
        blocks = [each for block in section.blocks for each in _block(block, pictures)]
        parts += [f"<h4>{_text(section.title)}</h4>", *blocks] if blocks else []
    return "\n".join(parts)


def _block(block: Block, pictures: Pictures) -> Iterator[str]:
    """Yield a block as HTML; nothing for blocks that need a script."""
    match block:
        case Text():
            yield f"<p>{_text(block.text)}</p>"
        case Items():
            yield f"<ul>{''.join(f'<li>{_text(each)}</li>' for each in block.texts)}</ul>"
        case Table():
            yield _table(block.header, block.rows)
        case Histogram():
            yield _table(block.table.header, block.table.rows)
        case Figure():
            if picture := pictures.figure(block):
                yield f'<img src="{picture}" alt="{_text(block.alt)}" style="max-width:100%">'
        case Gallery():
            for group in block.groups:
                shown = group.thumbs[:MOST_IMAGES]
                images = [_figure(pictures.thumb(each.image), f"{each.title}: {each.certain}") for each in shown]
                yield f"<p>{_text(group.title)}</p><div>{''.join(images)}</div>"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{_text(cell)}</th>" for cell in header)
    body = "".join(f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _figure(image: str, caption: str) -> str:
    """Return an image, a data URI, with its caption."""
    text = _text(caption)
    return (
        f'<figure style="display:inline-block;margin:4px;text-align:center"><img src="{image}" alt="{text}" '
        f'style="height:{_LARGE}px;image-rendering:pixelated"><figcaption>{text}</figcaption></figure>'
    )


def _caption(run: RunResult, names: Sequence[str]) -> str:
    seen = "" if run.predicted == run.target else f", seen as {class_label(run.predicted, names)}"
    return f"{class_label(run.target, names)}: {percent(run.confidence)}{seen}"


def _curves(runs: Sequence[RunResult]) -> str:
    """Return the best confidence so far over the evaluations as SVG, one line for each run."""
    logs = [(run, column_of(run.log, "evaluations"), column_of(run.log, "confidence")) for run in runs if len(run.log)]
    if not logs:
        return ""
    most = max(int(evaluations[-1]) for _, evaluations, _ in logs) or 1
    lines = []
    for place, (run, evaluations, confidence) in enumerate(logs):
        best = np.maximum.accumulate(confidence)
        chosen = np.unique(np.linspace(0, len(best) - 1, min(len(best), _POINTS)).round().astype(int))
        x, y = _MARGIN + evaluations[chosen] / most * (_WIDTH - 2 * _MARGIN), _HEIGHT - _MARGIN - best[chosen] * 140
        points = " ".join(f"{across:.1f},{down:.1f}" for across, down in zip(x, y, strict=True))
        title = f"<title>target {run.target}, seed {run.seed}</title>"
        colour = f"hsl({360 * place // len(logs)},70%,45%)"
        lines.append(f'<polyline points="{points}" fill="none" stroke="{colour}">{title}</polyline>')
    bottom, right = _HEIGHT - _MARGIN, _WIDTH - _MARGIN
    texts = [
        f'<text x="4" y="{bottom}" font-size="11" fill="currentColor">0 %</text>',
        f'<text x="4" y="{bottom - 136}" font-size="11" fill="currentColor">100 %</text>',
        f'<text x="{right}" y="{bottom + 16}" font-size="11" text-anchor="end" fill="currentColor">{most:,} evaluations'
        "</text>",
        f'<path d="M{_MARGIN},{bottom - 140}V{bottom}H{right}" fill="none" stroke="currentColor"/>',
    ]
    label = "Best confidence over the evaluations"
    return (
        f'<svg role="img" aria-label="{label}" width="{_WIDTH}" height="{_HEIGHT}">'
        f"<title>{label}</title>{''.join([*texts, *lines])}</svg>"
    )


def _text(text: str) -> str:
    return escape(printable(text))
