"""Coarse-grainings before judges: a panel for each number, a row for each, exact values as lines."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from deeprg.report.style import ACCENT, EXACT, MUTED, figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["plot_bench"]

_COLUMNS, _WIDTH, _ROW = 4, 3.1, 0.34
_SYMBOLS = {
    "y_T": "$y_T$",
    "y_H": "$y_H$",
    "information": "$I(H:E)$",
    "delta_spin": r"$\Delta_\sigma$",
    "delta_energy": r"$\Delta_\varepsilon$",
    "abs_magnetization": r"$\langle |m'| \rangle$",
    "K_1": "$K_1'$",
    "K_2": "$K_2'$",
    "peak": r"max $\langle vh \rangle$",
}


def plot_bench(document: Mapping[str, Any]) -> "Figure":
    """The numbers of a comparison with their errors, as the document of `deeprg compare --json` has them.

    A coarse-graining that a judge refused has an empty place. Panels without any number are left out. A
    column is titled by the symbol of its key where there is one, else by its label.

    >>> column = {"key": "y_T", "label": "y_T", "exact": 1.0}
    >>> row = {"name": "majority", "cells": {"y_T": {"value": 0.97, "error": 0.01}}}
    >>> plot_bench({"columns": [column], "rows": [row]}).axes[0].get_title(loc="left")
    '$y_T$   exact 1'
    """
    rows = document["rows"]
    shown = [c for c in document["columns"] if any(_number(row, c["key"]) for row in rows)]
    ncols = max(min(_COLUMNS, len(shown)), 1)
    nrows = max(-(-len(shown) // ncols), 1)
    names = [row["name"].partition(":")[0] if ":" in row["name"] else row["name"] for row in rows]
    if len(set(names)) < len(names):
        names = [row["name"] for row in rows]
    height = (1.3 + _ROW * len(rows)) * nrows
    fig, axes = figure(_WIDTH * ncols + 1.0, height, ncols=ncols, nrows=nrows, sharey=True, squeeze=False)
    places = np.arange(len(rows))[::-1]
    for ax, column in zip(axes.flat, shown, strict=False):
        if column["exact"] is not None:
            ax.axvline(column["exact"], color=EXACT, linewidth=1.2)
        for place, row in zip(places, rows, strict=True):
            number = _number(row, column["key"])
            if number is None:
                ax.annotate(
                    "—",
                    (0.5, place),
                    xycoords=("axes fraction", "data"),
                    color=MUTED,
                    ha="center",
                    va="center",
                )
            else:
                ax.errorbar(number[0], place, xerr=number[1], fmt="o", color=ACCENT, capsize=2, markersize=5)
        exact = "" if column["exact"] is None else f"   exact {column['exact']:g}"
        ax.set_title(f"{_SYMBOLS.get(column['key'], column['label'])}{exact}", loc="left")
        ax.set_yticks(places, names)
        ax.set_ylim(-0.6, len(rows) - 0.4)
        ax.locator_params(axis="x", nbins=4)
        ax.margins(x=0.15)
    for ax in list(axes.flat)[len(shown) :]:
        ax.remove()
    return fig


def _number(row: Mapping[str, Any], key: str) -> tuple[float, float] | None:
    cell = row["cells"].get(key, {})
    return (cell["value"], cell.get("error") or 0.0) if cell.get("value") is not None else None
