"""A study as figures for a paper: PNG and SVG, the same bytes whenever they are drawn.

A variant has one colour, dash and marker in all of them, and all list the variants in one order: by mean rank.
"""

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fooldeap.images.drawing import drawing
from fooldeap.study.figures.curves import convergence, ecdf
from fooldeap.study.figures.effects import effects
from fooldeap.study.figures.gallery import images
from fooldeap.study.figures.heat import heat
from fooldeap.study.figures.looks import STYLE
from fooldeap.study.figures.ranking import critical_differences
from fooldeap.study.figures.strips import targets
from fooldeap.study.findings import Factor
from fooldeap.study.outcome import Outcome
from fooldeap.study.transfer import Transfer

if TYPE_CHECKING:  # matplotlib takes a second to import: only who draws waits for it
    from matplotlib.figure import Figure


def draw(
    outcome: Outcome,
    ranks: Mapping[str, float],
    p_values: NDArray[np.float64] | None,
    transfer: Transfer | None = None,
    factors: Sequence[Factor] = (),
) -> dict[str, bytes]:
    """Return the figures of a study by file name.

    Parameters
    ----------
    outcome : of the study
    ranks : the mean rank of each variant, 1 being the fewest evaluations; equal ones are shown in the order given here
    p_values : (variants, variants), symmetric, in the order of ``outcome.variants``: of each pair, adjusted for their
        number; None where not all pairs were compared, and then there is no figure of critical differences
    transfer : of a study with several classifiers
    factors : of a grid of several keys

    Returns
    -------
    dict
        ``convergence``, ``ecdf``, ``targets``, ``images``, ``critical_differences``, ``factors`` and ``transfer``, each
        with ``.png`` and ``.svg``; nothing for a study without runs
    """
    if not outcome.variants:
        return {}
    order = by_rank(outcome, ranks)
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
    """Return a figure as PNG or SVG, the same bytes whenever it is drawn."""
    buffer = io.BytesIO()
    # What names the time or the version of the library would make other bytes of the same picture.
    unnamed = {"png": ("Software",), "svg": ("Date", "Creator")}[kind]
    figure.savefig(buffer, format=kind, metadata=dict.fromkeys(unnamed))
    return buffer.getvalue()


def by_rank(outcome: Outcome, ranks: Mapping[str, float]) -> list[str]:
    """Return the variants, the one of the lowest mean rank first."""
    return sorted((name for name in ranks if name in outcome.variants), key=ranks.__getitem__)
