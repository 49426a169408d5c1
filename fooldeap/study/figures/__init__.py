"""Draw the figures of a study as PNG and SVG. The files are bit-identical every time.

A variant has the same colour, dash and marker in all figures. All figures list the variants by mean rank.
"""

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fooldeap.images.drawing import drawing
from fooldeap.study.analysis_types import Factor
from fooldeap.study.figures.curves import convergence, ecdf
from fooldeap.study.figures.effects import effects
from fooldeap.study.figures.gallery import images
from fooldeap.study.figures.heat import heat
from fooldeap.study.figures.looks import STYLE
from fooldeap.study.figures.ranking import critical_differences
from fooldeap.study.figures.strips import targets
from fooldeap.study.outcome import Outcome
from fooldeap.study.transfer import Transfer

if TYPE_CHECKING:  # importing matplotlib takes a second, so it is imported only when a figure is drawn
    from matplotlib.figure import Figure


def draw(
    outcome: Outcome,
    ranks: Mapping[str, float],
    p_values: NDArray[np.float64] | None,
    transfer: Transfer | None = None,
    factors: Sequence[Factor] = (),
) -> dict[str, bytes]:
    """Draw the figures of a study.

    Parameters
    ----------
    outcome : the results of the study
    ranks : the mean rank of each variant; rank 1 has the fewest evaluations. Ties are shown in the order given here
    p_values : adjusted p-values of all pairs, float64 (variants, variants), symmetric, in the order of
        ``outcome.variants``; None if not all pairs were compared. Then ``critical_differences`` is not drawn
    transfer : the transfer of images, if the study has several classifiers
    factors : the factors, if the study is a grid of several keys

    Returns
    -------
    dict
        the content of the files by name: ``convergence``, ``ecdf``, ``targets``, ``images``, ``critical_differences``,
        ``factors`` and ``transfer``, each with ``.png`` and ``.svg``; empty for a study without runs
    """
    if not outcome.variants:
        return {}
    order = order_by_rank(outcome, ranks)
    with drawing(STYLE):
        figures = {
            "convergence": convergence(outcome, order),
            "ecdf": ecdf(outcome, order),
            "targets": targets(outcome, order),
            "images": images(outcome, order),
        }
        if p_values is not None:
            figures["critical_differences"] = critical_differences(outcome, order, ranks, p_values)
        if factors:
            figures["factors"] = effects(outcome, factors)
        if transfer is not None:
            figures["transfer"] = heat(transfer)
        return {f"{name}.{kind}": saved(each, kind) for name, each in figures.items() for kind in ("png", "svg")}


def saved(figure: "Figure", kind: str) -> bytes:
    """Return the content of a figure as PNG or SVG. The bytes are the same every time."""
    buffer = io.BytesIO()
    # The time and the library version would make the bytes differ.
    unnamed = {"png": ("Software",), "svg": ("Date", "Creator")}[kind]
    figure.savefig(buffer, format=kind, metadata=dict.fromkeys(unnamed))
    return buffer.getvalue()


def order_by_rank(outcome: Outcome, ranks: Mapping[str, float]) -> list[str]:
    """Return the variants by mean rank, the lowest first."""
    return sorted((name for name in ranks if name in outcome.variants), key=ranks.__getitem__)
