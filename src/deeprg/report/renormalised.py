"""Couplings of renormalised energies by scale."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from deeprg.probes.collective import RenormalisedLevel

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_coupling_flow"]


def plot_coupling_flow(
    ax: "Axes", levels: Mapping[str, Sequence[RenormalisedLevel]], operator: str = "y y (1)"
) -> None:
    """One coupling of the normalised field against the number of levels undone, a line for each name.

    Levels on which the operator does not exist are left out. Raises `KeyError` when no level has it.

    >>> from deeprg.lattice import Lattice
    >>> from deeprg.probes import field_operators, fit_couplings
    >>> from deeprg.report.style import figure
    >>> y = np.random.default_rng(0).normal(size=(4, 4, 400))
    >>> fit = fit_couplings(y, 0.5 * (y**2).sum(axis=(0, 1)), field_operators(Lattice((4, 4)), bodies=2))
    >>> fig, ax = figure()
    >>> plot_coupling_flow(ax, {"T = 2": [RenormalisedLevel(0, (4, 4), fit, fit, 0.0, True)]}, "y y (1)")
    >>> len(ax.containers)
    1
    """
    found = False
    for name, rows in levels.items():
        kept = [row for row in rows if operator in row.fit.by_name()]
        if not kept:
            continue
        found = True
        values = np.array([row.fit.by_name()[operator] for row in kept])
        steps = [row.levels for row in kept]
        ax.errorbar(steps, values[:, 0], values[:, 1], marker="o", capsize=2, label=name)
    if not found:
        raise KeyError(f"no level has the operator '{operator}'")
    ax.set_xticks(sorted({row.levels for rows in levels.values() for row in rows}))
    ax.set_xlabel("levels undone")
    ax.set_ylabel(f"coupling of {operator}")
    ax.axhline(0.0, color="black", linewidth=0.8)
    ax.legend(frameon=False)
