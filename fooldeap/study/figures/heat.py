"""Draw how many images of each variant each classifier takes for the target."""

from typing import TYPE_CHECKING

import numpy as np

from fooldeap.study.figures.looks import LINE, PAGE, count_lines, text_width, wrap_name
from fooldeap.study.tables import percent
from fooldeap.study.transfer import Transfer

if TYPE_CHECKING:  # importing matplotlib takes a second, so it is imported only when a figure is drawn
    from matplotlib.figure import Figure


def heat(transfer: Transfer) -> "Figure":
    """Draw a heat map of these shares. A frame marks the classifier that the images were evolved on."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    cells, classifiers = transfer.cells(), transfer.classifiers
    variants = list(dict.fromkeys(cell.variant for cell in cells))
    labels, names = [wrap_name(name) for name in variants], [wrap_name(name, 14) for name in classifiers]
    step = max(1.4 * LINE, count_lines(labels) * LINE + 0.05)
    width = min(PAGE, text_width(labels) + max(0.6, text_width(names) + 0.1) * len(classifiers) + 0.4)
    figure = Figure(figsize=(width, step * len(variants) + count_lines(names) * LINE + 0.5), layout="constrained")
    axes = figure.subplots()
    shares = np.array([cell.taken.value for cell in cells]).reshape(len(variants), len(classifiers))
    axes.imshow(100 * shares, cmap="Blues", vmin=0, vmax=100, aspect="auto", interpolation="none")
    for index, cell in enumerate(cells):
        row, column = divmod(index, len(classifiers))
        text = f"{percent(cell.taken.value)} %" if cell.images else "–"
        axes.text(column, row, text, ha="center", va="center", color="white" if cell.taken.value > 0.6 else "black")
        if cell.own:
            axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, linewidth=1.2))
    axes.set_xticks(range(len(classifiers)), names)
    axes.set_yticks(range(len(variants)), labels)
    axes.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
    axes.set_title("taken for the target by")
    axes.spines[:].set_visible(False)
    return figure
